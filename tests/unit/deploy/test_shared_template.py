"""The template of the shared stack: held against a golden and cfn-lint, and what its lifecycle keeps and lets go.

UPDATE_GOLDENS=1 writes the golden anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from doubles.rendered_templates import ROOT, golden, lint, made, understood
from moto import mock_aws

from handoff_kit import resource_names
from handoff_kit.deploy import templates
from handoff_kit.deploy.templates import LifecycleRule
from handoff_kit.errors import ProjectError, RenderError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_projects
from handoff_kit.project.model import Keep
from handoff_kit.project.problem import ProjectFileError
from handoff_runtime import s3_keys

ACCOUNT, REGION = "123456789012", "ap-southeast-2"
PROJECTS = {
    "orders": "",
    "archive": "keep: {runs: forever, artifacts: forever, states: 100}",
    "rates": "keep: {runs: 365, artifacts: 7d, states: 1}",
}


@pytest.fixture
def text(tmp_path: Path) -> str:
    return templates.render_shared_template(made(tmp_path, PROJECTS), "prod")


@pytest.fixture
def bucket(text: str) -> dict[str, Any]:
    found: dict[str, Any] = understood(text)["Resources"]["Bucket"]
    return found


# what is rendered


def test_what_is_rendered(text: str) -> None:
    assert text == golden("shared.yml", text)


@pytest.mark.parametrize(
    ("root", "environment"),
    [
        pytest.param(None, "prod", id="three projects"),
        pytest.param({}, "dev", id="no project"),
        pytest.param(ROOT, "Team-A", id="this checkout"),
    ],
)
def test_cfn_lint_finds_nothing(root: Path | dict[str, str] | None, environment: str, tmp_path: Path) -> None:
    place = root if isinstance(root, Path) else made(tmp_path, PROJECTS if root is None else root)
    text = templates.render_shared_template(place, environment)
    assert lint(text) == []


def test_the_same_files_make_the_same_text(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = templates.render_shared_template(made(tmp_path / "a", PROJECTS), "prod")
    other = templates.render_shared_template(made(tmp_path / "b", dict(reversed(PROJECTS.items()))), "prod")
    assert one == other
    assert one.endswith("\n")
    assert not re.search(r"[ \t]$|\n\n\n", one, re.MULTILINE)
    assert str(tmp_path) not in one


BUCKET = {"Sub": "handoff-prod-${AWS::AccountId}-${AWS::Region}"}
MADE_OR_KEPT = {"If": ["MakesBucket", {"Ref": "Bucket"}, BUCKET]}


def test_a_bucket_that_is_there_from_before_is_not_made(text: str) -> None:
    whole = understood(text)
    assert whole["Conditions"] == {"MakesBucket": {"Equals": [{"Ref": "KeptBucket"}, "no"]}}
    conditional = {name: one["Condition"] for name, one in whole["Resources"].items() if "Condition" in one}
    assert conditional == {"Bucket": "MakesBucket"}


def test_the_bucket_is_closed(bucket: dict[str, Any]) -> None:
    properties = {key: value for key, value in bucket["Properties"].items() if key != "LifecycleConfiguration"}
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert properties == {
        "BucketName": BUCKET,
        "Tags": [{"Key": "handoff:stack", "Value": "handoff-prod"}],
        "VersioningConfiguration": {"Status": "Enabled"},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "PublicAccessBlockConfiguration": dict.fromkeys(blocked, True),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_nothing_comes_in_but_by_tls(text: str) -> None:
    policy = understood(text)["Resources"]["BucketPolicy"]["Properties"]
    assert policy["Bucket"] == MADE_OR_KEPT
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [{"Sub": f"arn:${{AWS::Partition}}:s3:::{BUCKET['Sub']}{below}"} for below in ("", "/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_what_is_put_out(text: str) -> None:
    outputs = understood(text)["Outputs"]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "Bucket": MADE_OR_KEPT,
        "Cluster": {"Ref": "Cluster"},
        "Subnets": {"Join": [",", [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]]},
        "SecurityGroup": {"Ref": "SecurityGroup"},
        "AlertTopic": {"Ref": "AlertTopic"},
        "Vpc": {"Ref": "Vpc"},
    }


def test_nothing_comes_in(text: str) -> None:
    resources = understood(text)["Resources"]
    group = resources["SecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert not [name for name, found in resources.items() if found["Type"] == "AWS::EC2::SecurityGroupIngress"]
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["0.0.0.0/0"]


def test_alarms_of_the_account_alone_may_publish_and_by_tls(text: str) -> None:
    properties = understood(text)["Resources"]["AlertTopicPolicy"]["Properties"]
    assert properties["Topics"] == [{"Ref": "AlertTopic"}]
    allowed, denied = properties["PolicyDocument"]["Statement"]
    assert (allowed["Effect"], allowed["Principal"], allowed["Action"]) == (
        "Allow",
        {"Service": "cloudwatch.amazonaws.com"},
        "sns:Publish",
    )
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_before_there_is_a_bucket_the_template_knows_no_project(tmp_path: Path) -> None:
    root = made(tmp_path, {f"{number:0>40}": "" for number in range(200)})
    short, whole = (
        templates.render_shared_template(root, "x" * 20, projects=False),
        templates.render_shared_template(root, "x" * 20),
    )
    few, all_rules = understood(short), understood(whole)
    assert len(short.encode()) < 51_200 < len(whole.encode())  # what CloudFormation takes at once
    lifecycle = all_rules["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]
    lifecycle["Rules"] = lifecycle["Rules"][:2]
    assert few == all_rules


def test_projects_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    root = made(tmp_path, PROJECTS)
    text, loaded = (
        templates.render_shared_template(root, "prod"),
        load_projects(ProjectPaths(name, root) for name in PROJECTS),
    )
    for name in ("orders", "rates"):
        (root / "projects" / name / "project.yml").write_text("no project any more", encoding="utf-8")
    with pytest.raises(ProjectFileError):
        templates.render_shared_template(root, "prod", {"orders": loaded["orders"]})
    assert templates.render_shared_template(root, "prod", {name: loaded[name] for name in ("orders", "rates")}) == text


@pytest.mark.parametrize("environment", ["dev", "Team-A", "x" * 20])
def test_the_bucket_has_the_name_that_the_tasks_look_for(environment: str, tmp_path: Path) -> None:
    text = templates.render_shared_template(made(tmp_path, {}), environment)
    name = understood(text)["Resources"]["Bucket"]["Properties"]["BucketName"]["Sub"]
    filled = name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
    assert filled == resource_names.bucket(environment, ACCOUNT, REGION)
    assert len(filled) <= 63


# what its lifecycle keeps

STACK = "handoff-dev-orders"


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        pytest.param(
            Keep(),
            (
                LifecycleRule(f"{STACK}-runs", f"{STACK}/runs/", 90, 1),
                LifecycleRule(f"{STACK}-history", f"{STACK}/history/", 90, 1),
                LifecycleRule(f"{STACK}-replaced", f"{STACK}/.", None, 30),
                LifecycleRule(f"{STACK}-states", f"{STACK}/.artifacts/state", None, 1, 50),
            ),
            id="as it is without keep",
        ),
        pytest.param(
            Keep(runs=None, artifacts=None, states=100),
            (
                LifecycleRule(f"{STACK}-history", f"{STACK}/history/", None, 1),
                LifecycleRule(f"{STACK}-lock", f"{STACK}/.lock", None, 1),
                LifecycleRule(f"{STACK}-states", f"{STACK}/.artifacts/state", None, 1, 100),
            ),
            id="forever",
        ),
    ],
)
def test_rules(keep: Keep, expected: tuple[LifecycleRule, ...]) -> None:
    assert templates.lifecycle_rules(STACK, keep) == expected


KEEP = Keep(runs=90, artifacts=30, states=5)
RECORD, INDEX = f"{s3_keys.run(STACK, 'x')}run.json", s3_keys.history(STACK, "2026-01-01")
STATE, LOCK = s3_keys.state(STACK), s3_keys.lease(STACK)
ARTIFACT, FILE = f"{s3_keys.artifacts(STACK)}a.csv", f"{s3_keys.files(STACK)}b.csv"


@pytest.mark.parametrize(
    ("key", "days", "stays"),
    [
        pytest.param(RECORD, 89, True, id="a young record"),
        pytest.param(RECORD, 91, False, id="an old record"),
        pytest.param(INDEX, 89, True, id="a young index"),
        pytest.param(INDEX, 91, False, id="an old index"),
        *(pytest.param(key, 9999, True, id=key) for key in (STATE, ARTIFACT, FILE, LOCK)),
        pytest.param("handoff-dev-orders-2/runs/x/run.json", 9999, True, id="another project's record"),
    ],
)
def test_what_is_current(key: str, days: int, stays: bool) -> None:  # noqa: FBT001
    assert _stays(key, templates.lifecycle_rules(STACK, KEEP), written=days) is stays


@pytest.mark.parametrize(
    ("key", "replaced", "newer", "stays"),
    [
        pytest.param(STATE, 3, 4, True, id="the fifth state"),
        pytest.param(STATE, 3, 5, False, id="the sixth state"),
        pytest.param(STATE, 0, 500, True, id="every state of today"),
        pytest.param(STATE, 31, 0, False, id="a state older than artifacts are kept"),
        pytest.param(ARTIFACT, 29, 500, True, id="an artifact of this month"),
        pytest.param(ARTIFACT, 31, 0, False, id="an artifact of last month"),
        pytest.param(FILE, 29, 500, True, id="a file of this month"),
        pytest.param(FILE, 31, 0, False, id="a file of last month"),
        pytest.param(LOCK, 31, 0, False, id="a heartbeat"),
        pytest.param(INDEX, 2, 0, False, id="an index before it grew"),
        pytest.param(RECORD, 2, 0, False, id="a record that went"),
        pytest.param("handoff-dev-orders-2/.artifacts/state", 9999, 500, True, id="another project's state"),
    ],
)
def test_what_was_replaced(key: str, replaced: int, newer: int, stays: bool) -> None:  # noqa: FBT001
    assert _stays(key, templates.lifecycle_rules(STACK, KEEP), replaced=replaced, newer=newer) is stays


def _stays(
    key: str, rules: tuple[LifecycleRule, ...], *, written: int = 0, replaced: int | None = None, newer: int = 0
) -> bool:
    """Whether S3 keeps a version: every rule that matches may end it (S3 User Guide, lifecycle-conflicts)."""
    matching = [rule for rule in rules if key.startswith(rule.prefix)]
    if replaced is None:
        return not any(rule.days and written > rule.days for rule in matching)
    return not any(replaced > rule.replaced_days and newer >= (rule.newest or 0) for rule in matching)


def test_every_project_has_its_own_rules(bucket: dict[str, Any]) -> None:
    found = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["Id"].removeprefix("handoff-prod-") for rule in found] == [
        *("leftovers", "templates"),
        *("archive-history", "archive-lock", "archive-states"),
        *("orders-runs", "orders-history", "orders-replaced", "orders-states"),
        *("rates-runs", "rates-history", "rates-replaced", "rates-states"),
    ]
    assert found[0] == {
        "Id": "leftovers",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "ExpiredObjectDeleteMarker": True,
    }
    assert found[-4:] == [
        _rendered("runs", "runs/", {"ExpirationInDays": 365}, 1),
        _rendered("history", "history/", {"ExpirationInDays": 365}, 1),
        _rendered("replaced", ".", {}, 7),
        _rendered("states", ".artifacts/state", {}, 1, NewerNoncurrentVersions=1),
    ]


def _rendered(name: str, prefix: str, more: dict[str, int], days: int, **newest: int) -> dict[str, Any]:
    """A rule of project rates as CloudFormation takes it."""
    stack = "handoff-prod-rates"
    place = {"Id": f"{stack}-{name}", "Status": "Enabled", "Prefix": f"{stack}/{prefix}"}
    return {**place, **more, "NoncurrentVersionExpiration": {"NoncurrentDays": days, **newest}}


def test_s3_takes_the_rules_and_gives_them_back(bucket: dict[str, Any]) -> None:
    rules = [_as_s3_has_it(rule) for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]]
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
        s3.create_bucket(Bucket="handoff-test")
        s3.put_bucket_lifecycle_configuration(Bucket="handoff-test", LifecycleConfiguration={"Rules": rules})
        stored = s3.get_bucket_lifecycle_configuration(Bucket="handoff-test")["Rules"]
        s3.close()
    for rule in rules:  # which moto takes, and forgets
        rule.get("NoncurrentVersionExpiration", {}).pop("NewerNoncurrentVersions", None)
    assert stored == rules


def _as_s3_has_it(rule: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation's form of a rule as the one of S3 itself."""
    made: dict[str, Any] = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if days := rule.get("ExpirationInDays"):
        made["Expiration"] = {"Days": days}
    if marker := rule.get("ExpiredObjectDeleteMarker"):
        made["Expiration"] = {"ExpiredObjectDeleteMarker": marker}
    same = ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    return {**made, **{key: rule[key] for key in same if key in rule}}


# how much fits


def test_two_hundred_projects_fit(tmp_path: Path) -> None:
    text = templates.render_shared_template(made(tmp_path, {f"{number:0>40}": "" for number in range(200)}), "x" * 20)
    rules = understood(text)["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert len({rule["Id"] for rule in rules}) == len(rules) == 802
    assert len(text.encode()) < 1_000_000  # what CloudFormation takes by URL


def test_more_rules_than_a_bucket_takes(tmp_path: Path) -> None:
    root = made(tmp_path, {f"p{number}": "" for number in range(250)})
    with pytest.raises(ProjectError) as caught:
        templates.render_shared_template(root, "dev")
    assert str(caught.value) == (
        "error: projects: found 250 projects, whose bucket needs 1,002 lifecycle rules, expected at most 1,000\n"
        "hint: move some to another checkout with its own --environment, which has its own bucket"
    )


# what is wrong


def test_every_project_file_with_mistakes_is_named(tmp_path: Path) -> None:
    root = made(tmp_path, {"a": "keep: {runs: 0}", "b": "", "c": "kep: {}\nkeep: {states: 101}"})
    with pytest.raises(ProjectFileError) as caught:
        templates.render_shared_template(root, "dev")
    assert [str(problem).split(": ")[1] for problem in caught.value.problems] == [
        "projects/a/project.yml:2:14",
        "projects/c/project.yml:2:1",
        "projects/c/project.yml:3:16",
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("\na: {{ x }}", "templates/shared.yml.j2:2: 'x' is undefined", id="an unknown name"),
        pytest.param("\n\n{% if", "templates/shared.yml.j2:3: unexpected *", id="no template"),
        pytest.param("{{ 1 / 0 }}", "templates/shared.yml.j2:1: division by zero", id="a wrong sum"),
        pytest.param("{{ bucket.x }}", "templates/shared.yml.j2:1: *has no attribute 'x'", id="an unknown part"),
    ],
)
def test_a_template_that_is_wrong(template: str, expected: str, tmp_path: Path) -> None:
    hint = "see what was changed: git diff -- templates/shared.yml.j2"
    root = made(tmp_path, {})
    (root / "templates/shared.yml.j2").write_text(template, encoding="utf-8")
    _assert_told(root, expected, hint)


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    root, hint = made(tmp_path, {}), "restore it: git checkout -- templates"
    (root / "templates/shared.yml.j2").write_text('{% include "x.j2" %}')
    _assert_told(root, "templates/shared.yml.j2:1: found no template x.j2", hint)
    (root / "templates/shared.yml.j2").unlink()
    _assert_told(root, "templates/shared.yml.j2: found no template shared.yml.j2", hint)


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    root = made(tmp_path, {})
    (root / "templates/shared.yml.j2").write_bytes(b"\xff")
    hint = "see what was changed: git diff -- templates/shared.yml.j2"
    _assert_told(root, "templates/shared.yml.j2: found bytes that are not UTF-8, expected a template", hint)


def _assert_told(root: Path, expected: str, hint: str) -> None:
    """One line (where `*` stands for anything), a hint, exit code 70, and nothing of what went on inside."""
    with pytest.raises(RenderError) as caught:
        templates.render_shared_template(root, "dev")
    pattern = re.escape(f"error: {expected}\nhint: {hint}").replace(r"\*", ".*")
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)
    assert caught.value.exit_code == 70
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
