"""A server that speaks HTTP as it is told, byte by byte: truly, falsely, slowly or without end."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket, "LyingServer"], None]


@dataclass
class LyingServer:
    """Does for each path what its behaviour says; `requests` are the heads it was sent, `bodies` the rest."""

    behaviours: Mapping[str, Behaviour]
    port: int
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"http://{self.place}"

    def answer(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        with contextlib.suppress(OSError), line:
            line.settimeout(30)
            if tls is not None:
                line = tls.wrap_socket(line, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = line.recv(4096)
                if not piece:
                    return
                head += piece
            head, end, body = head.partition(b"\r\n\r\n")
            self.requests.append((head + end).decode("latin-1"))
            announced = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            while announced and len(body) < int(announced[1]):
                body += line.recv(4096)
            self.bodies.append(body)
            path = self.requests[-1].split(" ")[1].partition("?")[0]
            self.behaviours[path](line, self)
            line.close()


@contextmanager
def lying_server(behaviours: Mapping[str, Behaviour], tls: ssl.SSLContext | None = None) -> Iterator[LyingServer]:
    """The server, listening on 127.0.0.1; it ends what it is doing when the test is done."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = LyingServer(behaviours, listener.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                if server.over.is_set():
                    line.close()
                    return
                threads.append(threading.Thread(target=server.answer, args=(line, tls)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            socket.create_connection(("127.0.0.1", server.port)).close()
            accepting.join()
            for thread in threads:
                thread.join()


def answering(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Behaviour:
    """The body under a Content-Length, its own unless another one is said."""
    said = len(body) if length is None else length
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {said}", *headers, "", ""))
    return sending(head.encode("latin-1") + body)


def sending(content: bytes) -> Behaviour:
    """These bytes and nothing else."""
    return lambda line, server: line.sendall(content)


def redirecting(location: str, status: str = "302 Found") -> Behaviour:
    return answering(b"elsewhere", f"Location: {location}", status=status)


def endless(head: bytes, again: bytes) -> Behaviour:
    """The head, and then the same for ever."""

    def behave(line: socket.socket, server: LyingServer) -> None:
        line.sendall(head)
        while not server.over.is_set():
            line.sendall(again)

    return behave


def dripping(head: bytes, again: bytes, pause: float = 0.02) -> Behaviour:
    """The head, and then the same for ever with pauses."""

    def behave(line: socket.socket, server: LyingServer) -> None:
        line.sendall(head)
        while not server.over.wait(pause):
            line.sendall(again)

    return behave


def silent(line: socket.socket, server: LyingServer) -> None:
    """Says nothing at all."""
    server.over.wait(30)
