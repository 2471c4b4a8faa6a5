"""Signed notes: held to the examples of C2SP and Go, and to bytes put together here without the code."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from keys.custody.pem_file import PemSigner
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from keys.note import MAX_NOTE, MAX_SIGNATURES, NoteKey, cosign, cosigned_at, open_note, sign_note
from keys.public_key import PublicKey

NAME = "log.example/accord"
TEXT = "one line\n\nanother, 中文\n"


def signer_of(private: Ed25519PrivateKey) -> PemSigner:
    return PemSigner(public=PublicKey.of(private.public_key(), "Ed25519"), _sign=private.sign)


PRIVATE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a log").digest())
SIGNER = signer_of(PRIVATE)
OTHER_SIGNER = signer_of(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"another").digest()))
KEY = NoteKey.of(NAME, SIGNER.public)
CONTENT = base64.b64encode(b"\x01" + KEY.octets).decode()  # the last part of its verifier key
NOTE = sign_note(TEXT, NAME, SIGNER)
LINE = NOTE.removeprefix(f"{TEXT}\n".encode())


def line(name: str, value: bytes) -> bytes:
    return f"— {name} {base64.b64encode(value).decode()}\n".encode()


def refusal(note: bytes, *keys: NoteKey) -> KeysError:
    with pytest.raises(KeysError) as caught:
        open_note(note, keys)
    assert "\n" not in caught.value.detail
    return caught.value


def test_what_was_signed_is_opened() -> None:
    assert open_note(NOTE, [KEY]) == TEXT


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n")),
    st.from_regex(r"[^\s+\x00-\x1f]{1,128}", fullmatch=True),
)
def test_any_text_under_any_name_is_opened_again(text: str, name: str) -> None:
    assert open_note(sign_note(f"{text}\n", name, SIGNER), [NoteKey.of(name, SIGNER.public)]) == f"{text}\n"


def test_the_bytes_are_those_that_c2sp_signed_note_describes() -> None:
    public = PRIVATE.public_key().public_bytes_raw()
    key_id = hashlib.sha256(NAME.encode() + b"\x0a\x01" + public).digest()[:4]
    assert (KEY.octets, KEY.digest) == (public, key_id)
    assert KEY.text() == f"{NAME}+{key_id.hex()}+{base64.b64encode(bytes([1]) + public).decode()}"
    assert TEXT.encode() + b"\n" + line(NAME, key_id + PRIVATE.sign(TEXT.encode())) == NOTE


@pytest.mark.parametrize(
    ("key", "text", "signature"),
    [
        (  # C2SP signed-note, "Example"
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "This is an example message.\n",
            "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=",
        ),
        (  # golang.org/x/mod/sumdb/note
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
        ),
    ],
    ids=["c2sp", "go"],
)
def test_notes_of_others_are_opened(key: str, text: str, signature: str) -> None:
    known = NoteKey.read(key)
    assert known.text() == key
    assert open_note(f"{text}\n— {known.name} {signature}\n".encode(), [known]) == text


@pytest.mark.parametrize(
    "text", [KEY.text(), "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"], ids=["ours", "go"]
)
def test_a_verifier_key_is_read_back(text: str) -> None:
    key = NoteKey.read(f" {text}\n")
    assert key.text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        f"{NAME}+{KEY.digest.hex()}",
        f"{NAME}+{KEY.digest.hex()}+",
        f"{NAME}+{KEY.digest.hex()}+AQ==",
        f"{NAME}+{KEY.digest.hex()}+{base64.b64encode(KEY.octets).decode()}",
        f"{NAME}+{KEY.digest.hex()}+{base64.b64encode(bytes([2]) + KEY.octets).decode()}",
        f"{NAME}+{KEY.digest.hex()}+{base64.b64encode(bytes([1]) + KEY.octets + bytes(1)).decode()}",
        f"{NAME}+{KEY.digest.hex()}+é",
        NoteKey(NAME, KEY.octets[:31]).text(),
        NoteKey(NAME, KEY.octets + bytes(1)).text(),
        f"{NAME}+00000000+{CONTENT}",
        f"{NAME}+{KEY.digest.hex().upper()}+{CONTENT}",
        f"another{KEY.text()}",
        f"{KEY.text()}!",
        f"{KEY.text()}+",
    ],
    ids=range(16),
)
def test_a_damaged_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        NoteKey.read(text)
    assert caught.value.code == "note.key_malformed"


NO_NAMES = ["", "a b", "a+b", "a\n", "a\u00a0b", "a\u2028", "\u3000"]


@pytest.mark.parametrize("name", NO_NAMES, ids=range(len(NO_NAMES)))
def test_what_is_no_name_signs_nothing(name: str) -> None:
    for attempt in (lambda: NoteKey.of(name, SIGNER.public), lambda: sign_note(TEXT, name, SIGNER)):
        with pytest.raises(MalformedError) as caught:
            attempt()
        assert caught.value.code == "note.name"
        assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["", "a b"])
def test_a_verifier_key_has_a_name(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        NoteKey.read(f"{name}+{KEY.digest.hex()}+{CONTENT}")
    assert caught.value.code == "note.name"


def test_a_long_name_signs() -> None:
    assert open_note(sign_note(TEXT, "名" * 300, SIGNER), [NoteKey.of("名" * 300, SIGNER.public)]) == TEXT


@pytest.mark.parametrize(
    "name",
    [
        "a\x01b",
        "a\ud800",
    ],
    ids=["control", "surrogate"],
)
def test_a_name_that_no_note_can_hold_is_refused(name: str) -> None:
    for attempt in (
        lambda: NoteKey.read(f"{name}+{KEY.digest.hex()}+{CONTENT}"),
        lambda: NoteKey.of(name, SIGNER.public),
        lambda: sign_note(TEXT, name, SIGNER),
    ):
        with pytest.raises(MalformedError) as caught:
            attempt()
        assert caught.value.code == "note.name"


def test_only_ed25519_keys_sign_notes(signer: PemSigner) -> None:
    for attempt in (lambda: NoteKey.of(NAME, signer.public), lambda: sign_note(TEXT, NAME, signer)):
        with pytest.raises(AlgorithmError) as caught:
            attempt()
        assert caught.value.code == "key.kind"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        TEXT.encode() + LINE,
        b"\n" + LINE,
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"more\n",
        NOTE + b"\n" + TEXT.encode(),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"one", b"o\0e"),
        NOTE.replace(b"one", b"o\te"),
        NOTE.replace(b"one", b"o\x1fe"),
        NOTE.replace(b"one", b"o\xffe"),
        NOTE.replace("— ".encode(), b"- "),
        NOTE.replace("— ".encode(), "—".encode()),
        NOTE.replace("— ".encode(), "—  ".encode()),
        NOTE.replace(NAME.encode(), b""),
        NOTE.replace(NAME.encode(), b"a+b"),
        NOTE.replace(NAME.encode(), "a\u3000b".encode()),
        NOTE.replace(NAME.encode() + b" ", NAME.encode()),
        NOTE.replace(NAME.encode() + b" ", NAME.encode() + b"  "),
        NOTE[:-1] + b"=\n",
        NOTE[:-1] + b" \n",
        NOTE[:-2] + b"\n",
        NOTE[:-2] + "é\n".encode(),
        NOTE + line(NAME, KEY.digest),
        NOTE + line(NAME, b""),
        NOTE + line("another", bytes(4)),
    ],
    ids=range(31),
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    error = refusal(note, KEY)
    assert isinstance(error, MalformedError)
    assert error.code == "note.malformed"


def test_a_note_holds_so_many_signatures_and_no_more() -> None:
    stranger = line("another", bytes(5))
    assert open_note(NOTE + stranger * (MAX_SIGNATURES - 1), [KEY]) == TEXT
    assert refusal(NOTE + stranger * MAX_SIGNATURES, KEY).code == "note.malformed"


def test_a_note_holds_so_many_bytes_and_no_more() -> None:
    longest = "a" * (MAX_NOTE - len(LINE) - 2) + "\n"
    note = sign_note(longest, NAME, SIGNER)
    assert len(note) == MAX_NOTE
    assert open_note(note, [KEY]) == longest
    assert refusal(sign_note(f"a{longest}", NAME, SIGNER), KEY).code == "note.malformed"


@pytest.mark.parametrize(
    "stranger",
    [
        line("another", bytes(5)),
        line("another", KEY.digest + bytes(64)),
        line(NAME, NoteKey.of(NAME, OTHER_SIGNER.public).digest + bytes(64)),
        line("another", bytes(5000)),
    ],
    ids=["another", "another name, the same digest", "the same name, another digest", "of another size"],
)
def test_signatures_by_strangers_are_passed_over(stranger: bytes) -> None:
    assert open_note(f"{TEXT}\n".encode() + stranger + LINE, [KEY]) == TEXT
    assert open_note(NOTE + stranger, [KEY]) == TEXT
    assert refusal(f"{TEXT}\n".encode() + stranger, KEY).code == "note.unsigned"


def test_one_known_signer_is_enough_and_may_sign_twice() -> None:
    other = NoteKey.of("other", OTHER_SIGNER.public)
    both = NOTE + sign_note(TEXT, "other", OTHER_SIGNER).removeprefix(f"{TEXT}\n".encode())
    for keys in ([KEY], [other], [KEY, other], [other, KEY]):
        assert open_note(both, keys) == TEXT
    assert open_note(NOTE + LINE, [KEY]) == TEXT


def test_a_note_that_nobody_known_signed_says_who_did() -> None:
    for keys in ([], [NoteKey.of(NAME, OTHER_SIGNER.public)], [NoteKey.of("another", SIGNER.public)]):
        error = refusal(NOTE, *keys)
        assert isinstance(error, SignatureError)
        assert error.code == "note.unsigned"
        assert NAME in error.detail


@pytest.mark.parametrize(
    "value", [bytes(64), PRIVATE.sign(b"else\n"), OTHER_SIGNER.sign(TEXT.encode()), bytes(1), bytes(63), bytes(65)]
)
def test_a_wrong_signature_by_a_known_key_is_refused_even_beside_a_right_one(value: bytes) -> None:
    wrong = line(NAME, KEY.digest + value)
    for note in (f"{TEXT}\n".encode() + wrong, NOTE + wrong, f"{TEXT}\n".encode() + wrong + LINE):
        error = refusal(note, KEY)
        assert isinstance(error, SignatureError)
        assert error.code == "signature.wrong"


@given(st.binary() | st.binary().map(lambda more: NOTE + more) | st.binary().map(lambda more: more + NOTE))
def test_any_bytes_are_opened_or_refused_in_our_own_words(note: bytes) -> None:
    try:
        open_note(note, [KEY])
    except KeysError:
        return


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_changes_what_is_read(place: int, change: int) -> None:
    note = bytearray(NOTE)
    note[place] ^= change
    try:
        assert open_note(bytes(note), [KEY]) == TEXT
    except KeysError:
        return
    # Only the bits that the last character of the base64 leaves over.
    assert place == len(NOTE) - 3


@given(st.text() | st.text().map(lambda name: NoteKey(name, KEY.octets).text()))
def test_any_text_is_a_verifier_key_or_refused_in_our_own_words(text: str) -> None:
    try:
        assert NoteKey.read(text).text() == text.strip()
    except KeysError:
        return


def test_a_witness_adds_its_line_and_its_time() -> None:
    witness = NoteKey.of("witness", OTHER_SIGNER.public)
    note = cosign(cosign(NOTE, "witness", OTHER_SIGNER, 1_700_000_000), "witness", OTHER_SIGNER, 1_700_000_300)
    assert open_note(note, [KEY]) == TEXT
    assert cosigned_at(note, witness) == 1_700_000_300
    # C2SP tlog-cosignature: type 4 in the key's digest, eight bytes of time, Ed25519 over the dated text.
    value = base64.b64decode(note.decode().splitlines()[-2].rpartition(" ")[2])
    assert value[:4] == hashlib.sha256(b"witness\n\x04" + witness.octets).digest()[:4]
    assert value[4:12] == (1_700_000_000).to_bytes(8, "big")
    dated = f"cosignature/v1\ntime 1700000000\n{TEXT}".encode()
    Ed25519PublicKey.from_public_bytes(witness.octets).verify(value[12:], dated)


def test_a_cosignature_is_no_signature_of_the_note_and_none_of_another_time() -> None:
    note = cosign(NOTE, "witness", OTHER_SIGNER, 7)
    witness = NoteKey.of("witness", OTHER_SIGNER.public)
    assert refusal(note, witness).code == "note.unsigned"
    for damaged, code in (
        (note.replace(TEXT.encode(), b"other\n"), "signature.wrong"),
        (NOTE, "note.unsigned"),
        (cosign(NOTE, "another", OTHER_SIGNER, 7), "note.unsigned"),
        (NOTE + line("witness", witness.cosigning_digest + (8).to_bytes(8, "big") + bytes(64)), "signature.wrong"),
    ):
        with pytest.raises(SignatureError) as caught:
            cosigned_at(damaged, witness)
        assert caught.value.code == code
