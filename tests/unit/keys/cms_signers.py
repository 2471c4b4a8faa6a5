"""Who signs in the tests of signed documents: a lock for each kind of key, and how a message of theirs is judged."""

from functools import cache

from keys.certificate import Certificate, parse_certificate
from keys.cms import Signer, find_certificate, parse_cms, verify_signer
from keys.content import Content, Octets
from keys.errors import KeysError
from tests.support.pki import Authority, Issued, unit

CONTENT = "投标函：测试建设有限公司".encode()


@cache
def authority(kind: str = "p-256") -> Authority:
    return Authority.root(kind)


@cache
def lock(kind: str = "p-256", number: int = 1) -> Issued:
    return authority().issue(unit(kind, number))


def certificate(issued: Issued) -> Certificate:
    return parse_certificate(issued.der)


def only_signer(data: bytes) -> Signer:
    (signer,) = parse_cms(data).signers
    return signer


def verified(data: bytes, content: Content | None = None) -> None:
    """Verifies every signer by a certificate inside; detached content is given."""
    read = parse_cms(data)
    if content is None:
        assert read.content is not None
        content = Octets(read.content)
    for signer in read.signers:
        found = find_certificate(signer, read.certificates)
        assert found is not None
        verify_signer(signer, found, content)


def code_of(data: bytes, content: Content | None = None) -> str:
    """The code by which a message is refused, when it is read or verified; "" when it is not."""
    try:
        verified(data, content)
    except KeysError as refusal:
        return refusal.code
    return ""
