"""Keys on a PKCS #11 token: a real SoftHSM2, with what can go wrong between it and us."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from keys.custody import Signer, pkcs11
from keys.custody import token as tokens
from keys.custody.pem_file import PemSigner
from keys.custody.pkcs11 import TokenSigner, generate, load
from keys.custody.token import Token, TokenKey
from keys.errors import CustodyError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from tests.support import softhsm
from tests.support.softhsm import SoftHsm, code_of

ALGORITHMS = ("ES256", "Ed25519")


def attributes(token: Token, place: TokenKey, *names: str) -> list[Any]:
    """What the token says of the private half of a key."""
    import pkcs11 as package

    def work(session: Any) -> list[Any]:
        wanted = {package.Attribute.CLASS: package.ObjectClass.PRIVATE_KEY, package.Attribute.ID: place.id}
        (found,) = session.get_objects(wanted)
        return [found[package.Attribute[name]] for name in names]

    return tokens.write(token, work)


def private_keys(token: Token) -> list[bytes]:
    """The ids of the private keys on the token."""
    import pkcs11 as package

    def work(session: Any) -> list[bytes]:
        found = session.get_objects({package.Attribute.CLASS: package.ObjectClass.PRIVATE_KEY})
        return [key[package.Attribute.ID] for key in found]

    return tokens.write(token, work)


def destroy(token: Token, place: TokenKey) -> None:
    import pkcs11 as package

    def work(session: Any) -> None:
        for found in list(session.get_objects({package.Attribute.ID: place.id})):
            found.destroy()

    tokens.write(token, work)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_on_the_token_signs_what_its_published_half_verifies(token: Token, alg: str) -> None:
    signer: Signer = generate(token, "accord", alg)
    assert isinstance(signer, TokenSigner)
    assert (signer.alg, signer.kid) == (alg, signer.public.kid)
    ring = KeyRing.from_jwks(json.loads(json.dumps(KeyRing(keys=(signer.public,)).jwks())))
    compact = sign_compact(b"payload", signer, "test+jws")
    assert verify_compact(compact, ring, "test+jws", frozenset({alg})).payload == b"payload"
    again = load(token, signer.place, ring.keys[0])
    assert again == signer
    assert len(again.sign(b"")) == 64
    assert len(again.sign(b"x" * 100_000)) == 64


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_private_key_does_not_leave_the_token(token: Token, alg: str) -> None:
    import pkcs11 as package

    place = generate(token, "accord", alg).place
    flags = ("SENSITIVE", "EXTRACTABLE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "PRIVATE", "SIGN", "DECRYPT")
    assert attributes(token, place, *flags) == [True, False, True, True, True, True, True, False]

    def read_value(session: Any) -> bytes:
        wanted = {package.Attribute.CLASS: package.ObjectClass.PRIVATE_KEY, package.Attribute.ID: place.id}
        (found,) = session.get_objects(wanted)
        assert found[package.Attribute.LABEL] == "accord"  # what may be read is read
        with pytest.raises(package.AttributeSensitive):
            found[package.Attribute.VALUE]
        with pytest.raises(package.PKCS11Error):
            found[package.Attribute.EXTRACTABLE] = True
        with pytest.raises(package.PKCS11Error):
            found[package.Attribute.SENSITIVE] = False
        return b"not read"

    assert tokens.write(token, read_value) == b"not read"


def test_neither_pin_nor_key_is_shown(token: Token) -> None:
    signer = generate(token, "accord")
    for shown in (repr(token), str(token), repr(signer)):
        assert softhsm.PIN not in shown
        assert "pin" not in shown.lower()


@pytest.mark.parametrize("alg", ["SM2", "RS256", "none"])
def test_no_key_is_made_for_what_pkcs11_has_not(token: Token, alg: str) -> None:
    with pytest.raises(CustodyError, match="ES256 or Ed25519") as caught:
        generate(token, "accord", alg)
    assert code_of(caught) == "key.kind"
    assert private_keys(token) == []


def test_a_token_that_lacks_the_algorithm_is_refused(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = dataclasses.replace(pkcs11._KINDS["Ed25519"], make="ML_DSA_KEY_PAIR_GEN")
    monkeypatch.setattr(pkcs11, "_KINDS", {**pkcs11._KINDS, "Ed25519": kind})
    with pytest.raises(CustodyError, match="CKM_ML_DSA_KEY_PAIR_GEN") as caught:
        generate(token, "accord", "Ed25519")
    assert code_of(caught) == "key.kind"
    assert private_keys(token) == []


@pytest.mark.parametrize(
    "template", [{"EXTRACTABLE": True}, {"SENSITIVE": False}], ids=["extractable", "not sensitive"]
)
def test_a_token_that_would_give_its_keys_away_gets_none_and_signs_with_none(
    token: Token, monkeypatch: pytest.MonkeyPatch, template: dict[str, bool]
) -> None:
    import pkcs11 as package

    def careless(session: Any, place: TokenKey, kind: Any) -> tuple[Any, Any]:
        given = {package.Attribute[name]: value for name, value in template.items()}
        parameters = session.create_domain_parameters(
            package.KeyType.EC, {package.Attribute.EC_PARAMS: kind.parameters}, local=True
        )
        capabilities = package.MechanismFlag.SIGN | package.MechanismFlag.VERIFY
        pair: tuple[Any, Any] = parameters.generate_keypair(
            id=place.id, label=place.label, store=True, capabilities=capabilities, private_template=given
        )
        return pair

    with monkeypatch.context() as patched:
        patched.setattr(pkcs11, "_make", careless)
        with pytest.raises(CustodyError) as caught:
            generate(token, "accord")
        assert code_of(caught) == "key.token_exportable"
        assert private_keys(token) == []
        patched.setattr(pkcs11, "_check_kept_inside", lambda *_: None)
        theirs = generate(token, "accord")
    tokens._restart(token.module)
    for attempt in (lambda: load(token, theirs.place, theirs.public), lambda: theirs.sign(b"message")):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert code_of(caught) == "key.token_exportable"


def test_a_public_point_may_be_given_bare(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of before PKCS #11 2.20 give the point, later ones an OCTET STRING around it."""
    import pkcs11 as package

    read = pkcs11._public_key

    class Bare:
        def __init__(self, given: Any, change: Any) -> None:
            self.given, self.change = given, change

        def __getitem__(self, name: Any) -> bytes:
            assert name == package.Attribute.EC_POINT
            octets: bytes = self.change(self.given[name])
            return octets

    for alg in ALGORITHMS:
        monkeypatch.setattr(pkcs11, "_public_key", lambda given, *rest: read(Bare(given, lambda o: o[2:]), *rest))
        signer = generate(token, "accord", alg)
        signer.public.verify(signer.sign(b"message"), b"message")
        for change in (lambda o: o[:-1], lambda o: o + b"\0", lambda _: b"", lambda o: b"\x03" + o[1:]):
            before = private_keys(token)
            monkeypatch.setattr(pkcs11, "_public_key", lambda given, *rest, c=change: read(Bare(given, c), *rest))
            with pytest.raises(CustodyError) as caught:
                generate(token, "accord", alg)
            assert code_of(caught) == "key.token_wrong"
            assert private_keys(token) == before


def test_another_key_than_the_published_one_gives_no_signature(token: Token) -> None:
    first, second = generate(token, "accord"), generate(token, "accord")
    with pytest.raises(CustodyError, match=second.kid) as caught:
        load(token, first.place, second.public)
    assert code_of(caught) == "key.token_wrong"


def test_a_key_of_another_algorithm_is_refused(token: Token, tmp_path: Path) -> None:
    signer, other = generate(token, "accord"), generate(token, "accord", "Ed25519")
    with pytest.raises(CustodyError) as caught:
        load(token, signer.place, other.public)
    assert code_of(caught) in {"key.token_failed", "key.token_wrong"}
    unknown = dataclasses.replace(signer.public, alg="SM2")
    with pytest.raises(CustodyError) as caught:
        load(token, signer.place, unknown)
    assert code_of(caught) == "key.kind"


def test_a_pin_is_not_offered_to_another_token_than_its_own(hsm: SoftHsm, token: Token) -> None:
    signer = generate(token, "accord")
    other = hsm.add("other", "99999999")
    tokens._restart(token.module)
    with pytest.raises(CustodyError, match="ACCORD_PKCS11_TOKEN") as caught:
        load(other, signer.place, signer.public)
    assert code_of(caught) == "key.token_other"


def test_a_key_that_is_gone_is_said_to_be_missing(token: Token) -> None:
    signer = generate(token, "accord")
    destroy(token, signer.place)
    for attempt in (lambda: signer.sign(b"message"), lambda: load(token, signer.place, signer.public)):
        with pytest.raises(CustodyError, match="accord keys rotate") as caught:
            attempt()
        assert code_of(caught) == "key.token_key_missing"


def test_two_keys_of_one_id_are_not_guessed_between(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: bytes(size))
    signer = generate(token, "accord")
    tokens._restart(token.module)
    with pytest.raises(CustodyError) as caught:
        generate(token, "accord")
    assert code_of(caught) == "key.token_key_ambiguous"
    with pytest.raises(CustodyError, match="2 keys") as caught:
        signer.sign(b"message")
    assert code_of(caught) == "key.token_key_ambiguous"


def test_a_module_that_fails_while_a_key_is_made_is_not_asked_again(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pkcs11 as package

    asked = []

    def broken(*_: Any) -> None:
        asked.append(1)
        raise package.DeviceMemory

    monkeypatch.setattr(pkcs11, "_make", broken)
    with pytest.raises(CustodyError, match="DeviceMemory") as caught:
        generate(token, "accord")
    assert (code_of(caught), len(asked)) == ("key.token_failed", 1)


def test_a_signature_that_does_not_verify_is_not_given_out(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate(token, "accord")
    right = tokens.use

    def lying(given: Token, work: Any) -> bytes:
        signature = bytearray(right(given, work))
        signature[-1] ^= 1
        return bytes(signature)

    monkeypatch.setattr(tokens, "use", lying)
    with pytest.raises(CustodyError) as caught:
        signer.sign(b"message")
    assert code_of(caught) == "key.token_wrong"


def test_both_kinds_of_custody_are_signers(token: Token, signer: PemSigner) -> None:
    held: list[Signer] = [signer, generate(token, "accord")]
    assert [one.remote for one in held] == [False, True]
    for one in held:
        one.public.verify(one.sign(b"message"), b"message")
