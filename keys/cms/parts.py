"""The parts of a constructed value, never more of them than allowed: a message is mostly somebody else's."""

from keys import der
from keys.der import Element
from keys.errors import MalformedError


def parts_of(element: Element, tag: int, least: int, most: int) -> list[Element]:
    """Gives the parts of a value that has a known number of them. Raises MalformedError "der.malformed"."""
    found = _parts(element, tag, most)
    if found is None or len(found) < least:
        count = f"more than {most}" if found is None else len(found)
        raise MalformedError("der.malformed", f"{count} parts, of {least} to {most} (at byte {element.start})")
    return found


def listed(element: Element, tag: int, most: int, what: str) -> list[Element]:
    """Gives the members of a list, at most so many.

    Raises MalformedError "der.malformed", and "cms.too_large" with the name of what there is too much of.
    """
    found = _parts(element, tag, most)
    if found is None:
        raise MalformedError("cms.too_large", f"more than {most} {what}")
    return found


def _parts(element: Element, tag: int, most: int) -> list[Element] | None:
    if element.tag != tag:
        raise MalformedError("der.malformed", f"tag 0x{element.tag:02x}, not 0x{tag:02x} (at byte {element.start})")
    found: list[Element] = []
    at = element.content
    while at < element.end:
        if len(found) == most:
            return None
        inner, content, end = der.header(element.data, at, element.end)
        found.append(Element(element.data, inner, at, content, end, element.depth + 1))
        at = end
    return found
