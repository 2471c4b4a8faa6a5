"""Tokens of SoftHSM2 in a folder of the test's own. SoftHSM2 reads SOFTHSM2_CONF whenever a module is initialized."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from keys.custody.token import Token
from keys.errors import CustodyError
from tests.support.requirements import require

PIN = "271828"
SO_PIN = "314159"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def module() -> Path:
    """The module of SoftHSM2; without it the test is skipped, or fails where everything must be there."""
    found = next((Path(path) for path in _MODULES if Path(path).is_file()), None)
    require(found and shutil.which("softhsm2-util"), "softhsm2, a PKCS #11 token in software (Debian: softhsm2)")
    assert found is not None
    return found


@dataclass(frozen=True)
class SoftHsm:
    """A folder of tokens. Whoever uses them has `settings` in the environment."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """The file that SOFTHSM2_CONF names."""
        return self.folder / "softhsm2.conf"

    @property
    def tokens(self) -> Path:
        """Where the tokens are."""
        return self.folder / "tokens"

    @property
    def aside(self) -> Path:
        """Where they are while they are taken out."""
        return self.folder / "aside"

    def prepare(self) -> None:
        """Makes an empty folder of tokens."""
        self.tokens.mkdir(parents=True)
        self.configuration.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )

    def add(self, label: str, pin: str = PIN) -> Token:
        """Makes a token."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", SO_PIN]
        environment = {"SOFTHSM2_CONF": str(self.configuration), "PATH": "/usr/bin:/bin:/usr/local/bin"}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return Token(module=module(), label=label, pin=pin)

    def take_out(self) -> None:
        """Takes every token out, as one takes a stick out."""
        self.tokens.rename(self.aside)
        self.tokens.mkdir()

    def put_back(self) -> None:
        """Puts them back."""
        self.tokens.rmdir()
        self.aside.rename(self.tokens)

    def settings(self, token: Token) -> dict[str, str]:
        """The environment of a node whose keys are on a token."""
        return {
            "SOFTHSM2_CONF": str(self.configuration),
            "ACCORD_PKCS11_MODULE": str(token.module),
            "ACCORD_PKCS11_TOKEN": token.label,
            "ACCORD_PKCS11_PIN": token.pin,
        }


def code_of(error: pytest.ExceptionInfo[CustodyError]) -> str:
    """The code of a refusal, having seen that it is one line and shows no PIN, right or wrong."""
    assert "\n" not in error.value.detail
    assert PIN not in str(error.value)
    assert "wrong pin" not in str(error.value)
    return error.value.code
