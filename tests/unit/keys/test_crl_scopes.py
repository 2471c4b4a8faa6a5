from keys.certificate.extensions import DistributionPoint
from keys.revocation.crl import parse_crl
from keys.revocation.judgement import KnownCrl, judge
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint, Revoked
from tests.support.pki import AT
from tests.unit.keys.crl_lists import (
    CA,
    END,
    FLAGS,
    HERE,
    INDIRECT,
    ISSUER,
    POLICY,
    SERIAL,
    STRANGER,
    STRANGER_NAME,
    THERE,
    day,
    entry,
    listed,
    point,
    state,
    verdict,
)


def at_point(uri: str) -> KnownCrl:
    return listed(part=IssuingDistributionPoint(uris=(uri,)))


def test_a_list_of_one_point_serves_the_certificates_that_name_it() -> None:
    here, there = point(HERE), point(THERE)
    assert state(at_point(HERE), distribution_points=(here,)) == "good"
    assert state(at_point(HERE), distribution_points=(there, here)) == "good"
    assert state(at_point(HERE), distribution_points=(there,)) == "missing"
    assert state(at_point(HERE)) == "missing"
    assert state(listed(), distribution_points=(here,)) == "good"


def test_a_revocation_counts_in_whatever_part_of_the_issuers_lists_it_stands() -> None:
    for part in (
        IssuingDistributionPoint(uris=(THERE,)),
        IssuingDistributionPoint(only_ca=True),
        IssuingDistributionPoint(only_reasons=("superseded",)),
    ):
        assert state(listed((entry(),), part=part), distribution_points=(point(HERE),)) == "revoked"


def named_point(extension: bytes) -> tuple[Extension, ...]:
    return (Extension("2.5.29.28", der.sequence(der.explicit(0, extension)), True),)


def test_points_are_named_by_directory_names_and_relative_to_the_issuer() -> None:
    attribute = der.set_of(der.sequence(der.oid("2.5.4.3"), der.utf8("部分一")))
    long_name = der.sequence(*der.members_of(ISSUER), attribute)
    relative = named_point(b"\xa1" + attribute[1:])
    full = named_point(der.tlv(0xA0, der.directory_name(long_name)))
    whole = DistributionPoint(names=(long_name,))
    part = DistributionPoint(relative_name=attribute)
    for more in (relative, full):
        for each in (whole, part):
            assert state(listed(more=more), distribution_points=(each,)) == "good"
        assert state(listed(more=more), distribution_points=(point(HERE),)) == "missing"
    own = named_point(der.tlv(0xA0, der.directory_name(ISSUER)))
    assert state(listed(more=own)) == "good"


def test_lists_of_users_and_authorities_speak_of_their_own() -> None:
    for part, is_ca, expected in (
        (IssuingDistributionPoint(only_user=True), False, "good"),
        (IssuingDistributionPoint(only_user=True), True, "missing"),
        (IssuingDistributionPoint(only_ca=True), True, "good"),
        (IssuingDistributionPoint(only_ca=True), False, "missing"),
        (IssuingDistributionPoint(only_attribute=True), False, "missing"),
    ):
        assert state(listed(part=part), is_ca=is_ca) == expected
    # Attribute certificates have serial numbers of their own.
    assert state(listed((entry(),), part=IssuingDistributionPoint(only_attribute=True))) == "missing"


def test_every_reason_has_to_be_spoken_for() -> None:
    first, second = listed(part=IssuingDistributionPoint(only_reasons=FLAGS[:3])), FLAGS[2:]
    rest = listed(part=IssuingDistributionPoint(only_reasons=second))
    assert (state(first), state(rest)) == ("missing", "missing")
    said = verdict(first, rest)
    assert (said.state, len(said.crls)) == ("good", 2)
    old = listed(part=IssuingDistributionPoint(only_reasons=second), issued=-9, until=-2)
    assert state(first, old) == "stale"
    limited = point(HERE, reasons=frozenset(FLAGS[:3]))
    assert state(at_point(HERE), distribution_points=(limited,)) == "missing"
    other = point(THERE, reasons=frozenset(second))
    assert state(at_point(HERE), at_point(THERE), distribution_points=(limited, other)) == "good"


def test_no_more_lists_are_used_than_are_needed() -> None:
    latest = listed(issued=3, until=9)
    said = verdict(listed(), latest, listed(issued=1, until=8))
    assert (said.crls, said.as_of) == ((latest.crl.digest,), day(3))


DELEGATED = DistributionPoint(crl_issuers=(STRANGER_NAME,))


def test_an_indirect_list_serves_where_the_certificate_names_its_issuer() -> None:
    ours = entry(issuer=ISSUER)
    shows, silent = listed((ours,), authority=STRANGER, part=INDIRECT), listed(authority=STRANGER, part=INDIRECT)
    assert state(silent, distribution_points=(DELEGATED,)) == "good"
    assert state(shows, distribution_points=(DELEGATED,)) == "revoked"
    for crl in (shows, silent):
        assert state(crl) == "missing"
        assert state(crl, distribution_points=(point(HERE),)) == "missing"
    named = IssuingDistributionPoint(indirect=True, uris=(HERE,))
    for uri, expected in ((HERE, "good"), (THERE, "missing")):
        with_point = point(uri, crl_issuers=(STRANGER_NAME,))
        assert state(listed(authority=STRANGER, part=named), distribution_points=(with_point,)) == expected


def test_a_list_by_a_named_issuer_serves_only_when_it_is_indirect() -> None:
    assert state(listed(authority=STRANGER), distribution_points=(DELEGATED,)) == "missing"


def test_an_entry_of_another_issuer_is_not_ours() -> None:
    for entries in ((entry(),), (entry(issuer=CA.subordinate().subject.der),)):
        crl = listed(entries, authority=STRANGER, part=INDIRECT)
        assert state(crl, distribution_points=(DELEGATED,)) == "good"


def test_the_issuers_own_list_serves_beside_an_indirect_one() -> None:
    assert state(listed(), distribution_points=(DELEGATED,)) == "good"


def test_an_issuer_is_found_however_its_name_is_written() -> None:
    written = der.name([("2.5.4.6", der.printable("CN")), ("2.5.4.3", der.utf8("Test  CA"))])
    other = der.name([("2.5.4.6", der.utf8("cn")), ("2.5.4.3", der.printable("TEST CA"))])
    data = CA.crl((entry(),), issuer=written, signature=b"\0")
    known = KnownCrl(crl=parse_crl(data), known_from=AT)
    said = judge(SERIAL, other, [known], valid_at=AT, known_at=AT, certificate_end=END, policy=POLICY)
    assert said.state == "revoked"


def test_a_list_with_something_critical_that_is_not_understood_says_nothing() -> None:
    unknown = (Extension("1.2.3.4", b"\x05\x00", True),)
    assert state(listed(more=unknown)) == "missing"
    assert state(listed((entry(),), more=unknown)) == "missing"
    assert state(listed((Revoked(serial=1, at=AT, more=unknown),))) == "missing"
