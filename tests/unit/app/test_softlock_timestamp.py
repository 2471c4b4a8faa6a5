"""Timestamps of the demonstration: what they say, who takes them, and what they prove in a store that trusts them."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.settings import Settings
from app.softlock import timestamp as stamps
from app.softlock.authority import CAS, PLANS, AuthorityFolder, authority_id, timestamp_authority_id, trusted_ids
from app.softlock.certificate import Revoked
from app.softlock.install import enter_lists
from app.softlock.timestamp import TimestampAuthority, granted, open_authority, token
from app.softlock.timestamp_attribute import signatures, with_timestamps
from app.store.reader import SqliteReader
from app.store.revocations import RevocationShelf
from app.store.writer import SqliteWriter
from keys.cms import parse_cms
from keys.content import Octets
from keys.custody.software_key import FAMILIES
from keys.errors import KeysError, MalformedError
from keys.path_validation.finder import PathFinder
from keys.revocation.judgement import RevocationPolicy
from keys.timestamp import TIME_STAMPING, parse_token, read_response, verify_token
from registry.certificate_status import StatusEvidence
from registry.proven_time import ProvenTime, Refusal, proven_by_timestamp
from tests.store.rows import settings_at
from tests.support.cms_writer import Signed, in_ber, message
from tests.support.pki import AT, Authority, unit
from tests.support.softlock import DAY, NOW
from tests.unit.support.oracles import openssl, written

CONTENT = b"an offer of 1,000,000"
LIMITS = RevocationPolicy(max_age=timedelta(days=1), skew=timedelta(minutes=5))
FORMS = [("sm2", "rfc5652"), ("sm2", "gm"), ("rsa", "rfc5652")]


class Stamping:
    """A store that trusts the demonstration, with the authorities that tell the time, opened once. Nothing writes."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.folder = settings, AuthorityFolder.of_store(settings)

    def authority(self, ca: str = "CN-CQ", family: str = "sm2") -> TimestampAuthority:
        return open_authority(self.folder, ca, family)


@pytest.fixture(scope="module")
def stamping(trusting: Settings, tmp_path_factory: pytest.TempPathFactory) -> Stamping:
    copied = tmp_path_factory.mktemp("stamping") / "home"
    shutil.copytree(trusting.home, copied)
    return Stamping(settings_at(copied))


def proof(settings: Settings, shown: bytes, known_at: datetime = NOW + DAY) -> ProvenTime | Refusal:
    """What a token proves to a node with that store."""
    reader, shelf = SqliteReader(settings.store_path), RevocationShelf(settings.store_path)
    try:
        policy = reader.load_policies().latest
        trust = policy.trust
        return proven_by_timestamp(
            shown,
            Octets(CONTENT),
            paths=PathFinder(),
            anchors=lambda at: [anchor.certificate for anchor in trust.serving("timestamp", "CN-SC", at)],
            hints=(),
            own=trust.certificates,
            status=StatusEvidence(held=shelf, known_at=known_at, algorithms=policy.algorithms.rules, limits=LIMITS),
        )
    finally:
        shelf.close()
        reader.close()


def stamped(made: TimestampAuthority, at: datetime = NOW, dialect: str = "rfc5652", **more: bool) -> bytes:
    return token(made, "sha256", Octets(CONTENT).digest("sha256"), at, dialect=dialect, **more)


@pytest.mark.parametrize("ca", CAS)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_authority_tells_the_time_and_nothing_else(stamping: Stamping, ca: str, family: str) -> None:
    made, folder = stamping.authority(ca, family), stamping.folder
    assert made.certificate.oddities == ()
    assert made.certificate.extended_key_usage == (TIME_STAMPING,)
    assert made.certificate.extensions["2.5.29.37"].critical
    assert not made.certificate.is_ca
    assert "测试" in (made.certificate.common_name or "")
    assert made.certificate.common_name == stamps.name_of(ca, family)
    assert made.above == folder.chain(authority_id(ca, family))
    assert timestamp_authority_id(ca, family) not in trusted_ids()
    assert stamping.authority(ca, family).certificate == made.certificate


@pytest.mark.parametrize(("family", "dialect"), FORMS)
def test_a_token_proves_its_time_to_a_store_that_trusts_it(stamping: Stamping, family: str, dialect: str) -> None:
    made = stamping.authority("CN-SC", family)
    at = NOW + timedelta(microseconds=120)
    found = proof(stamping.settings, stamped(made, at, dialect))
    assert isinstance(found, ProvenTime), found
    assert found.instant == at + timedelta(seconds=stamps.ACCURACY)
    assert found.path == (made.certificate, *made.above)
    bare = proof(stamping.settings, stamped(made, at, dialect, certificates=False))
    assert isinstance(bare, Refusal)
    assert bare.code == "timestamp.certificate_missing"


def test_the_chinese_dialect_has_sm2_only(stamping: Stamping) -> None:
    with pytest.raises(ValueError, match="SM2 only"):
        stamped(stamping.authority("CN-SC", "rsa"), NOW, "gm")


def test_the_foreign_authority_proves_nothing(stamping: Stamping) -> None:
    found = proof(stamping.settings, stamped(stamping.authority("foreign")))
    assert isinstance(found, Refusal)
    assert found.code == "path.no_anchor"


def test_an_authority_that_was_revoked_proves_nothing(home: Settings) -> None:
    folder, identity = AuthorityFolder.of_store(home), authority_id("CN-CQ", "sm2")
    made = open_authority(folder, "CN-CQ", "sm2")
    line = Revoked(serial=made.certificate.serial, at=NOW - DAY, reason="superseded")
    writer = SqliteWriter(home.store_path)
    try:
        enter_lists(writer, folder, [(identity, folder.new_list(identity, NOW, revoked=[line]))])
    finally:
        writer.close()
    gone = proof(home, stamped(made))
    assert isinstance(gone, Refusal)
    assert gone.code == "status.revoked"


def test_a_new_authority_has_a_new_one_that_tells_the_time(home: Settings) -> None:
    folder = AuthorityFolder.of_store(home)
    before = open_authority(folder, "CN-CQ", "rsa")
    (home.home / "demo-ca" / "demo-root-rsa.pem").unlink()
    folder.make(trusted_ids())
    assert not (home.home / "demo-ca" / "demo-tsa-cq-rsa.pem").exists()
    after = open_authority(folder, "CN-CQ", "rsa")
    assert after.certificate != before.certificate
    assert after.above == folder.chain(authority_id("CN-CQ", "rsa"))
    assert PathFinder().find(after.certificate, after.above[:1], after.above[1:], NOW)


@pytest.mark.parametrize("digest", ["sha256", "sm3"])
def test_openssl_takes_what_rsa_signed_and_nothing_damaged(stamping: Stamping, digest: str, tmp_path: Path) -> None:
    made = stamping.authority(family="rsa")
    shown = token(made, digest, Octets(CONTENT).digest(digest), NOW.replace(microsecond=5000), nonce=77)
    root = written(tmp_path, "root.pem", made.above[-1].der)
    (tmp_path / "content").write_bytes(CONTENT)

    def taken(answer: bytes, *form: str) -> bool:
        (tmp_path / "answer").write_bytes(answer)
        told = ("ts", "-verify", "-data", tmp_path / "content", "-in", tmp_path / "answer", *form, "-CAfile", root)
        code, said = openssl(*told)
        assert ("Verification: OK" in said) is (code == 0), said
        return code == 0

    assert taken(shown, "-token_in")
    assert taken(granted(shown))
    assert read_response(granted(shown)) == shown
    read = parse_token(shown)
    for part in (read.content, read.signer.signature, Octets(made.certificate.der).digest("sha256")):
        damaged = bytearray(shown)
        damaged[shown.rindex(part) + len(part) - 1] ^= 1
        assert not taken(bytes(damaged), "-token_in")
        with pytest.raises(KeysError):
            verify_token(parse_token(bytes(damaged)), Octets(CONTENT), made.certificate)


# In a CMS file

CA = Authority.root("p-256").subordinate()
ONE, TWO = (Signed(by=CA.issue(unit("p-256", number))) for number in (1, 2))


def put(cms: bytes, made: TimestampAuthority) -> bytes:
    return with_timestamps(cms, [token(made, "sm3", Octets(each).digest("sm3"), NOW) for each in signatures(cms)])


@pytest.mark.parametrize("dialect", ["rfc5652", "gm"])
def test_every_signature_gets_its_own(stamping: Stamping, dialect: str) -> None:
    made = stamping.authority()
    cms = message(CONTENT, ONE, TWO, dialect=dialect)
    before, after = parse_cms(cms), parse_cms(put(cms, made))
    assert signatures(cms) == tuple(signer.signature for signer in before.signers)
    assert {signer.signature for signer in after.signers} == set(signatures(cms))
    assert (after.content, after.certificates, after.content_type) == (
        before.content,
        before.certificates,
        before.content_type,
    )
    for signer in after.signers:
        (shown,) = signer.timestamps
        verify_token(parse_token(shown), Octets(signer.signature), made.certificate)
    twice = parse_cms(put(put(cms, made), made))
    assert [len(signer.timestamps) for signer in twice.signers] == [2, 2]


def test_what_streams_is_written_anew(stamping: Stamping) -> None:
    made = stamping.authority()
    cms = message(CONTENT, ONE)
    for way in range(4):
        (signer,) = parse_cms(put(in_ber(cms, lambda way=way: way), made)).signers
        (shown,) = signer.timestamps
        verify_token(parse_token(shown), Octets(signatures(cms)[0]), made.certificate)


def test_openssl_verifies_what_was_stamped(stamping: Stamping, tmp_path: Path) -> None:
    known = written(tmp_path, "known.pem", *CA.chain)
    cms = message(CONTENT, ONE, TWO)
    for name, content in (("before", cms), ("after", put(cms, stamping.authority()))):
        (tmp_path / name).write_bytes(content)
        asked = ("cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / name, "-purpose", "any")
        code, said = openssl(*asked, "-attime", f"{AT.timestamp():.0f}", "-CAfile", known)
        assert code == 0, said
        assert CONTENT.decode() in said


@pytest.mark.parametrize(
    "cms",
    [
        b"",
        b"\x30\x00",
        b"\x30\x04\x05\x00\x05\x00",
        message(CONTENT),
        message(CONTENT, ONE, outer="1.2.840.113549.1.7.1"),
        message(CONTENT, ONE) + b"\0",
        message(CONTENT, b"\x30\x00"),
        message(CONTENT, b"\x30\x02\x05\x00"),
        message(CONTENT, b"\x30\x04\x05\x00\xa1\x00"),
        bytes.fromhex("3016 06092a864886f70d010702 a009 3007020101310230 00".replace(" ", "")),
        bytes.fromhex("300f 06092a864886f70d010702 a0023000".replace(" ", "")),
        bytes.fromhex("300f 06092a864886f70d010702 a1023000".replace(" ", "")),
    ],
)
def test_what_nobody_signed_gets_none(cms: bytes) -> None:
    for call in (lambda: signatures(cms), lambda: with_timestamps(cms, [b""])):
        with pytest.raises(MalformedError) as caught:
            call()
        assert caught.value.code == "timestamp.not_signed"


def test_every_plan_stands_after_the_one_above_it() -> None:
    seen: set[str] = set()
    for identity, plan in PLANS.items():
        assert plan.above is None or plan.above in seen
        assert plan.tells_time is identity.startswith("demo-tsa-")
        seen.add(identity)
