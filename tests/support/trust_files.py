"""Trust anchor files and accepted lists for the authorities of `tests.support.pki`."""

from dataclasses import replace
from typing import Any

from app.usecases.trust_anchors import AnchorStatement, import_trust_anchor
from registry.document import LocalText, PolicyDocument
from registry.period import ALWAYS
from registry.trust import AcceptedList, Trust, TrustAnchor, build_trust, read_accepted_list, read_trust_anchor
from tests.support.pki import Authority

NOBODY = build_trust({}, {}, {})


def statement(identity: str, signer: Authority, /, **changes: Any) -> AnchorStatement:
    """What is said of an authority: an anchor for bidding, everywhere and for ever."""
    said = AnchorStatement(
        id=identity,
        certificate=signer.certificate.der,
        name=LocalText(zh="测试", en="Test"),
        role="anchor",
        qualifiers=("bidding",),
        authority=None,
        jurisdictions=(),
        effective=ALWAYS,
        revocation_urls=(),
        revocation_hosts=(),
        sources=(),
    )
    if changes.get("role") == "intermediate":
        changes = {"qualifiers": (), **changes}
    return replace(said, **changes)


def anchor(identity: str, signer: Authority, /, **changes: Any) -> TrustAnchor:
    document = import_trust_anchor(NOBODY, statement(identity, signer, **changes))
    assert document is not None
    return read_trust_anchor(document)


def trust(*anchors: TrustAnchor, lists: tuple[AcceptedList, ...] = ()) -> Trust:
    return build_trust(
        {entry.id: entry for entry in anchors}, {entry.id: entry for entry in lists}, {entry.id: "" for entry in lists}
    )


def with_document(held: Trust, document: PolicyDocument | None) -> Trust:
    """The trust after a document is entered."""
    assert document is not None
    anchors, lists = dict(held.anchors), dict(held.lists)
    if document.kind == "trust-anchor":
        anchors[document.id] = read_trust_anchor(document)
    else:
        lists[document.id] = read_accepted_list(document)
    return build_trust(anchors, lists, dict.fromkeys(lists, document.source))
