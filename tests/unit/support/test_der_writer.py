from datetime import UTC, datetime

from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from hypothesis import given
from hypothesis import strategies as st

from tests.support import der_writer as der


@given(st.integers(-(2**200), 2**200))
def test_integers_are_as_asn1crypto_writes_them(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()


@given(st.lists(st.integers(0, 2**70), max_size=8).map(lambda arcs: ".".join(map(str, (2, 5, *arcs)))))
def test_object_identifiers_are_as_asn1crypto_writes_them(dotted: str) -> None:
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()


@given(st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)))
def test_times_change_their_form_in_2050(instant: datetime) -> None:
    oracle = core.UTCTime if instant.year < 2050 else core.GeneralizedTime
    assert der.time(instant) == oracle(instant).dump()


@given(st.sets(st.sampled_from(sorted(der.KEY_USAGE_BITS))))
def test_key_usages_are_as_asn1crypto_reads_and_writes_them(usages: set[str]) -> None:
    value = asn1_x509.KeyUsage.load(der.key_usage(usages).value)
    spelled = {"digitalSignature": "digital_signature", "cRLSign": "crl_sign", "nonRepudiation": "non_repudiation"}
    assert {name.replace("_", "").lower() for name in value.native} == {
        spelled.get(name, name).replace("_", "").lower() for name in usages
    }
    assert asn1_x509.KeyUsage(value.native).dump() == der.key_usage(usages).value


@given(st.binary(max_size=300), st.integers(1, 4))
def test_a_length_can_be_written_over_long(contents: bytes, octets: int) -> None:
    element = der.tlv(0x04, contents, length_octets=octets)
    assert der.contents_of(element) == contents
    assert element == core.load(element).dump(), "asn1crypto reads it as it stands"
    assert len(element) >= 2 + octets + len(contents) > len(der.octet_string(contents)) - 4
