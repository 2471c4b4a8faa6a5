"""The whole OpenAPI document, tried by schemathesis: what it promises is what the service does."""

from types import SimpleNamespace
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from app.api.application import build_api
from app.api.signatures import CMS_TYPES
from registry.receipt import Origin
from tests.api.service import Service

CONFIG: dict[str, Any] = {
    "seed": 20260101,
    "generation": {"max-examples": 40, "deterministic": True, "database": "none"},
    "checks": {
        "enabled": False,
        "not_a_server_error": {"enabled": True},
        "status_code_conformance": {"enabled": True},
        "content_type_conformance": {"enabled": True},
        "response_schema_conformance": {"enabled": True},
        "response_headers_conformance": {"enabled": True},
        "unsupported_method": {"enabled": True},
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI document. It does not depend on what a node holds, so that none has to be there to collect tests."""
    node: Any = SimpleNamespace(origin=Origin(issuer="urn:accord:test", software="0", livemode=False))
    return build_api(node).openapi()


# A body that is a CMS message: any bytes, to which the service says what they are not.
schemathesis.openapi.media_type(CMS_TYPES[0], st.binary(max_size=200), aliases=list(CMS_TYPES[1:]))

schema = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_dict(CONFIG))


@schema.parametrize()
def test_every_operation(case: Any, service: Service) -> None:
    case.call_and_validate(app=service.application)
