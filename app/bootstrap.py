"""The composition root: opens store and keys, enters the policy files, and puts a node together or refuses to."""

import gc
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from importlib.resources.abc import Traversable
from pathlib import Path
from threading import Lock

from app import clock
from app.asking import AskingFirst
from app.ports import Answer, Intake, Judge, Once, ReportAnswer, ReportJudge, StoreError, Taken
from app.settings import Settings
from app.signing_keys import SigningKeys
from app.store.api_keys import SqliteApiKeys
from app.store.challenges import SqliteChallenges
from app.store.log import SqliteLog
from app.store.objections import SqliteObjections
from app.store.reader import SqliteReader
from app.store.revocations import RevocationShelf
from app.store.schema import StoreState, check
from app.store.status_lists import SqliteStatusLists
from app.uploads import UploadDesk
from app.usecases.challenge import Challenger
from app.usecases.load_policy import read_policy_folder
from app.usecases.lock_material import HeldLockMaterial
from app.usecases.prove_log import log_name
from app.usecases.publish_status import StatusPublisher
from app.usecases.recognize import Recognizer
from app.usecases.take_statement import StatementTaker
from app.usecases.verify_lock import LockVerifier
from app.usecases.verify_signature import SignatureVerifier
from keys.algorithms.ed25519 import ED25519
from keys.custody import Signer, files, key_directory, passphrase, pin
from keys.custody.token import Token
from keys.errors import CustodyError
from keys.key_ring import KeyRing
from keys.note import NoteKey
from keys.path_validation.finder import PathFinder
from registry.algorithms import seed_algorithms
from registry.document import PolicyDocument
from registry.receipt import Origin
from registry.statement import Statement

TEST_ISSUER = "urn:accord:test"
_LONGEST_ISSUER = 120  # characters
_WEB = ("https://", "http://")
LOG_KEYS = "log"
"""The folder of the log's key in the key directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A running node: everything that answering needs, opened and checked."""

    state: StoreState
    reader: SqliteReader
    recognizer: Recognizer
    verifier: LockVerifier
    keys: SigningKeys
    origin: Origin
    log: SqliteLog
    api_keys: SqliteApiKeys
    taker: StatementTaker
    objections: SqliteObjections
    log_signer: Signer | None
    """What signs the log's checkpoints; None where no log key was made yet."""
    status_lists: StatusPublisher
    uploads: UploadDesk
    signatures: SignatureVerifier
    asking: AskingFirst
    document_limit: int
    """Bytes of a request with a signed document."""

    @property
    def signer(self) -> Signer:
        """What signs now. Raises `keys.errors.CustodyError`."""
        return self.keys.signer

    @property
    def ring(self) -> KeyRing:
        """What is verified by now. Raises `keys.errors.CustodyError`."""
        return self.keys.ring

    @property
    def log_key(self) -> NoteKey | None:
        """By what checkpoints are verified."""
        return None if self.log_signer is None else NoteKey.of(log_name(self.origin.issuer), self.log_signer.public)


class _LateIntake:
    """An intake that is opened with the first statement: a start without one does without SQLAlchemy."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        self._opened: Intake | None = None

    def take_in(
        self, token: bytes, statement: Statement, once: Once | None, generation: int, judge: Judge, answer: Answer
    ) -> Taken:
        """Passes on to the intake of the store."""
        return self._intake().take_in(token, statement, once, generation, judge, answer)

    def take_report(
        self,
        token: bytes,
        statement: Statement,
        once: Once | None,
        generation: int,
        judge: ReportJudge,
        answer: ReportAnswer,
    ) -> Taken:
        """Passes on to the intake of the store."""
        return self._intake().take_report(token, statement, once, generation, judge, answer)

    def _intake(self) -> Intake:
        with self._lock:
            if self._opened is None:
                from app.store.intake import SqliteIntake

                self._opened = SqliteIntake(self._path)
            return self._opened


def software_version() -> str:
    """The installed version of Accord."""
    with suppress(PackageNotFoundError):
        return version("accord-cq-sc")
    return "0+unknown"


def seed_policy() -> tuple[PolicyDocument, ...]:
    """The policy files that come with the software."""
    return (*read_policy_folder(resources.files("registry")), seed_algorithms())


def policy_documents(settings: Settings) -> tuple[PolicyDocument, ...]:
    """All policy files of a node: the seed, and the operator's own folder."""
    documents = seed_policy()
    if settings.policy is not None:
        if not settings.policy.is_dir():
            raise StoreError(f"policy folder {settings.policy} does not exist (ACCORD_POLICY)")
        folder: Traversable = Path(settings.policy)
        documents += read_policy_folder(folder, strict=True)
    return documents


def enter_policies(settings: Settings) -> None:
    """Enters policy files that the store does not hold yet. Raises `PolicyError` for one that it holds otherwise."""
    documents = policy_documents(settings)
    reader = SqliteReader(settings.store_path)
    try:
        held = reader.document_digests()
    finally:
        reader.close()
    if all(held.get((entry.kind, entry.id, entry.version)) == entry.digest for entry in documents):
        return
    # Imported here: a start with nothing to enter does without SQLAlchemy.
    from app.store.writer import SqliteWriter

    writer = SqliteWriter(settings.store_path)
    try:
        writer.enter_policies(documents)
    finally:
        writer.close()


def issuer_name(settings: Settings, mode: str) -> str:
    """`iss` of this node's receipts. Raises `StoreError` where a live store has none or a test one's."""
    name = settings.issuer or (TEST_ISSUER if mode == "test" else "")
    if mode == "live" and (not name or name.startswith(TEST_ISSUER)):
        raise StoreError(f"a live store needs its own issuer name: set ACCORD_ISSUER, not beginning with {TEST_ISSUER}")
    if len(name) > _LONGEST_ISSUER or "+" in name or name != "".join(name.split()):
        # The log is named after it, and notes have such names (C2SP signed-note).
        raise StoreError(f"ACCORD_ISSUER has no spaces, no plus and at most {_LONGEST_ISSUER} characters")
    return name


def public_address(settings: Settings, issuer: str) -> str:
    """Where others reach this node, without a slash at the end; empty where nobody said so: addresses are paths then.

    Raises `StoreError`. A request's own `Host` is never signed: whoever asks chooses it.
    """
    given = settings.public_url
    if given is None:
        return issuer.rstrip("/") if issuer.startswith(_WEB) else ""
    address = given.rstrip("/")
    if not address.startswith(_WEB) or address != "".join(address.split()) or set("?#") & set(address):
        raise StoreError("ACCORD_PUBLIC_URL is an address such as https://accord.example.gov.cn")
    return address


def load_signer(settings: Settings, mode: str) -> Signer:
    """The active signing key of the store's mode, from its file or on its token. Raises `keys.errors.CustodyError`."""
    return _load(settings.keys_path, settings, mode)


def load_log_signer(settings: Settings, mode: str) -> Signer | None:
    """The log's own key, Ed25519 as checkpoints need; None where none was made. Raises `keys.errors.CustodyError`."""
    folder = settings.keys_path / LOG_KEYS
    if not (folder / "jwks.json").exists():
        return None
    return _load(folder, settings, mode)


def _load(folder: Path, settings: Settings, mode: str, *, tried: bool = True) -> Signer:
    # The key directory alone says which key signs and where it is; settings only open it.
    if key_directory.find_active(folder, mode).place is not None:
        return key_directory.load_active_on_token(folder, mode, key_token(settings), tried=tried)
    return key_directory.load_active(folder, mode, key_passphrase(settings))


def make_key(settings: Settings, mode: str, alg: str, *, activate: bool, on_token: bool) -> Signer:
    """Makes a signing key, and the log's key where there is none. Raises `keys.errors.CustodyError`."""
    folder = settings.keys_path
    files.make_directory(folder)
    # First the one that may lack something: a token without Ed25519 takes a passphrase too.
    make_log_key(settings, mode, on_token=on_token)
    if on_token:
        token, name = key_token(settings), settings.pkcs11_key_label
        return key_directory.create_on_token(folder, mode, token, name, activate=activate, alg=alg)
    return key_directory.create(folder, mode, key_passphrase(settings), activate=activate, alg=alg)


def make_log_key(settings: Settings, mode: str, *, on_token: bool = False) -> None:
    """Makes the log's key unless there is one. It stays: who keeps checkpoints knows the log by it.

    On a token where that has keys for Ed25519, else in a file.
    """
    folder = settings.keys_path / LOG_KEYS
    if (folder / "jwks.json").exists():
        published = key_directory.list_keys(folder)
        here = [entry.kid for entry in published if entry.label == mode and not entry.retired]
        if here and not any(entry.active for entry in published):
            # A crash came between the two: the key was published, and nothing says that it signs.
            key_directory.make_active(folder, mode, here[-1])
        return
    if on_token:
        name = f"{settings.pkcs11_key_label}-{LOG_KEYS}"
        try:
            key_directory.create_on_token(folder, mode, key_token(settings), name, alg=ED25519.name)
            return
        except CustodyError as error:
            if error.code != "key.kind":
                raise
    key_directory.create(folder, mode, key_passphrase(settings), alg=ED25519.name)


def key_token(settings: Settings) -> Token:
    """The token that holds signing keys, unopened. Raises `keys.errors.CustodyError`."""
    if settings.pkcs11_module is None:
        detail = "no PKCS #11 module is set; set ACCORD_PKCS11_MODULE to the shared library that came with the token"
        raise CustodyError("key.module_unset", detail)
    if not settings.pkcs11_token:
        raise CustodyError("key.token_unset", "no token is named; set ACCORD_PKCS11_TOKEN to its label")
    secret = settings.pkcs11_pin.get_secret_value() if settings.pkcs11_pin is not None else None
    return Token(
        module=settings.pkcs11_module,
        label=settings.pkcs11_token,
        pin=pin.from_sources(settings.pkcs11_pin_file, secret),
    )


def key_passphrase(settings: Settings) -> bytes:
    """The passphrase from its file or the environment; failing both, from `<keys>/passphrase` where that exists."""
    secret = settings.key_passphrase.get_secret_value() if settings.key_passphrase is not None else None
    file = settings.key_passphrase_file
    beside = settings.keys_path / "passphrase"
    if file is None and secret is None and beside.exists():
        file = beside
    return passphrase.from_sources(file, secret)


def lock_material(store: Path) -> HeldLockMaterial:
    """What a node judges CA locks by besides its policy: the store's revocation lists, and paths once found."""
    return HeldLockMaterial(RevocationShelf(store), PathFinder())


def assemble(settings: Settings, state: StoreState) -> Node:
    """A node on a store as it stands. Raises `StoreError`, `PolicyError` or `CustodyError`."""
    origin = Origin(
        issuer=issuer_name(settings, state.mode), software=software_version(), livemode=state.mode == "live"
    )
    # Not tried when it changes: a token that does not answer must not keep everybody waiting.
    load = partial(_load, settings.keys_path, settings, state.mode, tried=False)
    keys = SigningKeys(settings.keys_path, state.mode, load)
    reader = SqliteReader(settings.store_path)
    recognizer = Recognizer(reader, reader.load_policies(), lock_material(settings.store_path))
    challenges = SqliteChallenges(settings.store_path, clock.now())
    return Node(
        state=state,
        reader=reader,
        recognizer=recognizer,
        verifier=LockVerifier(recognizer, Challenger(reader.secret(), origin.issuer), challenges),
        keys=keys,
        origin=origin,
        log=SqliteLog(settings.store_path),
        api_keys=SqliteApiKeys(settings.store_path),
        objections=SqliteObjections(settings.store_path),
        taker=StatementTaker(_LateIntake(settings.store_path), reader.secret()),
        log_signer=load_log_signer(settings, state.mode),
        status_lists=StatusPublisher(
            SqliteStatusLists(settings.store_path, lambda: recognizer.policies.latest),
            keys,
            origin,
            public_address(settings, origin.issuer),
        ),
        uploads=UploadDesk(settings.store_path, settings.upload_limit),
        signatures=SignatureVerifier(recognizer, keys, livemode=origin.livemode),
        asking=AskingFirst(settings),
        document_limit=settings.document_limit,
    )


def open_node(settings: Settings) -> Node:
    """A whole node. Raises `StoreError`, `PolicyError` or `CustodyError`, each one clear line, and changes nothing."""
    state = check(settings.store_path)
    public_address(settings, issuer_name(settings, state.mode))  # both before anything is entered
    load_signer(settings, state.mode)
    enter_policies(settings)
    return assemble(settings, state)


def settle() -> None:
    """Tells the collector that what is loaded stays, so that it does not walk the policy while requests are answered.

    What a request allocates is freed by its reference counts; cycles are rare and still collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
