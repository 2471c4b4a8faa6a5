"""A directory of keys: private keys, the public keys present and past, and the one that signs.

`<label>-<kid>.pem` are private keys, `<label>-<kid>.token` say where on a PKCS #11 token one is (a URI, RFC 7512), and
with `.retired` behind it those that shall not sign again; `jwks.json` is what is published, newest last, and only ever
grows: by keys, and by the word that one of them is compromised; `active` is one line with the kid that signs. A crash
leaves at worst a private key that was never published, a published one that is not active yet, or a compromised one
that is retired by that word alone.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from keys import strict_json
from keys.algorithms.ecdsa import ES256
from keys.custody import Signer, files, pem_file, pkcs11
from keys.custody.pem_file import PemSigner
from keys.custody.pkcs11 import TokenSigner
from keys.custody.token import Token, TokenKey
from keys.errors import CustodyError, KeysError, quoted
from keys.key_ring import KeyRing
from keys.public_key import PublicKey

Made = TypeVar("Made", bound=Signer)

_LABEL = re.compile(r"[a-z]+")
_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_JWKS = "jwks.json"
_ACTIVE = "active"
_ON_TOKEN = ".token"
_RETIRED = ".retired"
_PRIVATE_FILE = re.compile(rf"({_LABEL.pattern})-({_KID.pattern})\.(pem|token)({re.escape(_RETIRED)})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """A published key of the directory. Label and file are those of its private half, None where that is not here.

    `place` is where on a token it is; None where it is in the file itself. `compromised_at` is when it was declared
    so, in seconds since 1970; such a key is retired.
    """

    kid: str
    alg: str
    label: str | None
    active: bool
    retired: bool
    file: Path | None
    place: TokenKey | None
    compromised_at: int | None = None


@dataclass(frozen=True, slots=True)
class PublicPart:
    """What the directory says to everybody, byte for byte: to tell whether it says something else now."""

    jwks: bytes | None
    active: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A private half that is here, or is said to be on a token."""

    label: str
    file: Path
    on_token: bool
    retired: bool


def create(
    directory: Path, label: str, passphrase: bytes, *, activate: bool = False, alg: str = ES256.name
) -> PemSigner:
    """Makes a key of an algorithm and publishes it; it signs from now on if asked, or if no key did.

    Raises CustodyError "key.label_malformed", "key.jwks_damaged", "key.active_damaged", and what `pem_file.generate`
    raises.
    """

    def make() -> PemSigner:
        temporary = directory / ".pem.new"
        files.discard(temporary)
        signer = pem_file.generate(temporary, passphrase, alg)
        files.move(temporary, _private_path(directory, label, signer.kid))
        return signer

    return _enter(directory, label, make, activate=activate)


def create_on_token(
    directory: Path, label: str, token: Token, name: str, *, activate: bool = False, alg: str = ES256.name
) -> TokenSigner:
    """Makes a key on a token, there under a name, and publishes it like one in a file.

    A crash may also leave a key on the token that nothing here names. Raises CustodyError as `create` does, and what
    `pkcs11.generate` raises.
    """

    def make() -> TokenSigner:
        signer = pkcs11.generate(token, name, alg)
        path = directory / f"{label}-{signer.kid}{_ON_TOKEN}"
        files.create(path, f"{signer.place.uri()}\n".encode("ascii"))
        return signer

    return _enter(directory, label, make, activate=activate)


def _enter(directory: Path, label: str, make: Callable[[], Made], *, activate: bool) -> Made:
    _check_label(label)
    files.make_directory(directory)
    with files.exclusive(directory):
        published = _published(directory)
        active = _active_kid(directory)
        signer = make()
        _publish(directory, (*published, signer.public))
        if activate or active is None:
            _write_active(directory, signer.kid)
    return signer


def make_active(directory: Path, label: str, kid: str) -> None:
    """Has a published key sign from now on.

    Raises CustodyError "key.label_malformed", "key.file_missing", "key.label_wrong", "key.retired",
    "key.compromised", "key.not_published".
    """
    _check_label(label)
    with files.exclusive(directory):
        _usable(directory, label, kid)
        _write_active(directory, kid)


def retire(directory: Path, kid: str) -> KeyEntry:
    """Has a key never sign again: its file gets another name, and what it signed verifies as before.

    To retire a key a second time changes nothing. Raises CustodyError "key.not_published", "key.active" for the key
    that signs, "key.file_missing" where the private half is not here, "key.label_wrong".
    """
    with files.exclusive(directory):
        entry = _dispensable(directory, kid)
        if entry.file is None:
            detail = f"{directory}: the private half of {kid} is not here; retire it where it is"
            raise CustodyError("key.file_missing", detail)
        return _set_aside(entry)


def declare_compromised(directory: Path, kid: str, at: int) -> KeyEntry:
    """Publishes that a key is compromised, at an instant in seconds since 1970, and retires it. Nothing takes it back.

    Its private half need not be here: often the thief's copy outlives ours. To declare it a second time changes
    nothing, the instant neither. Raises CustodyError "key.not_published", "key.active" for the key that signs,
    "key.label_wrong", and MalformedError "jwk.revoked_wrong" for an instant outside the years 1970 to 9999.
    """
    with files.exclusive(directory):
        entry = _dispensable(directory, kid)
        if entry.compromised_at is None:
            published = _published(directory)
            _publish(directory, tuple(key.compromised(at) if key.kid == kid else key for key in published))
        # Only after that: a file that was renamed alone would say that what the key signed is still good.
        return replace(_set_aside(entry), compromised_at=at if entry.compromised_at is None else entry.compromised_at)


def _dispensable(directory: Path, kid: str) -> KeyEntry:
    """Finds a published key that the node can do without. Raises CustodyError "key.not_published", "key.active"."""
    entry = next((entry for entry in list_keys(directory) if entry.kid == kid), None)
    if entry is None:
        detail = f"{directory}: no key {quoted(kid)} is published; accord keys list shows those that are"
        raise CustodyError("key.not_published", detail)
    if entry.active:
        mend = "have another key sign first: accord keys rotate"
        raise CustodyError("key.active", f"{directory}: key {kid} is the one that signs; {mend}")
    return entry


def _set_aside(entry: KeyEntry) -> KeyEntry:
    """Gives the private half that is here the name of a retired one, unless it has it."""
    if entry.file is None or entry.file.name.endswith(_RETIRED):
        return replace(entry, retired=True)
    moved = entry.file.with_name(f"{entry.file.name}{_RETIRED}")
    files.move(entry.file, moved)
    return replace(entry, retired=True, file=moved)


def find_active(directory: Path, label: str) -> KeyEntry:
    """The key that signs, its private half unopened.

    Raises CustodyError "key.none_active", "key.active_damaged", "key.label_malformed", "key.file_missing",
    "key.label_wrong", "key.retired", "key.compromised", "key.not_published", "key.jwks_damaged".
    """
    _check_label(label)
    kid = _active_kid(directory)
    if kid is None:
        detail = f"{directory}: no key is active; create one (accord keys generate), or activate one"
        raise CustodyError("key.none_active", detail)
    return _usable(directory, label, kid)


def load_active(directory: Path, label: str, passphrase: bytes) -> PemSigner:
    """Opens the key that signs, from its file.

    Raises what `find_active` raises, CustodyError "key.on_token" when it is not in a file, "key.name_wrong" when the
    file holds another key than its name says, and what `pem_file.load` raises.
    """
    entry = find_active(directory, label)
    if entry.place is not None:
        raise CustodyError(
            "key.on_token", f"{directory}: key {entry.kid} is on a token, {entry.place.uri()}; open it there"
        )
    path = _private_path(directory, label, entry.kid)
    signer = pem_file.load(path, passphrase)
    if signer.kid != entry.kid:
        raise CustodyError("key.name_wrong", f"{path}: holds the key {signer.kid}; restore the file")
    return signer


def load_active_on_token(directory: Path, label: str, token: Token, *, tried: bool = True) -> TokenSigner:
    """Opens the key that signs, on its token; not `tried`, the token is asked for nothing before the first signature.

    Raises what `find_active` raises, CustodyError "key.not_on_token" when it is in a file, and what `pkcs11.load`
    raises.
    """
    entry = find_active(directory, label)
    if entry.place is None:
        raise CustodyError("key.not_on_token", f"{directory}: key {entry.kid} is in a file, not on a token; open that")
    return pkcs11.load(token, entry.place, load_ring(directory).find(entry.kid), tried=tried)


def public_part(directory: Path) -> PublicPart:
    """What the directory says now. Raises what `files.read_public` raises."""
    return PublicPart(jwks=files.read_public(directory / _JWKS), active=files.read_public(directory / _ACTIVE))


def load_ring(directory: Path) -> KeyRing:
    """Reads the published keys. Raises CustodyError "key.none_published", "key.jwks_damaged"."""
    published = _published(directory)
    if not published:
        raise CustodyError("key.none_published", f"{directory}: no key is published; create one")
    return KeyRing(keys=published)


def list_keys(directory: Path) -> tuple[KeyEntry, ...]:
    """Lists the published keys, newest last.

    Raises CustodyError "key.directory_unreadable", "key.jwks_damaged", "key.active_damaged", "key.label_wrong".
    """
    held = _held(directory)
    active = _active_kid(directory)
    return tuple(_entry(key, held.get(key.kid), active) for key in _published(directory))


def _entry(key: PublicKey, held: _Held | None, active: str | None) -> KeyEntry:
    return KeyEntry(
        kid=key.kid,
        alg=key.alg,
        label=held.label if held else None,
        active=key.kid == active,
        retired=key.revoked_at is not None or (held is not None and held.retired),
        file=held.file if held else None,
        place=_place(held.file) if held is not None and held.on_token else None,
        compromised_at=key.revoked_at,
    )


def _place(path: Path) -> TokenKey:
    """Reads where on a token a key is. Raises CustodyError "key.place_damaged", and what `files.read_secret` raises."""
    try:
        return TokenKey.from_uri(files.read_secret(path).decode("ascii").removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise CustodyError("key.place_damaged", f"{path}: does not say where a key is; restore it") from error
    except CustodyError as error:
        detail = error.detail if str(path) in error.detail else f"{path}: {error.detail}"
        raise CustodyError(error.code, detail) from error


def _check_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise CustodyError("key.label_malformed", f"the label {quoted(label)} must be small letters a-z only")


def _usable(directory: Path, label: str, kid: str) -> KeyEntry:
    """Refuses a key that is compromised, not here under the label, retired, or whose signatures nobody could verify."""
    public = next((key for key in _published(directory) if key.kid == kid), None)
    if public is not None and public.revoked_at is not None:
        mend = "have a new key sign: accord keys generate --activate"
        raise CustodyError("key.compromised", f"{directory}: key {kid} is declared compromised; {mend}")
    found = _held(directory).get(kid)
    if found is None:
        path = directory / f"{label}-{kid[:48]}.pem"
        raise CustodyError("key.file_missing", f"{path}: there is no such file; restore it, or make another key active")
    if found.label != label:
        detail = f"{directory}: key {kid} is a {found.label} key, not a {label} key; make a {label} key active"
        raise CustodyError("key.label_wrong", detail)
    if found.retired:
        detail = f"{found.file}: key {kid} is retired and signs no more; make another key active, or a new one"
        raise CustodyError("key.retired", detail)
    if public is None:
        raise CustodyError("key.not_published", f"{directory}: key {kid} is not in jwks.json; restore that file")
    return _entry(public, found, _active_kid(directory))


def _private_path(directory: Path, label: str, kid: str) -> Path:
    return directory / f"{label}-{kid}.pem"


def _write_active(directory: Path, kid: str) -> None:
    files.replace(directory / _ACTIVE, f"{kid}\n".encode("ascii"))


def _active_kid(directory: Path) -> str | None:
    path = directory / _ACTIVE
    data = files.read_public(path)
    if data is None:
        return None
    kid = data.decode("ascii", "replace").strip()
    if not _KID.fullmatch(kid):
        raise CustodyError("key.active_damaged", f"{path}: must be one line with a kid; make a key active again")
    return kid


def _publish(directory: Path, keys: tuple[PublicKey, ...]) -> None:
    jwks = KeyRing(keys=keys).jwks()
    files.replace(directory / _JWKS, json.dumps(jwks, indent=2).encode("ascii") + b"\n")


def _published(directory: Path) -> tuple[PublicKey, ...]:
    path = directory / _JWKS
    data = files.read_public(path)
    if data is None:
        return ()
    try:
        return KeyRing.from_jwks(strict_json.decode_object(data)).keys
    except KeysError as error:
        raise CustodyError("key.jwks_damaged", f"{path}: {error.detail}; restore it") from error


def _held(directory: Path) -> dict[str, _Held]:
    """Gives every private half that is here by kid. One that is here as retired is retired, whatever else is here."""
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise CustodyError("key.directory_unreadable", f"{directory}: cannot be read: {error}") from error
    found: dict[str, _Held] = {}
    for match in filter(None, map(_PRIVATE_FILE.fullmatch, names)):
        label, kid, form, retired = match.groups()
        other = found.get(kid)
        if other is not None and other.label != label:
            detail = f"{directory}: key {kid} is here as a {other.label} and as a {label} key; remove the wrong file"
            raise CustodyError("key.label_wrong", detail)
        if other is not None and other.on_token != (form == "token"):
            detail = f"{directory}: key {kid} is here in a file and on a token; remove the file that is wrong"
            raise CustodyError("key.place_twice", detail)
        # Sorted, what is retired comes after what is not.
        found[kid] = _Held(
            label=label, file=directory / match[0], on_token=form == "token", retired=retired is not None
        )
    return found
