"""Bouncy Castle, another implementation of CMS, RFC 3161 and OCSP that has SM2: a process that is asked line by line.

`Question.java` says how a line is written, `Oracle.java` names what can be asked. What is written and judged is Bouncy
Castle's; ours are the calls, and what is said there to be put in its place: identifiers of the Chinese dialect.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.pki import Issued
from tests.support.requirements import require

SCHEMES = {
    "sm2": "SM3withSM2",
    "rsa-2048": "SHA256withRSA",
    "p-256": "SHA256withECDSA",
    "p-384": "SHA384withECDSA",
    "ed25519": "Ed25519",
}
"""The scheme that goes with a kind of key, by the name that it has in Java."""

_JARS = tuple(Path("/usr/share/java") / f"{name}.jar" for name in ("bcprov", "bcpkix", "bcutil"))


class BouncyCastleRefused(Exception):
    """What Bouncy Castle threw; `str()` names the exception and what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it told, by the names of fields, of which each may have come several times."""

    fields: Mapping[str, Sequence[bytes]]

    def octets(self, name: str) -> bytes:
        (value,) = self.fields[name]
        return value

    def text(self, name: str) -> str:
        return self.octets(name).decode()

    def texts(self, name: str) -> list[str]:
        return [value.decode() for value in self.fields.get(name, ())]


@dataclass(frozen=True, slots=True)
class BouncyCastle:
    """The process, for as long as the tests run."""

    process: "subprocess.Popen[str]"

    def ask(self, verb: str, **fields: object) -> Answer:
        """Asks; a field is octets, text, a number, or a list of one of them.

        True is a field with nothing in it, False and None are none. Raises `BouncyCastleRefused`.
        """
        words = [verb]
        for name, said in fields.items():
            several = said if isinstance(said, list | tuple) else [said]
            words += [f"{name}={_written(value)}" for value in several if value is not None and value is not False]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        told, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
        if told == "refused":
            raise BouncyCastleRefused(rest)
        assert told == "told", "the process has ended"
        found: dict[str, list[bytes]] = {}
        for word in rest.split():
            name, _, value = word.partition("=")
            found.setdefault(name, []).append(bytes.fromhex(value))
        return Answer(found)


def _written(value: object) -> str:
    octets = value if isinstance(value, bytes) else b"" if value is True else str(value).encode()
    return octets.hex()


def signing(*signers: Issued) -> dict[str, list[object]]:
    """The fields by which it signs with these certificates and their keys."""
    return {
        "key": [signer.key.private_key_info() for signer in signers],
        "certificate": [signer.der for signer in signers],
        "scheme": [SCHEMES[signer.key.kind] for signer in signers],
    }


@contextmanager
def started(folder: Path) -> Iterator[BouncyCastle]:
    """Compiles the program into a folder and runs it, where the machine has what it takes."""
    require(shutil.which("javac"), "a JDK (17 or later)")
    require(all(jar.is_file() for jar in _JARS), "Bouncy Castle (Debian: libbcpkix-java)")
    path = ":".join(map(str, _JARS))
    sources = sorted(Path(__file__).parent.glob("*.java"))
    compiler = ["javac", "-proc:none", "-nowarn", "-J-XX:TieredStopAtLevel=1", "-d", str(folder), "-cp", path]
    subprocess.run([*compiler, *map(str, sources)], check=True)
    command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp", f"{folder}:{path}", "Oracle"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield BouncyCastle(process)
