"""The description is kept: schemathesis makes requests from it and checks replies against it."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import imi
from imi.embedders.testing import HashEmbedder


@pytest.fixture(scope="module")
def described(start, tmp_path_factory):
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    folder = tmp_path_factory.mktemp("described")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), f"text {at}", {"n": at}) for at in range(5)])
    served = start(collections=(str(folder / "pets.imi"),), root=folder / "made")
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


def examine(described, examples: int) -> int:
    seen = 0
    for result in described.get_all_operations():
        operation = result.ok()
        # The first two are a 501 without a language model; schemathesis writes no JSON lines, test_hostile does.
        if not operation.path.endswith(("/responses", "/completions", "/ingest")):
            seen += examine_one(operation, examples)
    return seen


def checks() -> list:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    kept = checks.content_type_conformance, checks.response_schema_conformance, checks.status_code_conformance
    return [not_a_server_error, *kept]


def examine_one(operation, examples: int) -> int:
    seen = 0

    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(data=st.data())
    def ask(data):
        nonlocal seen
        case = data.draw(operation.as_strategy())
        if operation.path.startswith("/api/v1/collections/{name}") and data.draw(st.booleans()):
            case.path_parameters["name"] = "pets"
        response = case.call()
        seen += 1
        case.validate_response(response, checks=checks())
        assert "Traceback" not in response.text

    ask()
    return seen


def test_replies_are_as_described(described):
    assert examine(described, 4) > 20


@pytest.mark.nightly
def test_ten_thousand_replies_are_as_described(described):
    assert examine(described, 600) > 5000
