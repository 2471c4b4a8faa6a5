"""`/docs` without outside hosts: Swagger UI from the files that `fastapi-offline` carries, under our own address."""

from importlib import resources

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse

_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# Swagger UI draws with inline styles and data: images; nothing may come from another host.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'"
)


def add_docs(api: FastAPI) -> None:
    """Adds the page and its files."""
    folder = resources.files("fastapi_offline").joinpath("static")

    @api.get("/docs", include_in_schema=False)
    async def show() -> Response:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Accord 川渝互认 · API",
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon.png",
            # Swagger UI would otherwise show a badge from a validator on another host.
            swagger_ui_parameters={"validatorUrl": None},
        )
        page.headers["Content-Security-Policy"] = _POLICY
        return page

    for name, media_type in _FILES.items():
        _add_file(api, f"/docs/{name}", str(folder.joinpath(name)), media_type)


def _add_file(api: FastAPI, address: str, path: str, media_type: str) -> None:
    @api.get(address, include_in_schema=False)
    async def serve(request: Request) -> Response:
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": "public, max-age=86400"})
