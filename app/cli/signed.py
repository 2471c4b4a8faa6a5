"""Reading what was signed and the keys to verify it by, for the commands that check offline."""

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.given_file import read_given
from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from keys.key_ring import KeyRing

_MAX_FILE = 1024 * 1024


def read_token(file: Path, name: str = "file") -> str:
    """The text of a file, or of standard input for "-", without white space around it. Says what is wrong and exits.

    `name` is the option or argument that gives it.
    """
    import sys

    with failing_clearly():
        content = sys.stdin.buffer.read(_MAX_FILE + 1) if str(file) == "-" else read_given(name, file, _MAX_FILE)
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
            content = orjson.loads(read_given("--jwks", jwks, _MAX_FILE))
            if not isinstance(content, dict):
                fail(f'--jwks {jwks}: 应为含 "keys" 的 JSON 对象 / a JWKS is a JSON object with "keys"', USAGE)
            return KeyRing.from_jwks(content)
        except (KeysError, orjson.JSONDecodeError) as error:
            why = error.detail if isinstance(error, KeysError) else str(error)
            if jwks is not None:
                fail(f"--jwks {jwks}: 无法作为公钥读取 / cannot be read as keys: {why}", USAGE)
            fail(f"公钥 / keys {Settings().keys_path}: {why}")
