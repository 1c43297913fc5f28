"""What a task's role is allowed, against what real runs ask of AWS: all that is asked is allowed, and no more is."""

from __future__ import annotations

import fnmatch
import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from doubles.moto_bucket import REGION
from doubles.runtime_project import until
from doubles.stack_fixture import LARGE_ARTIFACT
from doubles.stub_project import ACCOUNT
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from handoff_kit.deploy import templates
from handoff_kit.project.model import Project
from handoff_runtime.aws.references import references_in
from handoff_runtime.params import ConfigFile
from handoff_runtime.retention import TAG_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doubles.fault_proxy import Proxy
    from doubles.stack_fixture import Stack

    from handoff_runtime.aws.references import Reference


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


def statements(stack: Stack, references: Iterable[Reference] = ()) -> list[dict[str, Any]]:
    """Of the role that the project's template gives its task."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Tagged
    loaded = Project.model_validate({"commands": [{"command": "a"}]})
    name = stack.moto_bucket.stack
    text = templates.render_task_template(ROOT, "sample", loaded, name, "test", references=references)
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


def asked(call: str, bucket: str) -> list[Asked]:
    """What a call that went through the proxy needs: `METHOD PATH TARGET`. Each object is put with its tag."""
    method, path, target = re.fullmatch(r"(\S+) (\S+) (.*)", call).groups()  # type: ignore[union-attr]
    if target:
        return [Asked(f"ssm:{target.partition('.')[2]}", "")]
    place, _, query = path.partition("?")
    named, words = place.lstrip("/").partition("/"), parse_qs(query, keep_blank_values=True)
    assert named[0] == bucket
    if "list-type" in words:
        return [Asked("s3:ListBucket", f"arn::s3:::{bucket}", words["prefix"][0])]
    creates = (method == "PUT" and "partNumber" not in words) or "uploads" in words
    actions = (S3_ACTIONS[method], *(("s3:PutObjectTagging",) if creates else ()))
    return [Asked(action, f"arn::s3:::{bucket}/{named[2]}") for action in actions]


def test_a_run_may_read_what_its_config_refers_to(stack: Stack, proxy: Proxy) -> None:
    """A parameter, and a secret, to whose name Secrets Manager appends six characters."""
    name, secrets = stack.moto_bucket.stack, stack.moto_bucket.boto("secretsmanager")
    stack.moto_bucket.boto("ssm").put_parameter(Name=f"/{name}/token", Value="a-token", Type="SecureString")
    secret = secrets.create_secret(Name=f"{name}/db", SecretString='{"password": "a-password"}')["ARN"]
    files = {"token": f"ssm:/{name}/token", "db.json": json.dumps({"p": f"secretsmanager:{name}/db#password"})}
    stack.push("cat .env/config/* | grep -c a-token", files=files)
    assert stack.run(env={"AWS_ENDPOINT_URL": proxy.url}).exit == 0
    wanted = {
        "AmazonSSM.GetParameters": ("ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}/token"),
        "secretsmanager.GetSecretValue": ("secretsmanager:GetSecretValue", secret),
    }
    called = {call.rpartition(" ")[2] for call in proxy.calls}
    assert wanted.keys() <= called
    granted = {
        statement["Action"]: fill(resource)
        for statement in statements(stack, references_in(ConfigFile(*file) for file in files.items()))[-2:]
        for resource in statement["Resource"]
    }
    assert granted.keys() == {action for action, _ in wanted.values()}
    assert all(fnmatch.fnmatchcase(arn, granted[action]) for action, arn in wanted.values())
    assert not fnmatch.fnmatchcase(secret.replace("/db-", "/db-2-"), granted["secretsmanager:GetSecretValue"])


def fill(text: str) -> str:
    """An ARN with what CloudFormation puts in."""
    for name, value in {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT}.items():
        text = text.replace(f"${{AWS::{name}}}", value)
    return text


def tags(stack: Stack) -> dict[str, list[tuple[str, str]]]:
    """The tags of each version of each object, by its key below the stack."""
    found: dict[str, list[tuple[str, str]]] = {}
    place = {"Bucket": stack.moto_bucket.bucket}
    for page in stack.s3.get_paginator("list_object_versions").paginate(**place, Prefix=stack.key("")):
        for one in page["Versions"]:
            tagging = stack.s3.get_object_tagging(**place, Key=one["Key"], VersionId=one["VersionId"])["TagSet"]
            found.setdefault(one["Key"][len(stack.key("")) :], []).extend((tag["Key"], tag["Value"]) for tag in tagging)
    return found


def count_versions(stack: Stack) -> int:
    pages = stack.s3.get_paginator("list_object_versions").paginate(Bucket=stack.moto_bucket.bucket)
    return sum(len(page["Versions"]) for page in pages)


@pytest.mark.parametrize(
    ("keep", "runs", "artifacts", "states"),
    [
        pytest.param({}, ("keep", "90"), ("keep-old", "30"), ("states", "50"), id="params without keep"),
        pytest.param(
            {"keep": {"runs": 7, "artifacts": 3, "states": 5}},
            ("keep", "7"),
            ("keep-old", "3"),
            ("states", "5"),
            id="of the project",
        ),
        pytest.param(
            {"keep": {"runs": None, "artifacts": None, "states": 100}},
            ("keep-old", "1"),
            ("keep-old", "forever"),
            ("states", "100"),
            id="for ever",
        ),
    ],
)
def test_every_version_a_run_stores_has_one_tag(
    stack: Stack, keep: Any, runs: tuple[str, str], artifacts: tuple[str, str], states: tuple[str, str]
) -> None:
    """Whole and in parts, appended, by the heartbeat and by the next run that records one that was killed."""
    killed = stack.push("sleep 60", **keep).start("-d", '{"run_id": "killed"}')
    until(lambda: stack.record("killed"), "a record of the run")
    killed.send(signal.SIGKILL)
    killed.process.wait()
    stack.expire_lease()
    stack.s3.put_object_tagging(
        Bucket=stack.moto_bucket.bucket,
        Key=stack.key(".lock"),
        Tagging={"TagSet": [{"Key": "keep-old", "Value": "1"}]},  # what this test put in its place
    )
    assert stack.push(LARGE_ARTIFACT, state="all", **keep).run("-d", '{"run_id": "two"}').exit == 0
    assert stack.record("killed")["outcome"] == "killed"
    found = tags(stack)
    families = {"runs/": runs, "history/": runs, ".artifacts/state": states, ".lock": ("keep-old", "1")}
    expected = {
        key: next((tag for start, tag in families.items() if key.startswith(start)), artifacts) for key in found
    }
    assert {key: set(each) for key, each in found.items()} == {key: {tag} for key, tag in expected.items()}
    assert sum(map(len, found.values())) == count_versions(stack)
    assert {"runs/two/artifacts/large", ".artifacts/large", ".artifacts/state", ".lock"} <= found.keys()


def of_parameter(one: Asked, stack: Stack) -> Asked:
    """The proxy does not tell which parameter was asked for; the runtime knows one name only."""
    return one._replace(resource=f"arn::ssm:::parameter/{stack.moto_bucket.stack}__params") if not one.resource else one


def test_a_run_may_do_all_it_asks_for_and_asks_for_all_it_may(stack: Stack, proxy: Proxy) -> None:
    """Runs that find nothing, that find a state and a large artifact, and one whose upload breaks off."""
    environ = {"AWS_ENDPOINT_URL": proxy.url}
    stack.put(".env/files/a.csv", b"1\n")
    stack.push(LARGE_ARTIFACT, state="all", expect={"success_within": 3600})
    assert stack.run("-d", '{"run_id": "one"}', env=environ).exit == 0
    assert stack.run("-d", '{"run_id": "two"}', env=environ).exit == 0
    occurrence = {"HANDOFF_SCHEDULE": "nightly", "HANDOFF_EXECUTION": "one", **environ}
    assert stack.run("-d", '{"scheduled_at": "2026-01-31T02:00:00Z"}', env=occurrence).exit == 0
    fault = proxy.fault("answer", method="PUT", path="partNumber=2", status=403, code="AccessDenied", times=1)
    assert stack.run("-d", '{"run_id": "three"}', env={**environ, "HANDOFF_EXECUTION": "three"}).exit != 0
    assert fault.done == 1
    wanted = {of_parameter(one, stack) for call in proxy.calls for one in asked(call, stack.moto_bucket.bucket)}
    assert {key for keys in tags(stack).values() for key, _ in keys} == set(TAG_KEYS)
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
    assert len(aborted) == 6  # of seven places; a large state, record or index would be sent in parts too


@pytest.mark.parametrize(
    ("action", "below", "prefix"),
    [
        pytest.param("s3:GetObject", "{stack}-2/.artifacts/state", "", id="the state of a project named alike"),
        pytest.param("s3:GetObject", "other/.artifacts/state", "", id="the state of another"),
        pytest.param("s3:PutObject", "{stack}-2/.lock", "", id="the lock of another"),
        pytest.param("s3:PutObject", "{stack}/.env/files/a.csv", "", id="its own files"),
        pytest.param("s3:PutObjectTagging", "{stack}/.env/files/a.csv", "", id="the tags of its own files"),
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
