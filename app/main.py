"""The ASGI application for server processes, configured by the environment: `uvicorn --factory app.main:create`."""

from starlette.types import ASGIApp

from app.api.application import build_application
from app.bootstrap import open_node, settle
from app.settings import Settings


def create() -> ASGIApp:
    """Opens the node and builds the application. Raises what `open_node` raises."""
    settings = Settings()
    application = build_application(open_node(settings), access_log=settings.access_log)
    settle()
    return application
