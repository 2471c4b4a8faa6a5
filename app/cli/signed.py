"""Reading what was signed and the keys to verify it by, for the commands that check offline."""

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from keys.key_ring import KeyRing

_MAX_FILE = 1024 * 1024


def read_token(file: Path) -> str:
    """The text of a file, or of standard input for "-", without white space around it. Says what is wrong and exits."""
    import sys

    with failing_clearly():
        if str(file) == "-":
            content = sys.stdin.buffer.read(_MAX_FILE + 1)
        elif not file.is_file():
            fail(f"{file}: 没有这个文件 / no such file", USAGE)
        else:
            with file.open("rb") as stream:
                content = stream.read(_MAX_FILE + 1)
    # Whatever is not ASCII cannot be a compact JWS; the verifier says so.
    return content.decode("ascii", "replace").strip()


def read_ring(jwks: Path | None) -> "KeyRing":
    """The keys of a file, or this node's own; never any that would have to be fetched."""
    import orjson

    from app.settings import Settings
    from keys.custody import key_directory
    from keys.errors import KeysError
    from keys.key_ring import KeyRing

    with failing_clearly():
        try:
            if jwks is None:
                return key_directory.load_ring(Settings().keys_path)
            if not jwks.is_file():
                fail(f"{jwks}: 没有这个文件 / no such file", USAGE)
            content = orjson.loads(jwks.read_bytes())
            if not isinstance(content, dict):
                fail(f'公钥 / keys {jwks}: a JWKS is a JSON object with "keys"', USAGE)
            return KeyRing.from_jwks(content)
        except (KeysError, orjson.JSONDecodeError) as error:
            why = error.detail if isinstance(error, KeysError) else str(error)
            fail(f"公钥 / keys {jwks or Settings().keys_path}: {why}", USAGE if jwks is not None else 70)
