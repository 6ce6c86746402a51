"""The checked-in OpenAPI document is what the server says, and says enough.

`python tests/test_api_openapi.py` writes it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_samples import client_of

from promptsim.cli.server import routers
from promptsim.engine.shared import SharedEngine
from promptsim.service import Service

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def current(home: Path) -> dict[str, Any]:
    """What `/openapi.json` answers, without the version, which changes with each release."""
    with SharedEngine.share(home) as engine:
        service = Service(engine, home, None)
        answer = client_of(service, extra_routers=routers(service)).get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    document["info"]["version"] = "0"
    return document


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return current(tmp_path_factory.mktemp("openapi") / "home")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_checked_in_document_is_current(document: dict[str, Any]) -> None:
    assert DOCUMENT.read_text("utf-8") == written(document), "run python tests/test_api_openapi.py"


def test_every_operation_says_what_it_is_for_and_how_it_fails(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation.get("summary"), name
        assert operation.get("description"), name
        if "/v1/" in name:
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), name
            assert operation["security"], name


def test_every_request_body_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
            assert content.get("example") or schema.get("examples"), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"], name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        DOCUMENT.write_text(written(current(Path(folder) / "home")), "utf-8")
    sys.exit(0)
