"""What a node does not start with: one line that names the file and the mend, exit code 70, nothing changed."""

import random
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from app.demonstration.commands import examples, shell_arguments
from tests.end_to_end.shell import accord, assert_refused, fingerprint

QUESTION = ["recognize", *shell_arguments(examples()[0]["query"])]
STARTS = {"recognize": QUESTION, "serve": ["serve", "--port", "1"], "demo": ["demo", "--no-serve"]}


def change(store: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        connection.commit()


def random_bytes(store: Path) -> None:
    content = bytearray(store.read_bytes())
    middle = len(content) // 2
    content[middle - 8192 : middle + 8192] = random.Random(7).randbytes(16384)
    store.write_bytes(content)


def random_page(store: Path) -> None:
    content = bytearray(store.read_bytes())
    content[4096:8192] = random.Random(8).randbytes(4096)
    store.write_bytes(content)


def damaged_header(store: Path) -> None:
    content = bytearray(store.read_bytes())
    content[:100] = b"x" * 100
    store.write_bytes(content)


def cut(store: Path) -> None:
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 3])


def empty(store: Path) -> None:
    store.write_bytes(b"")


def text(store: Path) -> None:
    store.write_text("this is a text and no database\n" * 100)


def half_migrated(store: Path) -> None:
    change(store, "DROP TABLE alembic_version")


def no_revision(store: Path) -> None:
    change(store, "DELETE FROM alembic_version")


def unstamped(store: Path) -> None:
    change(store, "DELETE FROM store_info")


def older(store: Path) -> None:
    change(store, "UPDATE alembic_version SET version_num = '0000'")


def newer(store: Path) -> None:
    change(store, "UPDATE alembic_version SET version_num = '9999'")


def policy_damaged(store: Path) -> None:
    change(store, "UPDATE policy_document SET content = '{' WHERE seq = 3")


def policy_emptied(store: Path) -> None:
    change(store, "UPDATE policy_document SET content = '{}' WHERE seq = 3")


def folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


SPOILT: list[Callable[[Path], None]] = [
    random_bytes,
    random_page,
    damaged_header,
    cut,
    empty,
    text,
    half_migrated,
    no_revision,
    unstamped,
    older,
    newer,
    policy_damaged,
    policy_emptied,
    folder,
]


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_store_that_is_not_sound(home: Path, spoil: Callable[[Path], None]) -> None:
    spoil(home / "accord.db")
    before = fingerprint(home)
    assert_refused(accord(home, *QUESTION), "accord.db" if "policy" not in spoil.__name__ else "in the store")
    assert fingerprint(home) == before


@pytest.mark.parametrize(
    "spoil", [random_bytes, cut, empty, text, half_migrated, unstamped, newer], ids=lambda spoil: spoil.__name__
)
@pytest.mark.parametrize("arguments", [["demo", "--no-serve"], ["migrate", "--mode", "test"]], ids=["demo", "migrate"])
def test_a_store_that_is_not_sound_is_neither_mended_nor_overwritten(
    home: Path, spoil: Callable[[Path], None], arguments: list[str]
) -> None:
    spoil(home / "accord.db")
    before = fingerprint(home)
    assert_refused(accord(home, *arguments), "accord.db")
    assert fingerprint(home) == before


def test_no_store(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for arguments in (QUESTION, ["serve"], ["keys", "generate"]):
        assert_refused(accord(home, *arguments), str(home / "accord.db"), "accord migrate")
    assert not home.exists()


def private_key(home: Path) -> Path:
    (file,) = (home / "keys").glob("*.pem")
    return file


def key_gone(home: Path) -> str:
    private_key(home).unlink()
    return ".pem"


def key_open_to_others(home: Path) -> str:
    private_key(home).chmod(0o644)
    return "chmod 600"


def key_damaged(home: Path) -> str:
    private_key(home).write_text("no key")
    return private_key(home).name


def key_emptied(home: Path) -> str:
    private_key(home).write_bytes(b"")
    return private_key(home).name


def passphrase_wrong(home: Path) -> str:
    (home / "keys" / "passphrase").write_text("wrong\n")
    return private_key(home).name


def passphrase_gone(home: Path) -> str:
    (home / "keys" / "passphrase").unlink()
    return "ACCORD_KEY_PASSPHRASE"


def passphrase_empty(home: Path) -> str:
    (home / "keys" / "passphrase").write_bytes(b"\n")
    return "ACCORD_KEY_PASSPHRASE"


def passphrase_open_to_others(home: Path) -> str:
    (home / "keys" / "passphrase").chmod(0o640)
    return "chmod 600"


def none_active(home: Path) -> str:
    (home / "keys" / "active").unlink()
    return "keys"


def active_damaged(home: Path) -> str:
    (home / "keys" / "active").write_text("../../etc/passwd\n")
    return "active"


def none_published(home: Path) -> str:
    (home / "keys" / "jwks.json").unlink()
    return "jwks.json"


def published_damaged(home: Path) -> str:
    (home / "keys" / "jwks.json").write_text("[]")
    return "jwks.json"


def key_of_the_other_mode(home: Path) -> str:
    private_key(home).rename(private_key(home).with_name(private_key(home).name.replace("test-", "live-")))
    return "not a test key"


CUSTODY: list[Callable[[Path], str]] = [
    key_gone,
    key_open_to_others,
    key_damaged,
    key_emptied,
    passphrase_wrong,
    passphrase_gone,
    passphrase_empty,
    passphrase_open_to_others,
    none_active,
    active_damaged,
    none_published,
    published_damaged,
    key_of_the_other_mode,
]


@pytest.mark.parametrize("spoil", CUSTODY, ids=lambda spoil: spoil.__name__)
def test_keys_that_cannot_be_used(home: Path, spoil: Callable[[Path], str]) -> None:
    named = spoil(home)
    before = fingerprint(home)
    assert_refused(accord(home, *QUESTION), named)
    assert fingerprint(home) == before


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ACCORD_KEY_PASSPHRASE": "wrong"}, ".pem"),
        ({"ACCORD_KEY_PASSPHRASE_FILE": "nowhere"}, "nowhere"),
        ({"ACCORD_KEYS": "nowhere"}, "nowhere: no key is active"),
        ({"ACCORD_POLICY": "nowhere"}, "nowhere"),
        ({"ACCORD_STORE": "nowhere.db"}, "nowhere.db"),
        ({"ACCORD_ACCESS_LOG": "perhaps"}, "ACCORD_ACCESS_LOG"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_settings_that_lead_nowhere(home: Path, settings: dict[str, str], named: str) -> None:
    before = fingerprint(home)
    assert_refused(accord(home, *QUESTION, **settings), named)
    assert fingerprint(home) == before


def test_a_passphrase_never_shows(home: Path) -> None:
    secret = "a-wrong-but-secret-passphrase"
    for settings in ({"ACCORD_KEY_PASSPHRASE": secret}, {"ACCORD_KEY_PASSPHRASE": secret * 100}):
        outcome = accord(home, *QUESTION, **settings)
        assert_refused(outcome)
        assert secret not in outcome.errors


SEED = resources.files("registry").joinpath("agreements", "statute-inspection-body.toml").read_text(encoding="utf-8")
NAME = "agreements/mine.toml"


def edited(old: str, new: str) -> str:
    """The seed's agreement with one change."""
    assert SEED.count(old) >= 1
    changed = SEED.replace(old, new, 1)
    assert changed != SEED
    return changed


def raised(old: str = "", new: str = "") -> str:
    """The same as version 2."""
    text = edited(old, new) if old else SEED
    return text.replace("version = 1", "version = 2", 1)


POLICIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown key": (raised("version = 1", 'version = 1\ncolour = "red"'), (NAME, "colour")),
    "wrong choice": (raised('confidence = "', 'confidence = "X'), (NAME, "confidence", "allowed")),
    "wrong kind": (SEED.replace("version = 1", 'version = "two"', 1), (NAME, "version")),
    "no id": (raised('id = "statute/inspection-body"', ""), (NAME, "id")),
    "same version, other content": (edited('confidence = "', 'confidence = "G" # "'), (NAME, "version")),
    "overlap": (edited('id = "statute/inspection-body"', 'id = "mine/again"'), (NAME, "statute/inspection-body")),
    "no TOML": ("this is = = no TOML", (NAME, "TOML")),
    "not UTF-8": ("\udcff\udcfe", (NAME, "TOML")),
    "empty": ("", (NAME, "id")),
    "unknown purpose": (raised("report.acceptance", "report.framing"), (NAME, "purposes", "report.framing")),
    "unknown jurisdiction": (raised("CN-SC", "CN-XX"), (NAME, "CN-XX")),
    "unknown condition": (raised("kind = ", 'kind = "magic" # '), (NAME, "kind")),
    "a time without offset": (raised("version = 1", "version = 1\nfrom = 2026-01-01"), (NAME, "from")),
    "a decimal": (raised("version = 1", "version = 1\nweight = 0.5"), (NAME, "weight")),
}


def policy_folder(home: Path, content: str) -> Path:
    folder = home.parent / "policy"
    (folder / "agreements").mkdir(parents=True)
    (folder / NAME).write_bytes(content.encode("utf-8", "surrogateescape"))
    return folder


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_file_that_is_not_in_order(home: Path, name: str) -> None:
    content, named = POLICIES[name]
    folder = policy_folder(home, content)
    before = fingerprint(home)
    assert_refused(accord(home, *QUESTION, ACCORD_POLICY=str(folder)), *named)
    assert fingerprint(home) == before
    assert accord(home, *QUESTION).code == 0


@pytest.mark.parametrize("start", STARTS)
def test_every_start_refuses(home: Path, start: str) -> None:
    """A policy file, then a key, then the store: each is told by whichever command meets it."""
    content, named = POLICIES["unknown key"]
    folder = policy_folder(home, content)
    before = fingerprint(home)
    assert_refused(accord(home, *STARTS[start], ACCORD_POLICY=str(folder)), *named)
    assert fingerprint(home) == before
    if start != "demo":  # setting up needs no key that is there already; what is served next does
        assert_refused(accord(home, *STARTS[start], ACCORD_KEY_PASSPHRASE="wrong"), ".pem")
    text(home / "accord.db")
    before = fingerprint(home)
    assert_refused(accord(home, *STARTS[start]), "accord.db")
    assert fingerprint(home) == before


def test_workers_refuse_once(home: Path) -> None:
    """With several processes the refusal is one line all the same, not one of each."""
    content, named = POLICIES["unknown key"]
    folder = policy_folder(home, content)
    refused = accord(home, "serve", "--port", "1", "--workers", "3", ACCORD_POLICY=str(folder))
    assert_refused(refused, *named)


def test_a_policy_file_that_is_in_order_is_entered(home: Path) -> None:
    """Held against the refusals above: the same file as version 2 is taken, once."""
    assert tomllib.loads(raised())["version"] == 2
    folder = policy_folder(home, raised())
    for _ in range(2):
        outcome = accord(home, *QUESTION, "--json", ACCORD_POLICY=str(folder))
        assert (outcome.code, outcome.errors) == (0, "")
        assert '"version": 2' in outcome.out
    with closing(sqlite3.connect(home / "accord.db")) as connection:
        rows = connection.execute("SELECT version FROM policy_document WHERE document_id = 'statute/inspection-body'")
        assert sorted(row[0] for row in rows) == [1, 2]


def test_a_version_that_goes_back_is_refused(home: Path) -> None:
    folder = policy_folder(home, SEED.replace("version = 1", "version = 3", 1))
    assert accord(home, *QUESTION, ACCORD_POLICY=str(folder)).code == 0
    (folder / NAME).write_text(raised(), encoding="utf-8")
    before = fingerprint(home)
    assert_refused(accord(home, *QUESTION, ACCORD_POLICY=str(folder)), NAME, "version")
    assert fingerprint(home) == before
