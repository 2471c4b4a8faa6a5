"""The ASGI application for server processes, configured by the environment: `uvicorn --factory app.main:create`."""

from starlette.types import ASGIApp

from app.api.application import build_application
from app.bootstrap import open_node, settle
from app.settings import Settings


def create() -> ASGIApp:
    """Opens the node and builds the application. Raises what `open_node` raises."""
    settings = Settings()
    node = open_node(settings)
    application = build_application(node, access_log=settings.access_log)
    node.uploads.resume()
    settle()
    return application
