"""What may be relied on when: the policy that comes with the software, its law, and how a faulty file is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithm_policy import (
    CURVES,
    DEFAULT_PATH,
    DIGESTS,
    FAMILIES,
    AlgorithmPolicy,
    allowed,
    load_default,
    read_policy,
)
from keys.algorithms.ecdsa import CURVES as NIST_CURVES
from keys.algorithms.schemes import SCHEMES, VerifyingKey
from keys.errors import KeysError, MalformedError

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 23, tzinfo=UTC)

GOOD = """
id = "test"
version = 7

[[digests]]
id = "sha2"
digests = ["sha256", "sha384"]
source = "a standard"
confidence = "V"

[[digests]]
id = "old"
digests = ["sha1"]
from = 2000-01-01T00:00:00Z
until = 2018-01-01T00:00:00+08:00
source = "a standard"
confidence = "G"

[[keys]]
id = "rsa"
family = "rsa"
minimum_bits = 2048
source = "a standard"
confidence = "S"

[[keys]]
id = "old-rsa"
family = "rsa"
minimum_bits = 1024
until = 2014-01-01T00:00:00Z
source = "a standard"
confidence = "S"

[[keys]]
id = "curves"
family = "ec"
curves = ["p-256", "p-384"]
minimum_bits = 256
source = "a standard"
confidence = "S"
"""


def key(family: str, bits: int, curve: str | None = None) -> VerifyingKey:
    return VerifyingKey(family=family, curve=curve, bits=bits, spki=b"", handle=None)


KEYS = {
    "sm2": key("sm2", 256, "sm2"),
    "rsa-512": key("rsa", 512),
    "rsa-1023": key("rsa", 1023),
    "rsa-1024": key("rsa", 1024),
    "rsa-2047": key("rsa", 2047),
    "rsa-2048": key("rsa", 2048),
    "rsa-4096": key("rsa", 4096),
    "p-256": key("ec", 256, "p-256"),
    "p-521": key("ec", 521, "p-521"),
    "ed25519": key("ed25519", 256, "ed25519"),
}


@pytest.fixture(scope="module")
def policy() -> AlgorithmPolicy:
    return load_default()


def test_every_scheme_and_key_has_a_row_or_is_refused_on_purpose(policy: AlgorithmPolicy) -> None:
    digests = {digest for rule in policy.digests for digest in rule.digests}
    assert digests == set(DIGESTS)
    assert {rule.family for rule in policy.keys} == set(FAMILIES)
    assert {"sm2", "ed25519", *(curve.name for curve in NIST_CURVES.values())} == set(CURVES)
    assert all(rule.source and rule.confidence in ("V", "S", "G") for rule in (*policy.digests, *policy.keys))


@pytest.mark.parametrize(
    ("scheme", "of", "instant", "expected"),
    [
        ("sm2-sm3", "sm2", NOW, True),
        ("rsa-pkcs1-sha256", "rsa-2048", NOW, True),
        ("rsa-pss-sha512", "rsa-4096", NOW, True),
        ("ecdsa-sha256", "p-256", NOW, True),
        ("ecdsa-sha512", "p-521", NOW, True),
        ("ed25519", "ed25519", NOW, True),
        ("rsa-pkcs1-sha1", "rsa-2048", NOW, False),
        ("ecdsa-sha1", "p-256", NOW, False),
        ("rsa-pkcs1-sha1", "rsa-2048", datetime(2018, 1, 1, tzinfo=CHINA), False),
        ("rsa-pkcs1-sha1", "rsa-2048", datetime(2017, 12, 31, 23, 59, 59, tzinfo=CHINA), True),
        ("rsa-pkcs1-sha256", "rsa-1024", NOW, False),
        ("rsa-pkcs1-sha256", "rsa-2047", NOW, False),
        ("rsa-pkcs1-sha1", "rsa-1024", datetime(2013, 12, 31, 23, 59, 59, tzinfo=CHINA), True),
        ("rsa-pkcs1-sha1", "rsa-1024", datetime(2014, 1, 1, tzinfo=CHINA), False),
        ("rsa-pkcs1-sha1", "rsa-1023", datetime(2010, 1, 1, tzinfo=UTC), False),
        ("rsa-pkcs1-sha256", "rsa-512", datetime(1999, 1, 1, tzinfo=UTC), False),
    ],
)
def test_what_comes_with_the_software(
    policy: AlgorithmPolicy, scheme: str, of: str, instant: datetime, expected: bool
) -> None:
    reason = allowed(policy, SCHEMES[scheme], KEYS[of], instant)
    assert (reason is None) is expected


def test_a_refusal_says_what_when_and_by_which_row(policy: AlgorithmPolicy) -> None:
    by = f"algorithm policy {policy.id}/{policy.version}"
    assert allowed(policy, SCHEMES["rsa-pkcs1-sha1"], KEYS["rsa-2048"], NOW) == (
        f"digest sha1 is not allowed at 2026-11-23T00:00:00Z by {by}: only until 2017-12-31T16:00:00Z (sha1)"
    )
    assert allowed(policy, SCHEMES["rsa-pkcs1-sha256"], KEYS["rsa-1024"], NOW) == (
        f"key rsa (1024 bits) is not allowed at 2026-11-23T00:00:00Z by {by}: "
        "only until 2013-12-31T16:00:00Z (rsa-1024)"
    )
    early = datetime(1999, 1, 1, tzinfo=UTC)
    mine = read_policy(GOOD.encode(), "mine.toml")
    assert allowed(mine, SCHEMES["rsa-pkcs1-sha1"], KEYS["rsa-2048"], early) == (
        "digest sha1 is not allowed at 1999-01-01T00:00:00Z by algorithm policy test/7: "
        "only from 2000-01-01T00:00:00Z until 2017-12-31T16:00:00Z (old)"
    )
    assert allowed(mine, SCHEMES["ecdsa-sha256"], KEYS["p-521"], NOW) == (
        "key ec (p-521) is not allowed at 2026-11-23T00:00:00Z by algorithm policy test/7: in no row"
    )
    assert allowed(mine, SCHEMES["ed25519"], KEYS["ed25519"], NOW) is not None


def test_an_instant_without_a_time_zone_is_our_mistake(policy: AlgorithmPolicy) -> None:
    with pytest.raises(ValueError, match="time zone"):
        allowed(policy, SCHEMES["sm2-sm3"], KEYS["sm2"], datetime(2026, 1, 1))


INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.sampled_from([UTC, CHINA]))


@given(
    st.sampled_from(sorted(SCHEMES)), st.integers(512, 16384), INSTANTS, st.timedeltas(timedelta(0), timedelta(9999))
)
def test_what_is_once_refused_stays_refused_and_more_bits_never_harm(
    name: str, bits: int, instant: datetime, later: timedelta
) -> None:
    policy, scheme = load_default(), SCHEMES[name]
    if allowed(policy, scheme, key("rsa", bits), instant) is None:
        assert allowed(policy, scheme, key("rsa", bits + 1), instant) is None
    else:
        assert allowed(policy, scheme, key("rsa", bits), instant + later) is not None


@given(st.sampled_from(sorted(SCHEMES)), st.sampled_from(sorted(KEYS)), INSTANTS)
def test_only_the_instant_counts_not_how_it_is_written(name: str, of: str, instant: datetime) -> None:
    policy = load_default()
    written = {allowed(policy, SCHEMES[name], KEYS[of], instant.astimezone(zone)) for zone in (UTC, CHINA)}
    assert len(written) == 1


def test_the_file_is_read() -> None:
    policy = read_policy(GOOD.encode(), "mine.toml")
    assert (policy.id, policy.version) == ("test", 7)
    assert [rule.id for rule in (*policy.digests, *policy.keys)] == ["sha2", "old", "rsa", "old-rsa", "curves"]
    old = policy.digests[1]
    assert old.digests == {"sha1"}
    assert (old.start, old.end) == (datetime(2000, 1, 1, tzinfo=UTC), datetime(2017, 12, 31, 16, tzinfo=UTC))
    assert (policy.keys[0].family, policy.keys[0].minimum_bits, policy.keys[0].curves) == ("rsa", 2048, frozenset())
    assert policy.keys[2].curves == {"p-256", "p-384"}
    assert load_default() == read_policy(DEFAULT_PATH.read_bytes(), "x")


FAULTS = [
    ('id = "test"', "", "mine.toml: id: missing"),
    ('id = "test"', 'id = ""', "mine.toml: id: must be a string that is not empty"),
    ('id = "test"', "id = 1", "mine.toml: id: must be a string"),
    ("version = 7", "version = 0", "mine.toml: version: must be a whole number from 1"),
    ("version = 7", "version = true", "mine.toml: version: must be a whole number from 1"),
    ("version = 7", "version = 7\nnote = 1", "mine.toml: note: unknown; allowed: digests, id, keys, version"),
    ('"sha256", "sha384"', '"sha256", "md5"', "mine.toml: digests[0]: digests: must be an array, not empty, of sha1"),
    ('["sha256", "sha384"]', "[]", "mine.toml: digests[0]: digests: must be an array, not empty"),
    ('["sha256", "sha384"]', '"sha256"', "mine.toml: digests[0]: digests: must be an array, not empty"),
    ('["sha256", "sha384"]', "[1]", "mine.toml: digests[0]: digests: must be an array, not empty"),
    ('"sha256", "sha384"', '"sha256", "sha256"', "mine.toml: digests[0]: digests: names something twice"),
    ('confidence = "V"', 'confidence = "X"', "mine.toml: digests[0]: confidence: must be one of V, S, G"),
    ('confidence = "V"', "", "mine.toml: digests[0]: confidence: missing"),
    ('confidence = "V"', 'confidence = "V"\nfamily = "ec"', "mine.toml: digests[0]: family: unknown; allowed: conf"),
    ("from = 2000-01-01T00:00:00Z", "from = 2000-01-01", "mine.toml: digests[1]: from: must be a date and time with"),
    ("from = 2000-01-01T00:00:00Z", "from = 2000-01-01T00:00:00", "mine.toml: digests[1]: from: must be a date and"),
    ("from = 2000-01-01T00:00:00Z", 'from = "2000"', "mine.toml: digests[1]: from: must be a date and time with"),
    ("from = 2000-01-01T00:00:00Z", "from = 2018-01-01T00:00:00+08:00", 'digests[1]: until: must be later than "from"'),
    (
        "2000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+08:00",
        "mine.toml: digests[1]: from: must be in the years 1 to 9999",
    ),
    ('family = "ec"', 'family = "dsa"', "mine.toml: keys[2]: family: must be one of ec, ed25519, rsa, sm2"),
    ('"p-256", "p-384"', '"p-192"', "mine.toml: keys[2]: curves: must be an array, not empty, of ed25519, p-256"),
    ("minimum_bits = 2048", "minimum_bits = 2048.0", "mine.toml: keys[0]: minimum_bits: must be a whole number from 1"),
    ("minimum_bits = 2048", "minimum = 2048", "mine.toml: keys[0]: minimum_bits: missing"),
    ("minimum_bits = 2048", "minimum_bits = 2048\nbits = 1", "mine.toml: keys[0]: bits: unknown; allowed: conf"),
    ('id = "old-rsa"', 'id = "rsa"', "mine.toml: two rows have the id 'rsa'"),
    ("[[digests]]", "[digests]", "mine.toml: not TOML"),
    ("version = 7", "version = 7 7", "mine.toml: not TOML"),
    ("version = 7", f"version = {'7' * 5000}", "mine.toml: not TOML"),
    ("version = 7", f"version = {'[' * 5000}", "mine.toml: nested too deeply"),
]


@pytest.mark.parametrize(("good", "bad", "told"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_names_the_file_the_key_and_what_is_allowed(good: str, bad: str, told: str) -> None:
    assert good in GOOD
    with pytest.raises(MalformedError) as caught:
        read_policy(GOOD.replace(good, bad, 1).encode(), "mine.toml")
    assert caught.value.code == "algorithm_policy.malformed"
    assert told in caught.value.detail


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "mine.toml: id: missing"),
        ('id = "a"\nversion = 1', "mine.toml: digests: missing"),
        ('id = "a"\nversion = 1\ndigests = []\nkeys = []', "mine.toml: digests: must be an array of tables with at"),
        ('id = "a"\nversion = 1\ndigests = 1', "mine.toml: digests: must be an array of tables"),
        ('id = "a"\nversion = 1\ndigests = [1]', "mine.toml: digests: must be an array of tables"),
    ],
)
def test_an_empty_policy_is_refused(document: str, told: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_policy(document.encode(), "mine.toml")
    assert told in caught.value.detail


@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(GOOD) - 1), st.text(max_size=3)))
def test_any_file_is_read_or_refused_in_our_own_words(change: bytes | tuple[int, str]) -> None:
    data = change if isinstance(change, bytes) else (GOOD[: change[0]] + change[1] + GOOD[change[0] + 1 :]).encode()
    code = "read"
    try:
        read_policy(data, "mine.toml")
    except KeysError as error:
        code = error.code
    assert code in {"read", "algorithm_policy.malformed"}
