"""`accord serve`: answer over HTTP."""

import socket
from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.outcome import fail, failing_clearly


def serve(
    host: Annotated[str, typer.Option(help="监听地址 / address")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口 / port", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="进程数 / processes", min=1, max=64)] = 1,
) -> None:
    """Opens the node and serves it until it is told to stop."""
    run(host, port, workers)


def run(
    host: str, port: int, workers: int = 1, ready: Callable[[], None] | None = None, address: str | None = None
) -> None:
    """Serves; `ready` is called when requests are taken (one process only).

    `address` is where others reach the node unless it was told otherwise.
    """
    import uvicorn

    from app.api.application import build_application
    from app.bootstrap import open_node, settle
    from app.cli.server import AnnouncingServer
    from app.settings import Settings

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "lifespan": "off",
    }
    settings = Settings()
    if settings.public_url is None:
        settings = settings.model_copy(update={"public_url": address})
    if workers > 1:
        with failing_clearly():
            open_node(settings)  # refuse here, once, rather than in every process
        listening(host, port).close()
        uvicorn.run("app.main:create", factory=True, workers=workers, **options)
        return
    with failing_clearly():
        node = open_node(settings)
        application = build_application(node, access_log=settings.access_log)
        node.uploads.resume()
    with listening(host, port) as listener:
        settle()
        AnnouncingServer(uvicorn.Config(application, **options), ready).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address, or one clear line and exit: uvicorn would print a log instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        fail(f"无法监听 / cannot listen on {host}:{port}: {error.strerror or error}; PORT=…, --port")
