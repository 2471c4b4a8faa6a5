import base64
import re
import time
import tracemalloc

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import example, given
from hypothesis import strategies as st

from keys.certificate import MAX_LENGTH, parse_certificate, read_certificate
from keys.errors import KeysError, MalformedError
from tests.support import der_writer as writer
from tests.support.certificate_writer import named, written
from tests.support.der_writer import Extension

DER = named(("2.5.4.10", "测试>>>公司???"), ("2.5.4.3", "测试~~~公司"))
PEM = writer.pem(DER)
BASE64 = base64.b64encode(DER).decode()
URL = base64.urlsafe_b64encode(DER).decode()


def refusal(text: str | bytes, code: str = "certificate.malformed") -> str:
    with pytest.raises(MalformedError) as caught:
        read_certificate(text)
    assert caught.value.code == code
    return caught.value.detail


@pytest.mark.parametrize(
    "text",
    [
        DER,
        PEM,
        PEM.replace("\n", "\r\n"),
        PEM.replace("\n", "\r"),
        "\n\n" + PEM + "\n\n",
        "\ufeff" + PEM,
        "Bag Attributes\n    friendlyName: Private Key\n    localName: 锁\nsubject=CN = 测试\n" + PEM,
        writer.pem(DER, "X509 CERTIFICATE"),
        f"-----BEGIN CERTIFICATE-----{BASE64}-----END CERTIFICATE-----",
        f"-----BEGIN CERTIFICATE-----\n{URL}\n-----END CERTIFICATE-----",
        BASE64,
        BASE64.rstrip("="),
        URL,
        URL.rstrip("="),
        "\n".join(re.findall(".{1,64}", BASE64)),
        "\r\n".join(re.findall(".{1,19}", URL)) + "\r\n",
        f" \t{BASE64}\u3000",
    ],
)
def test_one_certificate_is_read_in_every_form_it_is_handed_in(text: str | bytes) -> None:
    expected = parse_certificate(DER)
    assert read_certificate(text) == expected
    if isinstance(text, str):
        assert read_certificate(text.encode()) == expected


def test_the_url_alphabet_is_put_to_the_test() -> None:
    assert URL != BASE64
    assert set(URL) & set("-_")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "nothing was given"),
        (b"", "nothing was given"),
        (" \n\ufeff", "neither PEM nor base64"),
        ("hello world!", "neither PEM nor base64"),
        ("====", "nothing was given"),
        (BASE64[:8] + "=" + BASE64[8:], "neither PEM nor base64"),
        ("A" * 5, "base64 that is cut off"),
        ("\ud800", "neither PEM nor base64"),
        (b"\xff\xfe-\x00", "neither DER nor text in UTF-8"),
        ("hello", "base64 that is cut off"),
        ("helloo", "certificate: "),
        (BASE64[: len(BASE64) // 8 * 4], "bytes are announced"),
        (DER[:-1], "bytes are announced"),
        (DER + b"\x00", "1 bytes follow"),
        (b"0\n", "certificate: 10 bytes are announced, 0 are there"),
        (PEM.replace("END", "FIN"), "does not end as it began"),
        (PEM.replace("END CERT", "END X509 CERT"), "does not end as it began"),
        (PEM[: len(PEM) // 2], "does not end as it began"),
        (PEM.replace("\n", "\nProc-Type: 4,CRL\n", 1), "neither PEM nor base64"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "nothing was given"),
        (writer.pem(DER, "CERTIFICATE REQUEST"), "PEM of 'CERTIFICATE REQUEST', not of a CERTIFICATE"),
        (writer.pem(DER, "TRUSTED CERTIFICATE"), "PEM of 'TRUSTED CERTIFICATE'"),
        (writer.pem(DER, "PKCS7"), "PEM of 'PKCS7'"),
        (writer.pem(DER, "X509 CRL") + PEM, "PEM of 'X509 CRL'"),
        (writer.pem(DER, "certificate"), "PEM of 'certificate'"),
        (writer.pem(DER, "\u202e"), r"PEM of '�'"),
        (writer.pem(DER, "11010519491231002X"), "PEM of '******'"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str | bytes, what: str) -> None:
    assert what in refusal(text)


@pytest.mark.parametrize(
    "text", [PEM + PEM, PEM + writer.pem(written()), DER + written(), base64.b64encode(DER + written()), DER + DER]
)
def test_several_certificates_are_refused(text: str | bytes) -> None:
    refusal(text, "certificate.several")


def private_keys() -> list[str | bytes]:
    keys = (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024))
    forms: list[str | bytes] = []
    for key in keys:
        for private_format in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            der = key.private_bytes(Encoding.DER, private_format, NoEncryption())
            pem = key.private_bytes(Encoding.PEM, private_format, NoEncryption()).decode()
            forms += [der, pem, base64.b64encode(der).decode(), PEM + pem, pem.lower()]
        secret = BestAvailableEncryption(b"secret")
        forms += [key.private_bytes(encoding, PrivateFormat.PKCS8, secret) for encoding in (Encoding.DER, Encoding.PEM)]
    key = keys[0].private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    archive = pkcs12.serialize_key_and_certificates(b"lock", keys[0], None, None, secret)
    return [*forms, key, archive]


def test_private_keys_are_refused_and_called_exposed() -> None:
    for text in private_keys():
        detail = refusal(text, "certificate.private_key")
        assert "looks like a private key" in detail
        assert "exposed" in detail


def test_other_der_is_not_taken_for_a_private_key() -> None:
    public = rsa.generate_private_key(65537, 1024).public_key()
    for data in (
        public.public_bytes(Encoding.DER, serialization.PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        writer.sequence(),
        writer.sequence(writer.octet_string(b"")),
    ):
        assert refusal(data).startswith("certificate: ")


def test_a_certificate_has_a_greatest_length_in_every_form() -> None:
    size = len(written(Extension("1.2.3.4", bytes(MAX_LENGTH - 1000)))) - MAX_LENGTH + 1000
    largest = written(Extension("1.2.3.4", bytes(MAX_LENGTH - size)))
    assert len(largest) == MAX_LENGTH
    for text in (largest, writer.pem(largest), base64.b64encode(largest).decode()):
        assert len(read_certificate(text).der) == MAX_LENGTH
    larger = written(Extension("1.2.3.4", bytes(MAX_LENGTH - size + 1)))
    for text in (larger, writer.pem(larger), base64.b64encode(larger)):
        assert "65537 bytes" in refusal(text, "certificate.too_large")


@pytest.mark.parametrize("filler", ["A", "-----BEGIN CERTIFICATE-----", "\n", "-", "BEGIN PRIVATE", "重庆", "\x30\x80"])
def test_ten_megabytes_are_refused_at_once(filler: str) -> None:
    text = filler * (10_000_000 // len(filler))
    for given_text in (text, text.encode()):
        tracemalloc.start()
        begun = time.process_time()
        refusal(given_text, "certificate.too_large")
        assert time.process_time() - begun < 0.5
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


@pytest.mark.parametrize(
    "filler", ["-----BEGIN CERTIFICATE-----\n", "\n", "-", "BEGIN PRIVATE ", "重", "-----BEGIN -", "1"]
)
def test_the_longest_text_that_is_looked_at_takes_no_long_time(filler: str) -> None:
    begun = time.process_time()
    with pytest.raises(KeysError):
        read_certificate(filler * (4 * MAX_LENGTH // len(filler)))
    assert time.process_time() - begun < 1


def test_what_nests_deeply_is_refused() -> None:
    data = b""
    for _ in range(10_000):
        data = writer.sequence(data)
    assert "parts" in refusal(data)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
@example(b"\x30\x00")
@example(b"\x30\x03\x02\x01\x00")
@example("MAA=")
def test_anything_is_refused_by_a_keys_error(text: str | bytes) -> None:
    with pytest.raises(KeysError) as caught:
        read_certificate(text)
    assert caught.value.code.startswith("certificate.")


@given(st.text(alphabet=" \t\r\n", max_size=3), st.data())
def test_base64_is_read_wherever_its_lines_break(space: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(BASE64)), max_size=8)))
    pieces = [BASE64[start:end] for start, end in zip([0, *places], [*places, len(BASE64)], strict=True)]
    assert read_certificate(space.join(pieces)).der == DER
