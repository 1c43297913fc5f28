"""Params in Parameter Store: how they are masked, compared and stored."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

import pytest

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.params import (
    DamagedParams,
    ParamsDifference,
    StoredParams,
    compare_params,
    format_params_diff,
    mask_document,
    parameter_settings,
    params_fingerprint,
    plan_parameter_tags,
    plan_push,
)
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.project.deploy_settings import Deploy
from handoff_runtime import params

STACK = Target("shop", "dev", "handoff-dev-shop", "", "--project shop", cast("Any", None))


def document(files: dict[str, str], **pipeline: Any) -> dict[str, Any]:
    stages: list[Any] = [{"name": "cat", "argv": ["cat"], "venv": None, "envs": {}}]
    whole = {"format": 1, "project": "shop", "environment": "dev", "stages": stages, **pipeline}
    return {
        "format": 1,
        "pipeline": whole,
        "files": [{"name": name, "value": value} for name, value in files.items()],
    }


def parsed(found: dict[str, Any]) -> params.Params:
    return params.parse_params(json.dumps(found).encode(), "params")


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
    assert mask_document(parsed(document({"x": value})))["files"] == [{"name": "x", "value": expected}]


def test_secrets_are_starred_elsewhere_too() -> None:
    stages = [{"name": "shop", "argv": ["curl", "u:hunter2-secret@x"], "venv": None, "envs": {"API_TOKEN": "tok-abc"}}]
    found = document({"x": '{"p": "hunter2-secret", "project": "shop"}'}, stages=stages, vars={"PASSWORD": "open"})
    shown = mask_document(parsed(found))["pipeline"]
    assert (shown["stages"][0]["argv"], shown["stages"][0]["envs"]) == (["curl", "u:***@x"], {"API_TOKEN": "***"})
    assert (shown["stages"][0]["name"], shown["project"], shown["vars"]) == ("shop", "shop", {"PASSWORD": "***"})


@pytest.mark.parametrize(
    ("stored", "local", "expected"),
    [
        pytest.param({"x": "a"}, {"x": "a"}, [], id="the same"),
        pytest.param({"x": "a"}, {"x": "b"}, [ParamsDifference(".local/x", short("a"), short("b"))], id="text"),
        pytest.param({}, {"x": "b"}, [ParamsDifference(".local/x", None, short("b"))], id="new"),
        pytest.param({"x": "a"}, {}, [ParamsDifference(".local/x", short("a"), None)], id="gone"),
        pytest.param(
            {"x": '{"a": 1, "b": {"c": 2}}'},
            {"x": '{"a": 1, "b": {"c": 3}}'},
            [ParamsDifference(".local/x: b.c", short("2"), short("3"))],
            id="a leaf",
        ),
        pytest.param(
            {"x": '{"a": 1}'},
            {"x": '{"a":1}'},
            [ParamsDifference(".local/x", short('{"a": 1}'), short('{"a":1}'))],
            id="the form alone",
        ),
        pytest.param(
            {"x": '{"a": []}'},
            {"x": '{"a": {}}'},
            [ParamsDifference(".local/x: a", short("[]"), short("{}"))],
            id="a kind",
        ),
    ],
)
def test_differences(stored: dict[str, str], local: dict[str, str], expected: list[ParamsDifference]) -> None:
    assert list(compare_params(document(stored), document(local))) == expected


def test_differences_of_the_pipeline() -> None:
    stages: list[Any] = [{"name": "cat", "argv": ["cat", "-n"], "venv": None, "envs": {}}]
    found = compare_params(document({}, vars={"a": "1"}), document({}, vars={"a": "1", "b": "2"}, stages=stages))
    assert format_params_diff(found) == (
        f"~ stages.cat.argv  {short(json.dumps(['cat']))} -> {short(json.dumps(['cat', '-n']))}\n+ vars.b  {short('2')}\n"
    )


def change_of(local: dict[str, Any], stored: dict[str, Any] | None, *, advanced: bool = False) -> Any:
    there = StoredParams(3, parsed(stored)) if stored else None
    return plan_push(STACK, local, there, advanced=advanced).change


def test_what_is_stored_already_is_no_change() -> None:
    found = document({"x": "a"})
    assert change_of(found, found) is None
    change = change_of(found, document({}))
    assert (change.service, change.operation) == ("ssm", "put_parameter")
    assert {name: value for name, value in change.request.items() if name != "Value"} == {
        "Name": "handoff-dev-shop__params",
        "Description": f"Params of a handoff project, fingerprint {params_fingerprint(found, 'handoff-dev-shop')}",
        "Type": "SecureString",
        "Tier": "Standard",
        "Overwrite": True,
    }


KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWNER = {"handoff:project": "shop", "handoff:environment": "dev"}


@pytest.mark.parametrize(
    ("deploy", "stored_key", "expected"),
    [
        pytest.param({}, None, [None, None, None], id="neither"),
        pytest.param(
            {"tags": {"team": "data"}}, None, [None, {"team": "data", **OWNER}, None], id="tags: of a new one"
        ),
        pytest.param({"kms_key": KEY}, "alias/aws/ssm", [KEY, None, KEY], id="another key: the same document again"),
        pytest.param({"kms_key": KEY}, KEY, [KEY, None, None], id="this key"),
        pytest.param({"kms_key": KEY}, KEY[-36:], [KEY, None, None], id="this key by its id"),
        pytest.param({"kms_key": KEY[-36:]}, KEY, [KEY[-36:], None, None], id="this key by its ARN"),
        pytest.param({}, "alias/aws/ssm", [None, None, None], id="no key any more, and none stored"),
    ],
)
def test_key_and_tags_of_the_parameter(deploy: dict[str, Any], stored_key: str | None, expected: list[Any]) -> None:
    """The key of a first push, the tags of a first push, and the key of a push of what is stored already."""
    settings, local = parameter_settings(STACK, Deploy.model_validate(deploy)), document({})
    first: Any = plan_push(STACK, local, None, advanced=False, parameter=settings).change
    there = StoredParams(3, parsed(local), stored_key)
    again: Any = plan_push(STACK, local, there, advanced=False, parameter=settings).change
    tags = {tag["Key"]: tag["Value"] for tag in first.request.get("Tags", ())} or None
    assert [first.request.get("KeyId"), tags, again.request["KeyId"] if again else None] == expected
    assert again is None or "Tags" not in again.request  # AWS refuses them with Overwrite


NEW = {"Base": "unknown"}


@pytest.mark.parametrize(
    ("outputs", "deployed", "tags", "expected"),
    [
        pytest.param(NEW, OWNER, OWNER, None, id="no tags"),
        pytest.param({}, OWNER, OWNER, None, id="no tags, by 0.1"),
        pytest.param(NEW, {"a": "1", **OWNER}, {"a": "1", **OWNER}, None, id="tagged"),
        pytest.param(
            {}, {"a": "1", **OWNER}, {"a": "1", **OWNER}, ({"a": "1", **OWNER}, []), id="by 0.1, without them"
        ),
        pytest.param(
            NEW, {"b": "1", "a": "1", **OWNER}, {"a": "2", **OWNER}, ({"a": "2", **OWNER}, ["b"]), id="changed"
        ),
    ],
)
def test_a_stored_parameter_is_tagged_as_its_stack(
    outputs: dict[str, str], deployed: dict[str, str], tags: dict[str, str], expected: Any
) -> None:
    stack = StackDescription(STACK.name, "UPDATE_COMPLETE", outputs=outputs, tags=deployed)
    planned = plan_parameter_tags(STACK, stack, tags)
    found: Any = None
    if planned:
        requests: list[Any] = [call.request for call in planned.calls]
        named = {"ResourceType": "Parameter", "ResourceId": "handoff-dev-shop__params"}
        assert all(named.items() <= request.items() for request in requests)
        added = {tag["Key"]: tag["Value"] for tag in requests[0]["Tags"]}
        found = (added, [key for request in requests[1:] for key in request["TagKeys"]])
    assert found == expected


def test_a_first_push_replaces_nothing() -> None:
    assert change_of(document({}), None).request["Overwrite"] is False


@pytest.mark.parametrize(
    ("local", "stored", "prune", "expected"),
    [
        pytest.param(
            {"b": "1"}, {"a": "2", "c": "3"}, False, ({"a": "2", "b": "1", "c": "3"}, ("a", "c"), ()), id="kept"
        ),
        pytest.param({"b": "1"}, {"a": "2", "c": "3"}, True, ({"b": "1"}, (), ("a", "c")), id="removed"),
        pytest.param({"a": "1"}, {"a": "2", "c": "3"}, False, ({"a": "1", "c": "3"}, ("c",), ()), id="replaced"),
        pytest.param({}, {"a": "2", "b/c": "3"}, False, (None, ("a", "b/c"), ()), id="a fresh clone"),
        pytest.param({"a": "2"}, {"a": "2"}, True, (None, (), ()), id="nothing to remove"),
        pytest.param(
            {"b.c": "1"}, {"b/d": "3"}, False, ({"b/d": "3", "b.c": "1"}, ("b/d",), ()), id="in order of parts"
        ),
    ],
)
def test_a_push_merges(
    local: dict[str, str], stored: dict[str, str], *, prune: bool, expected: tuple[Any, ...]
) -> None:
    there = StoredParams(3, parsed(document(stored)))
    found = plan_push(STACK, document(local), there, advanced=False, prune=prune)
    value: Any = found.change.request["Value"] if found.change else None
    sent = {file["name"]: file["value"] for file in json.loads(value)["files"]} if value else None
    assert (sent, found.kept, found.removed) == expected
    assert list(sent or ()) == list(expected[0] or ())


def test_the_pipeline_is_always_that_of_the_checkout() -> None:
    found = plan_push(
        STACK,
        document({}, vars={"a": "2"}),
        StoredParams(3, parsed(document({"x": "1"}, vars={"a": "1"}))),
        advanced=False,
    )
    assert found.document == document({"x": "1"}, vars={"a": "2"})


def test_a_damaged_document_is_replaced_and_named() -> None:
    found = plan_push(STACK, document({}), DamagedParams(4), advanced=False)
    assert found.change
    assert (found.damaged, found.base, found.change.request["Overwrite"]) == (4, 4, True)


def test_a_change_is_told_and_shown_without_its_value() -> None:
    change = change_of(document({"x": "hunter2-secret"}), None)
    assert "hunter2" not in f"{change.description} {change!r}"


NOISE = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(120))


def test_the_advanced_tier_is_taken_where_it_is_allowed() -> None:
    assert change_of(document({"big.txt": NOISE}), None, advanced=True).request["Tier"] == "Advanced"


def test_the_advanced_tier_is_not_taken_where_nobody_asked_for_it() -> None:
    with pytest.raises(AWSError) as error:
        plan_push(STACK, document({"big.txt": NOISE}), None, advanced=False)
    assert "the largest file is .local/big.txt (7,680 bytes)" in error.value.message
    assert error.value.exit_code == 1
