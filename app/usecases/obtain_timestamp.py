"""Obtains a timestamp of a digest from an authority, and takes only an answer to that very request.

Whether the authority may be believed is not asked here: whoever relies on the token later judges that, as known then.
"""

from collections.abc import Callable
from datetime import datetime

from keys.cms import find_certificate
from keys.content import digested
from keys.errors import SignatureError
from keys.timestamp import check_answer, parse_token, read_response, verify_token, write_request
from registry.certificate_status import SKEW

Ask = Callable[[bytes], bytes]
"""Sends a request and gives the answer."""


def obtain_timestamp(ask: Ask, digest_name: str, digest: bytes, nonce: int, now: datetime) -> bytes:
    """The token for a digest by one of `keys.content.DIGESTS`; `nonce` is to be random.

    Raises KeysError: what `read_response`, `parse_token`, `check_answer` and `verify_token` raise, and
    "timestamp.certificate_missing" where the authority did not send its certificate; and what `ask` raises.
    """
    token = read_response(ask(write_request(digest_name, digest, nonce)))
    read = parse_token(token)
    check_answer(read.info, digest_name, digest, nonce, now=now, skew=SKEW)
    certificate = find_certificate(read.signer, read.certificates)
    if certificate is None:
        raise SignatureError("timestamp.certificate_missing", "the authority did not send its certificate")
    verify_token(read, digested(digest_name, digest), certificate)
    return token
