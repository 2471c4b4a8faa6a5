"""A PKCS #11 token and its session: PINs, tokens that come and go, threads and forks, by a real SoftHSM2."""

import builtins
import dataclasses
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from keys.custody import token as tokens
from keys.custody.pkcs11 import TokenSigner, generate, load
from keys.custody.token import Opened, Token, TokenKey
from keys.errors import CustodyError
from tests.support import softhsm
from tests.support.softhsm import SoftHsm, code_of

ALGORITHMS = ("ES256", "Ed25519")


def test_a_wrong_pin_is_offered_once(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate(token, "accord")
    tokens._restart(token.module)
    wrong = dataclasses.replace(token, pin="wrong pin")
    searches = []
    find = tokens._find
    monkeypatch.setattr(tokens, "_find", lambda given: searches.append(given) or find(given))
    for _ in range(3):
        with pytest.raises(CustodyError, match="ACCORD_PKCS11_PIN_FILE") as caught:
            load(wrong, signer.place, signer.public)
        assert code_of(caught) == "key.pin_refused"
    assert searches == [wrong]
    assert load(token, signer.place, signer.public) == signer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("PinLocked", "key.pin_locked"),
        ("PinExpired", "key.pin_refused"),
        ("PinLenRange", "key.pin_refused"),
        ("UserPinNotInitialized", "key.pin_refused"),
        ("DeviceError", "key.token_failed"),
        ("SessionCount", "key.token_failed"),
    ],
)
def test_what_a_token_may_answer_to_a_pin(
    token: Token, monkeypatch: pytest.MonkeyPatch, answer: str, code: str
) -> None:
    import pkcs11 as package

    class Unwilling:
        def open(self, **_: Any) -> None:
            raise getattr(package, answer)

    monkeypatch.setattr(tokens, "_find", lambda _: Unwilling())
    for _ in range(2):
        with pytest.raises(CustodyError) as caught:
            generate(token, "accord")
        assert code_of(caught) == code
        assert str(token.module) in caught.value.detail
        assert "'accord'" in caught.value.detail


def test_a_token_that_is_not_there_is_named_with_those_that_are(hsm: SoftHsm, token: Token) -> None:
    absent = dataclasses.replace(token, label="other")
    with pytest.raises(CustodyError, match="'accord'") as caught:
        generate(absent, "accord")
    assert code_of(caught) == "key.token_missing"
    hsm.take_out()
    tokens._restart(token.module)
    with pytest.raises(CustodyError, match="none") as caught:
        generate(token, "accord")
    assert code_of(caught) == "key.token_missing"


def test_two_tokens_of_one_label_are_not_guessed_between(hsm: SoftHsm, token: Token) -> None:
    hsm.add("accord")
    tokens._restart(token.module)
    with pytest.raises(CustodyError, match="2 tokens") as caught:
        generate(token, "accord")
    assert code_of(caught) == "key.token_ambiguous"


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    softhsm.module()
    (tmp_path / "text.so").write_text("no library")
    for path in (tmp_path / "none.so", tmp_path / "text.so", tmp_path):
        with pytest.raises(CustodyError, match="ACCORD_PKCS11_MODULE") as caught:
            generate(Token(module=path, label="accord", pin=softhsm.PIN), "accord")
        assert code_of(caught) == "key.module_unusable"
        assert str(path) in caught.value.detail


def test_a_module_that_cannot_read_its_settings_is_refused(hsm: SoftHsm, token: Token) -> None:
    signer = generate(token, "accord")
    hsm.tokens.rename(hsm.aside)
    tokens._restart(token.module)
    for _ in range(2):
        with pytest.raises(CustodyError) as caught:
            signer.sign(b"message")
        assert code_of(caught) == "key.module_unusable"
    hsm.aside.rename(hsm.tokens)
    signer.public.verify(signer.sign(b"message"), b"message")


def test_without_the_package_there_is_a_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pkcs11":
            raise ImportError(name)
        return ordinary(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CustodyError, match=r"accord-cq-sc\[pkcs11\]") as caught:
        generate(Token(module=Path("module.so"), label="accord", pin="1"), "accord")
    assert code_of(caught) == "key.pkcs11_missing"


def test_the_package_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, keys.custody.key_directory, app.bootstrap; print('pkcs11' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_token_taken_out_while_running_gives_an_error_and_no_signature(hsm: SoftHsm, token: Token) -> None:
    signer = generate(token, "accord")
    signer.sign(b"message")
    hsm.take_out()
    for _ in range(2):
        with pytest.raises(CustodyError) as caught:
            signer.sign(b"message")
        assert code_of(caught) == "key.token_missing"
    hsm.put_back()
    signer.public.verify(signer.sign(b"message"), b"message")


def test_a_lost_session_is_opened_anew_once(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate(token, "accord")
    signer.sign(b"message")
    opened = []
    open_session = tokens.open_session
    monkeypatch.setattr(tokens, "open_session", lambda given: opened.append(given) or open_session(given))
    for count in (1, 2):
        tokens._opened[token].session.close()
        signer.public.verify(signer.sign(b"message"), b"message")
        assert len(opened) == count
    signer.sign(b"message")
    assert len(opened) == 2


def test_a_module_that_fails_again_in_a_new_session_is_asked_no_more(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pkcs11 as package

    signer = generate(token, "accord")
    asked = []

    def broken(_: TokenSigner, opened: Opened) -> None:
        asked.append(opened)
        raise package.DeviceError

    monkeypatch.setattr(TokenSigner, "_key", broken)
    with pytest.raises(CustodyError, match="DeviceError") as caught:
        signer.sign(b"message")
    assert code_of(caught) == "key.token_failed"
    assert len(asked) == 2  # in the session that was kept, and in a new one
    with pytest.raises(CustodyError):
        signer.sign(b"message")
    assert len(asked) == 3  # nothing was kept


def test_threads_share_the_token(token: Token) -> None:
    signers = [generate(token, "accord", alg) for alg in ALGORITHMS]

    def work(number: int) -> None:
        signer, message = signers[number % 2], b"%d" % number
        if number % 50 == 7:
            with tokens._lock:  # SoftHSM2 ends the process where two threads are in it at once
                tokens._opened[token].session.close()
        signer.public.verify(signer.sign(message), message)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(work, range(400)))) == 400


# Signs, forks while another thread holds the lock, and has parent and child sign on; ends by 0 where all verify.
FORKS = """
import os, sys, threading, time
from pathlib import Path
from keys.custody import token as tokens
from keys.custody.pkcs11 import load
from keys.custody.token import Token, TokenKey
from keys.public_key import PublicKey
import json

token = Token(module=Path(sys.argv[1]), label=sys.argv[2], pin=sys.argv[3])
signer = load(token, TokenKey.from_uri(sys.argv[4]), PublicKey.from_jwk(json.loads(sys.argv[5])))

def signs():
    for number in range(20):
        signer.public.verify(signer.sign(b"%d" % number), b"%d" % number)

held, done = threading.Event(), threading.Event()
def hold():
    with tokens._lock:
        held.set()
        done.wait()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
child = os.fork()
if child == 0:
    signs()
    os._exit(0)
done.set()
holder.join()
signs()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
signs()
sys.exit(status)
"""


def test_a_forked_process_signs_with_a_session_of_its_own(token: Token) -> None:
    signer = generate(token, "accord")
    arguments = [str(token.module), token.label, token.pin, signer.place.uri(), json.dumps(signer.public.jwk())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_has_a_lock_and_sessions_of_its_own(token: Token) -> None:
    """What a forked child does first, here without the fork."""
    signer = generate(token, "accord")
    before = tokens._lock
    tokens._begin_anew()
    assert tokens._lock is not before
    assert tokens._opened == {}
    tokens._processes[token.module] = os.getpid() + 1
    signer.public.verify(signer.sign(b"message"), b"message")
    assert tokens._processes[token.module] == os.getpid()


def test_a_place_is_written_as_a_uri_and_read_back() -> None:
    for place in (
        TokenKey(token="accord", label="accord", id=b"\x01\xff"),
        TokenKey(token="川渝 互认;/?%", label="", id=bytes(16)),
        TokenKey(token="a=b;object=c", label="id=%00;type=public", id=b"\0"),
    ):
        assert TokenKey.from_uri(place.uri()) == place
    assert TokenKey(token="a b", label="c", id=b"\x0a").uri() == "pkcs11:token=a%20b;object=c;id=%0A;type=private"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkcs11:",
        "pkcs11:token=a;object=b;id=%00;type=public",
        "pkcs11:token=;object=b;id=%00;type=private",
        "pkcs11:token=a;object=b;id=;type=private",
        "pkcs11:token=a;object=b;id=00;type=private",
        "pkcs11:token=a;object=b;id=%0g;type=private",
        "pkcs11:token=a;object=b;id=%00;type=private\n",
        "pkcs11:token=a;object=b;id=%00;type=private?pin-value=1234",
        " pkcs11:token=a;object=b;id=%00;type=private",
    ],
)
def test_another_uri_is_refused(text: str) -> None:
    with pytest.raises(CustodyError) as caught:
        TokenKey.from_uri(text)
    assert code_of(caught) == "key.place_damaged"
