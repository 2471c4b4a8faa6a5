"""The server under measurement: the whole service, and beside it a bare route of the same framework."""

import sys
import time

import uvicorn
from fastapi import Request, Response

from app.api.application import build_api, lean_routes
from app.api.middleware import Envelope
from app.bootstrap import open_node, settle
from app.settings import Settings


def main(port: int) -> None:
    """Serves until killed. `/bench/fixed` answers bytes of the length last set by `/bench/length`."""
    settings = Settings()
    node = open_node(settings)
    api = build_api(node)
    fixed = Response(b"{}")

    @api.post("/bench/length")
    async def set_length(request: Request) -> Response:
        nonlocal body
        body = b'"' + b"x" * (int(await request.body()) - 2) + b'"'
        return Response(b"{}")

    body = fixed.body

    @api.get("/bench/fixed")
    async def answer_fixed() -> Response:
        return Response(body, media_type="application/json")

    @api.get("/bench/cpu")
    async def cpu() -> Response:
        return Response(str(time.process_time_ns()).encode())

    application = Envelope(api, lean_routes(node), settings.access_log)
    settle()
    uvicorn.run(application, port=port, log_level="warning", access_log=False, lifespan="off", server_header=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
