"""A PKCS #11 token of this process: found, opened, and opened anew once when it was lost (PKCS #11 3.1, OASIS).

The Python package is an optional part of the installation, imported at first use. It initializes a module without
telling it of threads (C_Initialize with NULL) and yet lets other threads run while the module works, so here every call
into any module is made under one lock. Nothing of PKCS #11 survives a fork: a child begins anew, with its own lock.

Raises CustodyError "key.pkcs11_missing", "key.module_unusable", "key.token_missing", "key.token_ambiguous",
"key.pin_refused", "key.pin_locked" and "key.token_failed", each with module and token in its detail.
"""

import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote

from keys.errors import CustodyError, quoted

T = TypeVar("T")

_URI = re.compile(r"pkcs11:token=([^;/?\s]+);object=([^;/?\s]*);id=((?:%[0-9A-F]{2})+);type=private")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, and what opens it: the file of its PKCS #11 module, its label and the user PIN."""

    module: Path
    label: str
    pin: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.module}, token {quoted(self.label)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """Where a private key is: the label of its token, and its own label and id (CKA_LABEL, CKA_ID) on it."""

    token: str
    label: str
    id: bytes

    def uri(self) -> str:
        """The place as a PKCS #11 URI (RFC 7512)."""
        octets = "".join(f"%{octet:02X}" for octet in self.id)
        return f"pkcs11:token={quote(self.token, safe='')};object={quote(self.label, safe='')};id={octets};type=private"

    @classmethod
    def from_uri(cls, text: str) -> Self:
        """Reads what `uri` gave. Raises CustodyError "key.place_damaged" for any other URI."""
        match = _URI.fullmatch(text)
        if match is None:
            raise CustodyError("key.place_damaged", f"{quoted(text)} does not say where a key is; restore the file")
        token, label, octets = match.groups()
        return cls(token=unquote(token), label=unquote(label), id=bytes.fromhex(octets.replace("%", "")))


@dataclass(slots=True, kw_only=True)
class Opened:
    """An open session, with the private keys that were found in it by id."""

    session: Any
    keys: dict[bytes, Any] = field(default_factory=dict)


_lock = threading.RLock()
_opened: dict[Token, Opened] = {}
_processes: dict[Path, int] = {}  # which process initialized a module
_refused: dict[Token, tuple[str, str]] = {}  # code and detail of the refusal of a PIN


def _begin_anew() -> None:
    """In a forked child: the lock may be held by a thread that is not here, and the sessions are the parent's."""
    global _lock
    _lock = threading.RLock()
    _opened.clear()


with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)


def use(token: Token, work: Callable[[Opened], T]) -> T:
    """Does a piece of work in the session of this process; once more in a new one if the session was lost."""
    package = pkcs11_package()
    with _lock:
        kept = _opened.get(token)
        if kept is not None:
            try:
                return work(kept)
            except package.PKCS11Error:
                _restart(token.module)
        try:
            fresh = _opened[token] = Opened(session=open_session(token))
        except CustodyError:
            # Some modules look for tokens only when they are initialized.
            _restart(token.module)
            raise
        try:
            return work(fresh)
        except package.PKCS11Error as error:
            _close(token)
            raise failed(token, error) from error


def write(token: Token, work: Callable[[Any], T]) -> T:
    """Does a piece of work in a session of its own that may change the token. It is never done twice."""
    package = pkcs11_package()
    with _lock:
        session = open_session(token, write=True)
        try:
            return work(session)
        except package.PKCS11Error as error:
            raise failed(token, error) from error
        finally:
            with suppress(package.PKCS11Error):
                session.close()


def open_session(token: Token, *, write: bool = False) -> Any:
    """Opens a session and logs in. A PIN that was refused is not offered again: a few more would lock the token."""
    if token in _refused:
        raise CustodyError(*_refused[token])
    package = pkcs11_package()
    try:
        found = _find(token)
        try:
            return found.open(rw=write, user_pin=token.pin)
        except package.UserAlreadyLoggedIn:
            return found.open(rw=write)  # the user is logged in by process, not by session
    except package.PinLocked as error:
        detail = f"{token}: the PIN is locked after too many wrong ones; unlock it with the token's own tool"
        raise _refuse(token, "key.pin_locked", detail) from error
    except (
        package.PinIncorrect,
        package.PinInvalid,
        package.PinLenRange,
        package.PinExpired,
        package.UserPinNotInitialized,
    ) as error:
        mend = "set the right one in ACCORD_PKCS11_PIN_FILE or ACCORD_PKCS11_PIN, and start again"
        detail = f"{token}: the token refuses the PIN ({type(error).__name__}), which is not offered again; {mend}"
        raise _refuse(token, "key.pin_refused", detail) from error
    except package.PKCS11Error as error:
        raise failed(token, error) from error


def failed(token: Token, error: Exception) -> CustodyError:
    """Makes CustodyError "key.token_failed" from what the module answered."""
    answer = f"{type(error).__name__} {error}".strip()
    detail = f"{token}: the module answered {answer}; check that the token is in place and see the module's own log"
    return CustodyError("key.token_failed", detail)


def pkcs11_package() -> ModuleType:
    """The optional Python package."""
    try:
        import pkcs11
    except ImportError as error:
        mend = "install it: pip install 'accord-cq-sc[pkcs11]'"
        raise CustodyError("key.pkcs11_missing", f"keys on tokens need the package python-pkcs11; {mend}") from error
    return pkcs11


def _find(token: Token) -> Any:
    tokens = list(_library(token.module).get_tokens())
    found = [entry for entry in tokens if entry.label == token.label]
    if len(found) == 1:
        return found[0]
    if found:
        detail = f"{token}: {len(found)} tokens have this label; leave one in place, or give them labels of their own"
        raise CustodyError("key.token_ambiguous", detail)
    others = ", ".join(quoted(entry.label) for entry in tokens if entry.label) or "none"
    mend = "put it in place, or name another in ACCORD_PKCS11_TOKEN"
    raise CustodyError("key.token_missing", f"{token}: there is no such token (there: {others}); {mend}")


def _library(module: Path) -> Any:
    package = pkcs11_package()
    try:
        library = package.lib(str(module))
        if _processes.get(module, os.getpid()) != os.getpid():
            _initialize_anew(library)
    except package.PKCS11Error as error:
        mend = "set ACCORD_PKCS11_MODULE to the module that came with the token, and see its own settings"
        detail = f"{module}: cannot be used as a PKCS #11 module: {type(error).__name__} {error}; {mend}"
        raise CustodyError("key.module_unusable", detail) from error
    _processes[module] = os.getpid()
    return library


def _initialize_anew(library: Any) -> None:
    with suppress(pkcs11_package().PKCS11Error):
        library.finalize()
    library.initialize()


def _restart(module: Path) -> None:
    """Forgets every session of a module and has it look anew at what is there. Others find their session lost, once."""
    for token in [token for token in _opened if token.module == module]:
        _close(token)
    _processes[module] = 0  # no process: `_library` initializes it


def _close(token: Token) -> None:
    with suppress(pkcs11_package().PKCS11Error):
        _opened.pop(token).session.close()


def _refuse(token: Token, code: str, detail: str) -> CustodyError:
    _refused[token] = code, detail
    return CustodyError(code, detail)
