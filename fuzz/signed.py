"""A key from a seed and what it signs, so that fuzzing gets behind signatures: the same in every process."""

import base64
import json

from keys import base64url
from keys.key_ring import KeyRing
from keys.note import NoteKey
from keys.public_key import PublicKey
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.issuer import KeyRegister, build_key_register, read_issuer_keys
from tests.support.unsafe_sm2 import Key

ISSUER = "cq-yuzhong-amr"
KEY = Key("ed25519", "fuzz")
PUBLIC = PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(KEY.spki[-32:])})
RING = KeyRing(keys=(PUBLIC,))
ALGORITHMS = frozenset({"ES256", "Ed25519", "SM2"})

NOTE_NAME = "log.test/fuzz"
NOTE_KEY = NoteKey.of(NOTE_NAME, PUBLIC)


def token(payload: bytes, typ: str) -> str:
    """A compact JWS over any bytes."""
    header = json.dumps({"alg": PUBLIC.alg, "kid": PUBLIC.kid, "typ": typ}).encode()
    parts = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    return f"{parts}.{base64url.encode(KEY.sign(parts.encode()))}"


def note(text: str) -> bytes:
    """A note with the signature of a log."""
    value = base64.b64encode(NOTE_KEY.digest + KEY.sign(text.encode())).decode()
    return f"{text}\n\u2014 {NOTE_NAME} {value}\n".encode()


def key_register() -> KeyRegister:
    """The key as an issuer's."""
    content = {"id": ISSUER, "version": 1, "issuer": ISSUER, "keys": [{"jwk": PUBLIC.jwk()}]}
    document = PolicyDocument(
        kind="issuer-key-set",
        id=ISSUER,
        version=1,
        digest=digest(canonical_json(content)),
        source="fuzz",
        content=content,
    )
    return build_key_register([read_issuer_keys(document)], {ISSUER: "fuzz"})


KEYS = key_register()
