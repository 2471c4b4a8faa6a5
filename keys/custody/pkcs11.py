"""Private keys on PKCS #11 tokens: made there, used there, and never outside.

For ES256 and Ed25519. PKCS #11 has no mechanism for SM2: an SM2 key is in a PEM file (`keys.custody.pem_file`).
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from keys import base64url
from keys.algorithms.ecdsa import ES256
from keys.algorithms.ed25519 import ED25519
from keys.custody import token as tokens
from keys.custody.token import Opened, Token, TokenKey
from keys.errors import CustodyError, KeysError, MalformedError, SignatureError, quoted
from keys.public_key import PublicKey

_ID = 16  # bytes of a new key's id
_TRIAL = b"accord: is the private key on the token the one that is published?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How keys for an algorithm are made and used: names as PKCS #11 has them, without their prefixes."""

    key_type: str
    parameters: bytes  # CKA_EC_PARAMS: the curve's object identifier, DER
    make: str
    sign: str
    prepare: Callable[[bytes], bytes]  # a message as the mechanism takes it
    jwk: Callable[[bytes], dict[str, str]]  # of the public point


def _sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def _p256(point: bytes) -> dict[str, str]:
    return {**ES256.kind, "x": base64url.encode(point[1:33]), "y": base64url.encode(point[33:])}


def _ed25519(point: bytes) -> dict[str, str]:
    return {**ED25519.kind, "x": base64url.encode(point)}


_KINDS = MappingProxyType(
    {
        ES256.name: _Kind(
            key_type="EC",
            parameters=bytes.fromhex("06082a8648ce3d030107"),
            make="EC_KEY_PAIR_GEN",
            sign="ECDSA",  # over a digest: fewer tokens have ECDSA_SHA256
            prepare=_sha256,
            jwk=_p256,
        ),
        ED25519.name: _Kind(
            key_type="EC_EDWARDS",
            parameters=bytes.fromhex("06032b6570"),
            make="EC_EDWARDS_KEY_PAIR_GEN",
            sign="EDDSA",
            prepare=bytes,
            jwk=_ed25519,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSigner:
    """A `keys.custody.Signer` whose private key is on a token. Any thread and any process may use it."""

    public: PublicKey
    place: TokenKey
    _token: Token = field(repr=False, compare=False)

    @property
    def alg(self) -> str:
        """The JOSE name of the algorithm."""
        return self.public.alg

    @property
    def kid(self) -> str:
        """The name of the key: its thumbprint."""
        return self.public.kid

    @property
    def remote(self) -> bool:
        """True: the key is on a token."""
        return True

    def sign(self, message: bytes) -> bytes:
        """Signs as JWS does (RFC 7518 §3), and gives nothing that the public key does not verify.

        Raises CustodyError "key.token_wrong", "key.token_key_missing", "key.token_key_ambiguous",
        "key.token_exportable", and what `keys.custody.token` raises.
        """
        kind, package = _KINDS[self.alg], tokens.pkcs11_package()
        prepared, mechanism = kind.prepare(message), package.Mechanism[kind.sign]

        def work(opened: Opened) -> bytes:
            signature: bytes = self._key(opened).sign(prepared, mechanism=mechanism)
            return signature

        signature = tokens.use(self._token, work)
        try:
            self.public.verify(signature, message)
        except SignatureError as error:
            mend = "restore the key on the token, or make a new one: accord keys rotate"
            detail = f"{self._token}: {self.place.uri()} does not sign as the published key {self.kid}; {mend}"
            raise CustodyError("key.token_wrong", detail) from error
        return signature

    def _key(self, opened: Opened) -> Any:
        found = opened.keys.get(self.place.id)
        if found is None:
            found = opened.keys[self.place.id] = _find(opened.session, self._token, self.place)
        return found


def generate(token: Token, label: str, alg: str = ES256.name) -> TokenSigner:
    """Makes a key of an algorithm on a token, which will sign with it and not give it away.

    A key that is of no use is taken off the token again. Raises CustodyError "key.kind" where the token has no such
    keys, "key.token_exportable" where it would give them away, "key.token_wrong", and what `keys.custody.token` raises.
    """
    kind = _KINDS.get(alg)
    if kind is None:
        mend = f"choose {' or '.join(_KINDS)}, or keep the key in a file"
        raise CustodyError("key.kind", f"PKCS #11 has no mechanism for keys for {quoted(alg)}; {mend}")
    place = TokenKey(token=token.label, label=label, id=os.urandom(_ID))

    def work(session: Any) -> PublicKey:
        _check_mechanisms(session, token, alg, kind)
        public, private = _make(session, place, kind)
        try:
            _check_kept_inside(private, token, place)
            found = _public_key(public, kind, token)
        except KeysError:
            private.destroy()
            public.destroy()
            raise
        return found

    signer = TokenSigner(public=tokens.write(token, work), place=place, _token=token)
    signer.sign(_TRIAL)
    return signer


def load(token: Token, place: TokenKey, public: PublicKey, *, tried: bool = True) -> TokenSigner:
    """Opens the token and shows by a signature that the private half of a published key is on it, and works.

    Not `tried`, it is opened with the first signature. Raises CustodyError "key.token_other" where the key is said to
    be on another token than this, "key.kind", and what `TokenSigner.sign` raises.
    """
    if place.token != token.label:
        # The PIN is this token's: offered to another, it would count as a wrong one there.
        mend = f"set ACCORD_PKCS11_TOKEN to {quoted(place.token)}, or make a new key on this token"
        raise CustodyError("key.token_other", f"{token}: key {public.kid} is on token {quoted(place.token)}; {mend}")
    if public.alg not in _KINDS:
        raise CustodyError("key.kind", f"{token}: key {public.kid} is for {public.alg}, which no token has; rotate it")
    signer = TokenSigner(public=public, place=place, _token=token)
    if tried:
        signer.sign(_TRIAL)
    return signer


def _make(session: Any, place: TokenKey, kind: _Kind) -> tuple[Any, Any]:
    package = tokens.pkcs11_package()
    attribute, key_type = package.Attribute, package.KeyType[kind.key_type]
    parameters = session.create_domain_parameters(key_type, {attribute.EC_PARAMS: kind.parameters}, local=True)
    pair: tuple[Any, Any] = parameters.generate_keypair(
        id=place.id,
        label=place.label,
        store=True,
        mechanism=package.Mechanism[kind.make],
        capabilities=package.MechanismFlag.SIGN | package.MechanismFlag.VERIFY,
        private_template={attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
    )
    return pair


def _check_mechanisms(session: Any, token: Token, alg: str, kind: _Kind) -> None:
    package = tokens.pkcs11_package()
    there = session.token.slot.get_mechanisms()
    missing = [name for name in (kind.make, kind.sign) if package.Mechanism[name] not in there]
    if missing:
        mend = "choose another algorithm, or another token"
        raise CustodyError("key.kind", f"{token}: has no keys for {alg} (lacks CKM_{missing[0]}); {mend}")


def _check_kept_inside(private: Any, token: Token, place: TokenKey) -> None:
    attribute = tokens.pkcs11_package().Attribute
    if private[attribute.EXTRACTABLE] or not private[attribute.SENSITIVE]:
        mend = "use a token that keeps keys inside, and make the key there: accord keys generate --pkcs11"
        raise CustodyError("key.token_exportable", f"{token}: {place.uri()} can be taken off the token; {mend}")


def _public_key(public: Any, kind: _Kind, token: Token) -> PublicKey:
    octets: bytes = public[tokens.pkcs11_package().Attribute.EC_POINT]
    # DER OCTET STRING (PKCS #11 3.1 §6.3.3); older modules give the point itself.
    if octets[:1] == b"\x04" and len(octets) in (34, 67) and octets[1] == len(octets) - 2:
        octets = octets[2:]
    try:
        return PublicKey.from_jwk(kind.jwk(octets))
    except MalformedError as error:
        mend = "use another token"
        raise CustodyError("key.token_wrong", f"{token}: gives no public key: {error.detail}; {mend}") from error


def _find(session: Any, token: Token, place: TokenKey) -> Any:
    package = tokens.pkcs11_package()
    attributes = {package.Attribute.CLASS: package.ObjectClass.PRIVATE_KEY, package.Attribute.ID: place.id}
    found = list(session.get_objects(attributes))
    if not found:
        mend = "restore it there, or make a new key: accord keys rotate"
        raise CustodyError("key.token_key_missing", f"{token}: there is no key {place.uri()}; {mend}")
    if len(found) > 1:
        detail = f"{token}: {len(found)} keys are {place.uri()}; take the wrong ones off the token"
        raise CustodyError("key.token_key_ambiguous", detail)
    _check_kept_inside(found[0], token, place)
    return found[0]
