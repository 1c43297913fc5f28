"""Params in Parameter Store: how they are masked, compared and stored."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

import pytest

from handoff_kit.remote import fingerprint
from handoff_kit.remote import params as remote
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.parameter import Stored
from handoff_kit.remote.params import Difference
from handoff_kit.remote.stack import Stack
from handoff_runtime import store

STACK = Stack("shop", "dev", "handoff-dev-shop", "", "--project shop", cast("Any", None))


def document(files: dict[str, str], **pipeline: Any) -> dict[str, Any]:
    stages: list[Any] = [{"name": "cat", "argv": ["cat"], "venv": None, "envs": {}}]
    whole = {"format": 1, "project": "shop", "environment": "dev", "stages": stages, **pipeline}
    return {
        "format": 1,
        "pipeline": whole,
        "files": [{"name": name, "value": value} for name, value in files.items()],
    }


def parsed(found: dict[str, Any]) -> store.Params:
    return store.parse(json.dumps(found).encode(), "params")


def short(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('{"token": "abc", "n": 1}', '{"token": "***", "n": "***"}', id="JSON"),
        pytest.param('{"a": {"b": [1, "x"]}, "c": []}', '{"a": {"b": ["***", "***"]}, "c": []}', id="nested"),
        pytest.param("token: abc\n", "***", id="text"),
        pytest.param("", "***", id="nothing"),
        pytest.param('"abc"', '"***"', id="a JSON text"),
    ],
)
def test_config_is_starred(value: str, expected: str) -> None:
    assert remote.masked(parsed(document({"x": value})))["files"] == [{"name": "x", "value": expected}]


def test_secrets_are_starred_elsewhere_too() -> None:
    stages = [{"name": "shop", "argv": ["curl", "u:hunter2-secret@x"], "venv": None, "envs": {"API_TOKEN": "tok-abc"}}]
    found = document({"x": '{"p": "hunter2-secret", "project": "shop"}'}, stages=stages, vars={"PASSWORD": "open"})
    shown = remote.masked(parsed(found))["pipeline"]
    assert (shown["stages"][0]["argv"], shown["stages"][0]["envs"]) == (["curl", "u:***@x"], {"API_TOKEN": "***"})
    assert (shown["stages"][0]["name"], shown["project"], shown["vars"]) == ("shop", "shop", {"PASSWORD": "***"})


@pytest.mark.parametrize(
    ("stored", "local", "expected"),
    [
        pytest.param({"x": "a"}, {"x": "a"}, [], id="the same"),
        pytest.param({"x": "a"}, {"x": "b"}, [Difference(".local/x", short("a"), short("b"))], id="text"),
        pytest.param({}, {"x": "b"}, [Difference(".local/x", None, short("b"))], id="new"),
        pytest.param({"x": "a"}, {}, [Difference(".local/x", short("a"), None)], id="gone"),
        pytest.param(
            {"x": '{"a": 1, "b": {"c": 2}}'},
            {"x": '{"a": 1, "b": {"c": 3}}'},
            [Difference(".local/x: b.c", short("2"), short("3"))],
            id="a leaf",
        ),
        pytest.param(
            {"x": '{"a": 1}'},
            {"x": '{"a":1}'},
            [Difference(".local/x", short('{"a": 1}'), short('{"a":1}'))],
            id="the form alone",
        ),
        pytest.param(
            {"x": '{"a": []}'}, {"x": '{"a": {}}'}, [Difference(".local/x: a", short("[]"), short("{}"))], id="a kind"
        ),
    ],
)
def test_differences(stored: dict[str, str], local: dict[str, str], expected: list[Difference]) -> None:
    assert list(remote.differences(document(stored), document(local))) == expected


def test_differences_of_the_pipeline() -> None:
    stages: list[Any] = [{"name": "cat", "argv": ["cat", "-n"], "venv": None, "envs": {}}]
    found = remote.differences(document({}, vars={"a": "1"}), document({}, vars={"a": "1", "b": "2"}, stages=stages))
    assert remote.told_differences(found) == (
        f"~ stages.cat.argv  {short(json.dumps(['cat']))} -> {short(json.dumps(['cat', '-n']))}\n+ vars.b  {short('2')}\n"
    )


def test_what_is_stored_already_is_no_change() -> None:
    found = document({"x": "a"})
    assert remote.plan_push(STACK, found, Stored(3, parsed(found)), advanced=False) == ()
    (change,) = remote.plan_push(STACK, found, Stored(3, parsed(document({}))), advanced=False)
    assert (change.service, change.operation) == ("ssm", "put_parameter")
    assert {name: value for name, value in change.request.items() if name != "Value"} == {
        "Name": "handoff-dev-shop__params",
        "Description": f"Params of a handoff project, fingerprint {fingerprint.of(found, 'handoff-dev-shop')}",
        "Type": "SecureString",
        "Tier": "Standard",
        "Overwrite": True,
    }


def test_a_change_is_told_and_shown_without_its_value() -> None:
    (change,) = remote.plan_push(STACK, document({"x": "hunter2-secret"}), None, advanced=False)
    assert "hunter2" not in f"{change.told} {change!r}"


NOISE = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(120))


def test_the_advanced_tier_is_taken_where_it_is_allowed() -> None:
    (change,) = remote.plan_push(STACK, document({"big.txt": NOISE}), None, advanced=True)
    assert change.request["Tier"] == "Advanced"


def test_the_advanced_tier_is_not_taken_where_nobody_asked_for_it() -> None:
    with pytest.raises(AWSError) as error:
        remote.plan_push(STACK, document({"big.txt": NOISE}), None, advanced=False)
    assert "the largest file is .local/big.txt (7,680 bytes)" in error.value.message
    assert error.value.exit_code == 1
