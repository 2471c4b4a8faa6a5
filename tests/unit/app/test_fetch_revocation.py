"""Fetching from a server that may do anything: what comes back is the content, or one FetchError in time."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from app.fetchers import FetchError
from app.fetchers import destination as destination_module
from app.fetchers.destination import destination, followed, may_connect, places_of, refuse_elsewhere
from app.fetchers.drop_folder import files_of, read_file
from app.fetchers.revocation import Limits, RevocationFetcher
from tests.support.lying_server import (
    Behaviour,
    LyingServer,
    answering,
    dripping,
    endless,
    lying_server,
    redirecting,
    sending,
    silent,
)

LIST = b"\x30\x82" + bytes(range(256)) * 40
QUICK = Limits(seconds=5.0, size=100_000)
HASTY = Limits(seconds=0.5, size=100_000)


def fetched(
    server: LyingServer, path: str, limits: Limits = QUICK, hosts: set[str] | None = None, **more: Any
) -> bytes:
    fetcher = RevocationFetcher(private=True, limits=limits, **more)
    return fetcher.fetch(server.base + path, hosts or {server.place})


def refusal(call: Callable[[], bytes]) -> FetchError:
    with pytest.raises(FetchError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert str(caught.value) == caught.value.detail
    return caught.value


def resolving(answers: dict[str, list[str]], asked: list[str] | None = None) -> Callable[..., list[Any]]:
    """A name service that knows these names."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if asked is not None:
            asked.append(host)
        if host not in answers:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host]]

    return resolve


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OPEN_ENDED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(LIST),
        answering(LIST, "Content-Encoding: identity"),
        sending(OPEN_ENDED + LIST),
        sending(CHUNKED + chunk(LIST[:100]) + chunk(LIST[100:]) + b"0\r\n\r\n"),
        sending(b"HTTP/1.1 100 Continue\r\n\r\n" + OPEN_ENDED + LIST),
    ],
)
def test_what_an_honest_server_sends_comes_back(behaviour: Behaviour) -> None:
    with lying_server({"/a.crl": behaviour}) as server:
        assert fetched(server, "/a.crl?part=1") == LIST
        (head,) = server.requests
    assert head.startswith("GET /a.crl?part=1 HTTP/1.1\r\n")
    assert f"Host: {server.place}\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (answering(LIST, length=len(LIST) + 1), "fetch.truncated"),
        (sending(CHUNKED + chunk(LIST)), "fetch.truncated"),
        (sending(CHUNKED + b"400\r\n" + LIST[:100]), "fetch.truncated"),
        (answering(LIST, length=QUICK.size + 1), "fetch.too_large"),
        (answering(bytes(QUICK.size + 1)), "fetch.too_large"),
        (endless(OPEN_ENDED, bytes(4096)), "fetch.too_large"),
        (endless(CHUNKED, chunk(bytes(4096))), "fetch.too_large"),
        (endless(CHUNKED, b"1" * 4096), "fetch.protocol"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-Again: and again\r\n"), "fetch.protocol"),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", bytes(4096)), "fetch.protocol"),
        (sending(LIST), "fetch.protocol"),
        (sending(b""), "fetch.protocol"),
        (answering(LIST, "Content-Encoding: gzip"), "fetch.protocol"),
        (answering(b"no", status="404 Not Found"), "fetch.status"),
        (answering(b"", status="204 No Content"), "fetch.status"),
        (answering(LIST[:9], "Content-Range: bytes 0-8/1000", status="206 Partial Content"), "fetch.status"),
        (answering(b"", status="503 Unavailable"), "fetch.status"),
        (answering(b"", status="302 Found"), "fetch.status"),
    ],
)
def test_each_lie_has_its_own_refusal(behaviour: Behaviour, code: str) -> None:
    with lying_server({"/a.crl": behaviour}) as server:
        assert refusal(lambda: fetched(server, "/a.crl")).code == code


def test_bytes_beyond_the_announced_length_are_left_alone() -> None:
    with lying_server({"/a.crl": answering(LIST + b"more", length=len(LIST))}) as server:
        assert fetched(server, "/a.crl") == LIST


@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", b"x"),
        dripping(CHUNKED, chunk(b"x")),
        dripping(CHUNKED + b"0\r\n", b"X-Trailer: 1\r\n"),
    ],
    ids=["silence", "head", "continue", "body", "chunks", "trailers"],
)
def test_time_is_counted_as_a_whole_however_slowly_bytes_drip(behaviour: Behaviour) -> None:
    with lying_server({"/a.crl": behaviour}) as server:
        began = time.monotonic()
        assert refusal(lambda: fetched(server, "/a.crl", HASTY)).code == "fetch.timeout"
        assert 0.4 < time.monotonic() - began < 3


def test_redirects_share_one_time() -> None:
    def late(line: socket.socket, server: LyingServer) -> None:
        server.over.wait(0.2)
        redirecting("/a.crl")(line, server)

    with lying_server({"/a.crl": late}) as server:
        assert refusal(lambda: fetched(server, "/a.crl", Limits(seconds=0.5))).code == "fetch.timeout"
        assert len(server.requests) == 3


def test_no_connection_is_begun_when_the_time_is_over() -> None:
    with lying_server({"/a.crl": answering(LIST)}) as server:
        instants = iter([0.0, 20.0])
        assert refusal(lambda: fetched(server, "/a.crl", monotonic=lambda: next(instants))).code == "fetch.timeout"
        assert server.requests == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
def test_three_redirects_are_followed_and_no_fourth(status: str) -> None:
    paths = {f"/{number}": redirecting(f"/{number + 1}", status) for number in range(4)}
    with lying_server({**paths, "/4": answering(LIST)}) as server:
        assert fetched(server, "/1") == LIST
        assert refusal(lambda: fetched(server, "/0")).code == "fetch.redirects"
        assert len(server.requests) == 8


def test_a_loop_of_redirects_ends() -> None:
    with lying_server({"/a": redirecting("/b"), "/b": redirecting("/a")}) as server:
        assert refusal(lambda: fetched(server, "/a")).code == "fetch.redirects"
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://elsewhere.example/a.crl", "fetch.host"),
        ("//elsewhere.example/a.crl", "fetch.host"),
        ("http://127.0.0.1/a.crl", "fetch.host"),  # the usual port is another place
        ("http://localhost:{port}/a.crl", "fetch.host"),
        ("https://127.0.0.1:443/a.crl", "fetch.host"),
        ("file:///etc/passwd", "fetch.url"),
        ("ftp://127.0.0.1/a.crl", "fetch.url"),
        ("http://user@127.0.0.1:{port}/a.crl", "fetch.url"),
        ("http://[::1/a.crl", "fetch.url"),
        ("http://127.0.0.1:99999/", "fetch.url"),
        ("/\u00e4", "fetch.url"),
        ("/a b", "fetch.url"),
        ("http://unspecified.example:{port}/a.crl", "fetch.address"),
    ],
)
def test_a_redirect_is_checked_like_the_first_address(location: str, code: str) -> None:
    resolver = resolving({"127.0.0.1": ["127.0.0.1"], "unspecified.example": ["0.0.0.0"]})

    def behave(line: socket.socket, server: LyingServer) -> None:
        redirecting(location.format(port=server.port))(line, server)

    with lying_server({"/a.crl": behave}) as server:
        hosts = {server.place, f"unspecified.example:{server.port}"}
        assert refusal(lambda: fetched(server, "/a.crl", hosts=hosts, resolver=resolver)).code == code
        assert len(server.requests) == 1


def test_a_public_host_cannot_send_us_to_a_private_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_module, "_public4", lambda address: address == IPv4Address("127.0.0.1"))
    names = {"crl.example": ["127.0.0.1"], "inside.example": ["127.0.0.2"], "mixed.example": ["127.0.0.1", "10.0.0.1"]}
    fetcher = RevocationFetcher(limits=QUICK, resolver=resolving(names))

    def behave(line: socket.socket, server: LyingServer) -> None:
        redirecting(f"http://inside.example:{server.port}/b.crl")(line, server)

    with lying_server({"/a.crl": behave, "/b.crl": answering(LIST)}) as server:
        hosts = {f"{name}:{server.port}" for name in names}
        assert fetcher.fetch(f"http://crl.example:{server.port}/b.crl", hosts) == LIST
        for url in (f"http://crl.example:{server.port}/a.crl", f"http://mixed.example:{server.port}/b.crl"):
            assert refusal(lambda url=url: fetcher.fetch(url, hosts)).code == "fetch.address"
        assert [head.split(" ")[1] for head in server.requests] == ["/b.crl", "/a.crl"]


def test_the_name_is_resolved_once_and_the_connection_goes_there() -> None:
    asked: list[str] = []
    with lying_server({"/a.crl": answering(LIST)}) as server:
        place = f"crl.example:{server.port}"
        fetcher = RevocationFetcher(private=True, resolver=resolving({"crl.example": ["127.0.0.1"]}, asked))
        assert fetcher.fetch(f"http://CRL.example:{server.port}/a.crl", {place}) == LIST
        assert f"Host: {place}\r\n" in server.requests[0]
    assert asked == ["crl.example"]


def test_a_private_address_is_refused_unless_configured() -> None:
    with lying_server({"/a.crl": answering(LIST)}) as server:
        told = refusal(lambda: RevocationFetcher().fetch(f"{server.base}/a.crl", {server.place}))
        assert told.code == "fetch.address"
        assert "ACCORD_FETCH_PRIVATE" in told.detail
        assert server.requests == []
        assert fetched(server, "/a.crl") == LIST


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with lying_server({"/a.crl": answering(LIST)}) as server:
        resolver = resolving({"crl.example": ["127.0.0.2", "127.0.0.1"], "gone.example": ["127.0.0.2", "127.0.0.3"]})
        fetcher = RevocationFetcher(private=True, limits=QUICK, resolver=resolver)
        hosts = {f"crl.example:{server.port}", f"gone.example:{server.port}"}
        assert fetcher.fetch(f"http://crl.example:{server.port}/a.crl", hosts) == LIST
        gone = refusal(lambda: fetcher.fetch(f"http://gone.example:{server.port}/a.crl", hosts))
        assert gone.code == "fetch.connect"


def test_a_name_service_is_not_waited_for() -> None:
    over = threading.Event()

    def hanging(*_: Any, **__: Any) -> list[Any]:
        over.wait(30)
        return []

    fetcher = RevocationFetcher(limits=HASTY, resolver=hanging)
    try:
        assert refusal(lambda: fetcher.fetch("http://crl.example/a.crl", {"crl.example"})).code == "fetch.resolve"
    finally:
        over.set()


@pytest.mark.parametrize("answers", [{}, {"crl.example": []}])
def test_a_host_without_an_address(answers: dict[str, list[str]]) -> None:
    fetcher = RevocationFetcher(resolver=resolving(answers))
    assert refusal(lambda: fetcher.fetch("http://crl.example/a.crl", {"crl.example"})).code == "fetch.resolve"


def test_a_label_that_is_too_long_has_no_address() -> None:
    host = "a" * 64 + ".example"
    assert refusal(lambda: RevocationFetcher().fetch(f"http://{host}/", {host})).code == "fetch.resolve"


# TLS


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for crl.example that it signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crl.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("crl.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "identity.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(
    ("host", "trusted", "expected"),
    [("crl.example", True, None), ("crl.example", False, "fetch.tls"), ("other.example", True, "fetch.tls")],
)
def test_a_host_proves_its_name_by_tls(identity: Path, host: str, trusted: bool, expected: str | None) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(identity)
    context = ssl.create_default_context(cafile=str(identity)) if trusted else None
    resolver = resolving({host: ["127.0.0.1"]})
    fetcher = RevocationFetcher(private=True, limits=QUICK, resolver=resolver, tls=context)
    with lying_server({"/a.crl": answering(LIST)}, serving) as server:
        place = f"{host}:{server.port}"
        if expected is None:
            assert fetcher.fetch(f"https://{place}/a.crl", {place}) == LIST
        else:
            assert refusal(lambda: fetcher.fetch(f"https://{place}/a.crl", {place})).code == expected


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [(b"no TLS at all, whatever it is\r\n" * 9, "fetch.tls"), (b"", "fetch.timeout")],
)
def test_a_handshake_that_never_ends_well(behaviour: bytes, code: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            line, _ = listener.accept()
            with line, contextlib.suppress(OSError):
                line.sendall(behaviour)
                line.settimeout(10)
                while line.recv(4096):
                    pass

        answering_once = threading.Thread(target=answer)
        answering_once.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        fetcher = RevocationFetcher(private=True, limits=HASTY)
        assert refusal(lambda: fetcher.fetch(f"https://{place}/", {place})).code == code
        answering_once.join()


# URLs, places and addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.crl",
        "file:///etc/passwd",
        "ldap://ldap.example/cn=ca?certificateRevocationList",
        "http:///a.crl",
        "http://:80/",
        "http://./",
        "http://user:secret@crl.example/",
        "http://crl.example:0/",
        "http://crl.example:x/",
        "http://[::1/",
        "http://crl.example/\r\nHost: other",
        "http://crl.example/列表",
        "http://crl.example/" + "a" * 2048,
    ],
)
def test_what_is_no_url_of_a_list(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        destination(url)
    assert caught.value.code == "fetch.url"
    assert "secret" not in caught.value.detail


def test_a_place_is_a_host_and_its_port_where_it_is_not_the_usual_one() -> None:
    urls = (
        "http://CRL.example/a",
        "https://crl.example:443/",
        "http://crl.example:8080",
        "http://[2001:db8::1]:81/?x=1",
    )
    assert [destination(url).place for url in urls] == [
        "crl.example",
        "crl.example",
        "crl.example:8080",
        "[2001:db8::1]:81",
    ]
    assert [destination(url).target for url in urls] == ["/a", "/", "/", "/?x=1"]
    assert places_of((*urls, "ldap://crl.example/")) == {"crl.example", "crl.example:8080", "[2001:db8::1]:81"}
    refuse_elsewhere(destination("http://crl.example./"), {"CRL.example"})
    with pytest.raises(FetchError, match=r"crl\.example:8080 is not an allowed host"):
        refuse_elsewhere(destination("http://crl.example:8080/"), {"crl.example"})
    with pytest.raises(FetchError, match="is not an allowed host"):
        refuse_elsewhere(destination("http://sub.crl.example/"), {"crl.example"})


@given(st.text() | st.text(alphabet="htps:/[]@.?#%0123456789abc ").map("http://".__add__))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    with contextlib.suppress(FetchError):
        found = destination(text)
        assert found.scheme in {"http", "https"}
        assert found.host
        assert found.target.startswith("/")
        assert found.target.isascii()
    with contextlib.suppress(FetchError):
        followed("http://crl.example/a", text)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1"),
        *("64:ff9b:1::1", "2002:7f00:1::1", "2001:0:7f00:1::1", "not an address", ""),
    ],
)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not may_connect(address, private=False)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "202.106.0.20", "2400:3200::1", "2001:4860:4860::8888", "64:ff9b::808:808"]
)
def test_an_address_that_is_public(address: str) -> None:
    assert may_connect(address, private=False)
    assert may_connect(address, private=True)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("10.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("224.0.0.1", False)],
)
def test_private_addresses_are_for_a_configured_node(address: str, allowed: bool) -> None:
    assert may_connect(address, private=True) is allowed


@given(st.ip_addresses())
def test_whatever_is_not_global_is_refused(address: Any) -> None:
    if not ip_address(address).is_global:
        assert not may_connect(str(address), private=False)


# The folder


def test_a_folder_gives_its_lists_by_name(tmp_path: Path) -> None:
    for name in ("b.crl", "a.PEM", "c.der", "d.txt", "e"):
        (tmp_path / name).write_bytes(LIST)
    assert [file.name for file in files_of(tmp_path)] == ["a.PEM", "b.crl", "c.der"]
    assert read_file(tmp_path / "b.crl", len(LIST)) == LIST


def test_a_file_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "large.crl").write_bytes(LIST)
    (tmp_path / "link.crl").symlink_to(tmp_path / "large.crl")
    (tmp_path / "folder.crl").mkdir()
    os.mkfifo(tmp_path / "pipe.crl")
    codes = {}
    for file in (*files_of(tmp_path), tmp_path / "gone.crl"):
        with pytest.raises(FetchError) as caught:
            read_file(file, len(LIST) - 1)
        codes[file.name] = caught.value.code
    assert codes.pop("large.crl") == "drop.too_large"
    assert codes == dict.fromkeys(("link.crl", "folder.crl", "pipe.crl", "gone.crl"), "drop.unreadable")
