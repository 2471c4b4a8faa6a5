"""The few functions of libcrypto that SM2 needs, by ctypes, from the libcrypto that Python itself uses (OpenSSL 3).

Nothing here knows what a signature means. Pointers are plain integers; an `Owned` frees its own.
"""

import _hashlib
import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from types import TracebackType
from typing import Any, Self

from keys.errors import AlgorithmError

_OUT = c_void_p  # a pointer to where a pointer or a size is written

# Name: result, arguments. Checked against the manual pages of OpenSSL 3.0.
_PROTOTYPES: dict[str, tuple[type[Any] | None, ...]] = {
    "BN_CTX_free": (None, c_void_p),
    "BN_CTX_new": (c_void_p,),
    "CRYPTO_free": (None, c_void_p, c_char_p, c_int),
    "EC_GROUP_free": (None, c_void_p),
    "EC_GROUP_new_by_curve_name": (c_void_p, c_int),
    "EC_POINT_add": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "EC_POINT_dbl": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
    "EC_POINT_free": (None, c_void_p),
    "EC_POINT_new": (c_void_p, c_void_p),
    "EC_POINT_oct2point": (c_int, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p),
    "EC_POINT_point2oct": (c_size_t, c_void_p, c_void_p, c_int, c_char_p, c_size_t, c_void_p),
    "EC_POINT_set_to_infinity": (c_int, c_void_p, c_void_p),
    "ERR_clear_error": (None,),
    "ERR_error_string_n": (None, c_ulong, c_char_p, c_size_t),
    "ERR_peek_last_error": (c_ulong,),
    "EVP_DigestSign": (c_int, c_void_p, c_char_p, _OUT, c_char_p, c_size_t),
    "EVP_DigestSignInit": (c_int, c_void_p, _OUT, c_void_p, c_void_p, c_void_p),
    "EVP_DigestVerify": (c_int, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t),
    "EVP_DigestVerifyInit": (c_int, c_void_p, _OUT, c_void_p, c_void_p, c_void_p),
    "EVP_MD_CTX_free": (None, c_void_p),
    "EVP_MD_CTX_new": (c_void_p,),
    "EVP_PKCS82PKEY": (c_void_p, c_void_p),
    "EVP_PKEY2PKCS8": (c_void_p, c_void_p),
    "EVP_PKEY_CTX_free": (None, c_void_p),
    "EVP_PKEY_CTX_new": (c_void_p, c_void_p, c_void_p),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, c_void_p, c_char_p, c_char_p),
    "EVP_PKEY_CTX_set1_id": (c_int, c_void_p, c_char_p, c_int),
    "EVP_PKEY_check": (c_int, c_void_p),
    "EVP_PKEY_dup": (c_void_p, c_void_p),
    "EVP_PKEY_free": (None, c_void_p),
    "EVP_PKEY_get1_encoded_public_key": (c_size_t, c_void_p, _OUT),
    "EVP_PKEY_is_a": (c_int, c_void_p, c_char_p),
    "EVP_PKEY_keygen": (c_int, c_void_p, _OUT),
    "EVP_PKEY_keygen_init": (c_int, c_void_p),
    "EVP_PKEY_set1_encoded_public_key": (c_int, c_void_p, c_char_p, c_size_t),
    "EVP_PKEY_verify": (c_int, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t),
    "EVP_PKEY_verify_init": (c_int, c_void_p),
    "EVP_aes_256_cbc": (c_void_p,),
    "EVP_sm3": (c_void_p,),
    "OBJ_sn2nid": (c_int, c_char_p),
    "OpenSSL_version": (c_char_p, c_int),
    "PKCS8_PRIV_KEY_INFO_free": (None, c_void_p),
    "PKCS8_decrypt": (c_void_p, c_void_p, c_char_p, c_int),
    "PKCS8_encrypt": (c_void_p, c_int, c_void_p, c_char_p, c_int, c_void_p, c_int, c_int, c_void_p),
    "X509_SIG_free": (None, c_void_p),
    "d2i_PKCS8_PRIV_KEY_INFO": (c_void_p, c_void_p, _OUT, c_long),
    "d2i_PUBKEY": (c_void_p, c_void_p, _OUT, c_long),
    "d2i_X509_SIG": (c_void_p, c_void_p, _OUT, c_long),
    "i2d_X509_SIG": (c_int, c_void_p, _OUT),
}

# These take long enough to let other threads run; for the rest, giving up the interpreter costs more than the call.
_LONG = {
    "EVP_DigestSign",
    "EVP_DigestVerify",
    "EVP_PKEY_check",
    "EVP_PKEY_keygen",
    "EVP_PKEY_verify",
    "PKCS8_decrypt",
    "PKCS8_encrypt",
}


class Owned:
    """A pointer that is freed with the object, or at the end of a `with`."""

    __slots__ = ("_free", "pointer")

    def __init__(self, pointer: int, free: Callable[[int], None]) -> None:
        self.pointer: int | None = pointer
        self._free = free

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.__del__()

    def __del__(self) -> None:
        if self.pointer is not None:
            self._free(self.given_up())

    def given_up(self) -> int:
        """The pointer, which whoever calls this frees from now on."""
        pointer, self.pointer = self.pointer, None
        assert pointer is not None
        return pointer


class Libcrypto:
    """The functions, as attributes by their names in C.

    Raises AlgorithmError "sm2.unavailable" where the library cannot be found or is older than OpenSSL 3.0.
    """

    def __init__(self, path: str | None) -> None:
        try:
            # A search through a handle goes on to the libraries that it was linked with, so this finds the libcrypto
            # that is loaded already, and never a second one.
            quick, slow = ctypes.PyDLL(path), ctypes.CDLL(path)
            for name, (result, *arguments) in _PROTOTYPES.items():
                function = getattr(slow if name in _LONG else quick, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except (OSError, AttributeError) as error:
            raise AlgorithmError("sm2.unavailable", f"no libcrypto of OpenSSL 3.0 or later: {error}") from error

    def __getattr__(self, name: str) -> Any:
        # For the type checker only: what is in the table was set above.
        raise AttributeError(name)

    def owned(self, pointer: int | None, free: Callable[[int], None]) -> Owned:
        """Takes what a function gave. Raises as `failure` does when that is NULL."""
        if not pointer:
            raise self.failure()
        return Owned(pointer, free)

    def check(self, result: int) -> None:
        """Raises as `failure` does unless a function gave 1."""
        if result != 1:
            raise self.failure()

    def failure(self) -> AlgorithmError:
        """Makes AlgorithmError "sm2.libcrypto" from this thread's last error, and forgets the errors.

        What is left behind in their queue would be taken for a failure of somebody else's, such as of `ssl`.
        """
        text = ctypes.create_string_buffer(256)
        self.ERR_error_string_n(self.ERR_peek_last_error(), text, len(text))
        self.ERR_clear_error()
        return AlgorithmError("sm2.libcrypto", f"libcrypto failed: {text.value.decode('ascii', 'replace')}")

    def decoded(self, function: str, free: Callable[[int], None], der: bytes) -> Owned | None:
        """Calls a d2i function. None unless it reads the bytes, and all of them."""
        start = ctypes.cast(c_char_p(der), c_void_p)
        end = (start.value or 0) + len(der)
        pointer = getattr(self, function)(None, ctypes.byref(start), len(der))
        if not pointer:
            self.ERR_clear_error()
            return None
        found = Owned(pointer, free)
        return found if start.value == end else None


def of_python() -> Libcrypto:
    """Opens the libcrypto that hashlib uses. Raises AlgorithmError "sm2.unavailable"."""
    # Built into the interpreter, the module has no file, and its functions are the program's own.
    return Libcrypto(getattr(_hashlib, "__file__", None))
