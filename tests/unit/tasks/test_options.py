"""Texts of the command line, made into values."""

from __future__ import annotations

from typing import Any

import pytest

from handoff_kit.errors import ProjectError, translate_runtime_errors
from handoff_kit.tasks import options
from handoff_runtime.errors import PipelineError
from handoff_runtime.pipeline import METERS


@pytest.mark.parametrize(
    ("text", "pairs", "expected"),
    [
        pytest.param("", [], {}, id="nothing"),
        pytest.param('{"a": [1]}', [], {"a": [1]}, id="data"),
        pytest.param('{"a": 1, "b": 2}', ["a=x"], {"a": "x", "b": 2}, id="var before data"),
        pytest.param("", ["a=1", "a=2", "b="], {"a": "2", "b": ""}, id="the last var wins, and one may be empty"),
        pytest.param("", ["a=b=c d"], {"a": "b=c d"}, id="only the first equals sign parts"),
    ],
)
def test_data(text: str, pairs: list[str], expected: dict[str, Any]) -> None:
    assert options.parse_data(text, pairs) == expected


@pytest.mark.parametrize("pair", ["", "a", "=b", "a b=c", "1a=b", "a-b=c"])
def test_a_var_that_is_none(pair: str) -> None:
    with pytest.raises(ProjectError) as caught:
        options.parse_data("", [pair])
    assert str(caught.value) == (
        f"error: --var: found {pair!r}, expected NAME=VALUE\nhint: for example: --var base=JPY"
    )


@pytest.mark.parametrize("text", ["{", "[]", "1", "null", "data"])
def test_data_that_is_no_object(text: str) -> None:
    with pytest.raises(ProjectError, match=r"^error: --data: .* found, a JSON object expected") as caught:
        options.parse_data(text, [])
    assert caught.value.exit_code == 2


def test_tags() -> None:
    assert options.parse_tags(["cost-center=42", "note=a=b", "empty="]) == {
        "cost-center": "42",
        "note": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["", "cost-center", "=42"])
def test_a_tag_that_is_none(pair: str) -> None:
    with pytest.raises(ProjectError) as error:
        options.parse_tags([pair])
    assert error.value.message == f"--shared-tag: found {pair!r}, expected NAME=VALUE"


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        pytest.param("", {}, "dev", id="default"),
        pytest.param("", {"HANDOFF_ENVIRONMENT": ""}, "dev", id="empty"),
        pytest.param("", {"HANDOFF_ENVIRONMENT": "prod"}, "prod", id="environment"),
        pytest.param("stage-2", {"HANDOFF_ENVIRONMENT": "prod"}, "stage-2", id="flag"),
    ],
)
def test_environment(text: str, environ: dict[str, str], expected: str) -> None:
    assert options.parse_environment(text, environ) == expected


@pytest.mark.parametrize(
    ("text", "environ", "named"),
    [
        pytest.param("a b", {}, "--environment: found 'a b'", id="flag"),
        pytest.param("", {"HANDOFF_ENVIRONMENT": "../x"}, "HANDOFF_ENVIRONMENT: found '../x'", id="environment"),
        pytest.param("x" * 21, {}, "--environment: found", id="too long"),
    ],
)
def test_an_environment_that_cannot_be(text: str, environ: dict[str, str], named: str) -> None:
    with pytest.raises(ProjectError, match=f"^error: {named}"):
        options.parse_environment(text, environ)


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        pytest.param("row", None, "did you mean: --meter rows", id="near"),
        pytest.param("xyz", None, "for example: --meter rows", id="far"),
        pytest.param("xyz", "see there", "see there", id="far, with a hint of its own"),
    ],
)
def test_a_choice_that_is_none(text: str, hint: str | None, expected: str) -> None:
    with pytest.raises(ProjectError) as caught:
        options.parse_choice("--meter", text, ("rows", "off"), hint)
    assert str(caught.value) == f"error: --meter: found {text!r}, expected one of rows, off\nhint: {expected}"


def test_choices() -> None:
    assert [options.parse_choice("--meter", text, METERS) for text in ("", "off")] == [None, "off"]


def test_what_the_runtime_refuses_is_refused_by_us() -> None:
    with pytest.raises(ProjectError) as caught, translate_runtime_errors():
        raise PipelineError("what", "why")
    assert (str(caught.value), caught.value.exit_code) == ("error: what\nhint: why", 2)
