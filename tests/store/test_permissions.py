"""What a task's role is allowed, against what real runs ask of AWS: all that is asked is allowed, and no more is."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from doubles.stack_fixture import LARGE_ARTIFACT
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from handoff_kit.deploy import templates
from handoff_kit.project.model import Project

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.stack_fixture import Stack


ROOT = Path(__file__).parents[2]
S3_ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:AbortMultipartUpload",
}


class Asked(NamedTuple):
    """What a call needs: the action, on what, and below which prefix it lists."""

    action: str
    resource: str
    prefix: str = ""


class Tagged(SafeConstructor):
    """Reads what `!Sub x` and `!Ref x` stand for: their text."""

    def tagged(self, _suffix: str, node: Any) -> Any:
        return node.value


Tagged.add_multi_constructor("!", Tagged.tagged)


def statements(stack: Stack) -> list[dict[str, Any]]:
    """Of the role that the project's template gives its task."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Tagged
    loaded = Project.model_validate({"commands": [{"command": "a"}]})
    text = templates.render_task_template(ROOT, "sample", loaded, stack.moto_bucket.stack, "test")
    (policy,) = yaml.load(text)["Resources"]["TaskRole"]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


def allows(statement: dict[str, Any], asked: Asked, bucket: str) -> bool:
    """Whether IAM would allow it by this statement."""
    actions, resources = statement["Action"], statement["Resource"]
    actions = [actions] if isinstance(actions, str) else actions
    resources = [resources] if isinstance(resources, str) else resources
    filled = [re.sub(r"\$\{AWS::\w+\}", "", each.replace("${Bucket}", bucket)) for each in resources]
    condition = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*")
    return (
        asked.action in actions
        and any(fnmatch.fnmatchcase(asked.resource, each) for each in filled)
        and fnmatch.fnmatchcase(asked.prefix, condition)
    )


def asked(call: str, bucket: str) -> Asked:
    """What a call that went through the proxy needs: `METHOD PATH TARGET`."""
    method, path, target = re.fullmatch(r"(\S+) (\S+) (.*)", call).groups()  # type: ignore[union-attr]
    if target:
        return Asked(f"ssm:{target.partition('.')[2]}", "")
    place, _, query = path.partition("?")
    named, words = place.lstrip("/").partition("/"), parse_qs(query, keep_blank_values=True)
    assert named[0] == bucket
    if "list-type" in words:
        return Asked("s3:ListBucket", f"arn::s3:::{bucket}", words["prefix"][0])
    return Asked(S3_ACTIONS[method], f"arn::s3:::{bucket}/{named[2]}")


def of_parameter(one: Asked, stack: Stack) -> Asked:
    """The proxy does not tell which parameter was asked for; the runtime knows one name only."""
    return one._replace(resource=f"arn::ssm:::parameter/{stack.moto_bucket.stack}__params") if not one.resource else one


def test_a_run_may_do_all_it_asks_for_and_asks_for_all_it_may(stack: Stack, proxy: Proxy) -> None:
    """Runs that find nothing, that find a state and a large artifact, and one whose upload breaks off."""
    environ = {"AWS_ENDPOINT_URL": proxy.url}
    stack.put(".env/files/a.csv", b"1\n")
    stack.push(LARGE_ARTIFACT, state="all")
    assert stack.run("-d", '{"run_id": "one"}', env=environ).exit == 0
    assert stack.run("-d", '{"run_id": "two"}', env=environ).exit == 0
    fault = proxy.fault("answer", method="PUT", path="partNumber=2", status=403, code="AccessDenied", times=1)
    assert stack.run("-d", '{"run_id": "three"}', env=environ).exit != 0
    assert fault.done == 1
    wanted = {of_parameter(asked(call, stack.moto_bucket.bucket), stack) for call in proxy.calls}
    granted = statements(stack)
    refused = {one for one in wanted if not any(allows(each, one, stack.moto_bucket.bucket) for each in granted)}
    assert refused == set()
    grants = [
        {**each, "Action": action, "Resource": resource}
        for each in granted
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
        for resource in ([each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"])
    ]
    unused = [
        (each["Action"], each["Resource"].rpartition("/")[2])
        for each in grants
        if not any(allows(each, one, stack.moto_bucket.bucket) for one in wanted)
    ]
    aborted = [(action, of) for action, of in unused if action == "s3:AbortMultipartUpload"]
    assert [each for each in unused if each not in aborted] == []
    assert len(aborted) == 3  # of four places; a large state, record or index would be sent in parts too


@pytest.mark.parametrize(
    ("action", "below", "prefix"),
    [
        pytest.param("s3:GetObject", "{stack}-2/.artifacts/state", "", id="the state of a project named alike"),
        pytest.param("s3:GetObject", "other/.artifacts/state", "", id="the state of another"),
        pytest.param("s3:PutObject", "{stack}-2/.lock", "", id="the lock of another"),
        pytest.param("s3:PutObject", "{stack}/.env/files/a.csv", "", id="its own files"),
        pytest.param("s3:DeleteObject", "{stack}/.artifacts/state", "", id="its own state, to delete"),
        pytest.param("s3:GetObjectVersion", "{stack}/.artifacts/state", "", id="an earlier state"),
        pytest.param("s3:PutObject", "{stack}/.locked", "", id="a key beside the lock"),
        pytest.param("s3:ListBucket", "", "", id="the whole bucket"),
        pytest.param("s3:ListBucket", "", "{stack}-2/", id="another prefix"),
        pytest.param("ssm:GetParameter", "{stack}-2__params", "", id="the params of another"),
        pytest.param("ssm:GetParameters", "{stack}__params", "", id="its own params, by another call"),
        pytest.param("ssm:PutParameter", "{stack}__params", "", id="its own params, to write"),
    ],
)
def test_what_a_run_may_not_do(stack: Stack, action: str, below: str, prefix: str) -> None:
    name, bucket = stack.moto_bucket.stack, stack.moto_bucket.bucket
    place = below.format(stack=name)
    arn = (
        f"arn::ssm:::parameter/{place}" if action.startswith("ssm") else f"arn::s3:::{bucket}" + (place and f"/{place}")
    )
    one = Asked(action, arn, prefix.format(stack=name))
    assert [each["Sid"] for each in statements(stack) if allows(each, one, bucket)] == []
