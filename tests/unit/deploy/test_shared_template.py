"""The template of the shared stack: held against a golden and cfn-lint, and what its lifecycle keeps and lets go.

UPDATE_GOLDENS=1 writes the golden anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from doubles.rendered_templates import ROOT, golden, lint, made, understood
from moto import mock_aws

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.template import MAX_BYTES
from handoff_kit.deploy import templates
from handoff_kit.errors import RenderError
from handoff_kit.project.model import Keep
from handoff_kit.project.retention import DAYS, LIFECYCLE_RULES, STATES, on_ladder
from handoff_runtime import retention, s3_keys

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT, REGION = "123456789012", "ap-southeast-2"


@pytest.fixture
def text() -> str:
    return templates.render_shared_template(ROOT, "prod")


@pytest.fixture
def bucket(text: str) -> dict[str, Any]:
    found: dict[str, Any] = understood(text)["Resources"]["Bucket"]
    return found


# what is rendered


def test_what_is_rendered(text: str) -> None:
    assert text == golden("shared.yml", text)


@pytest.mark.parametrize("environment", ["prod", "Team-A"])
def test_cfn_lint_finds_nothing(environment: str) -> None:
    assert lint(templates.render_shared_template(ROOT, environment)) == []


def test_no_project_is_a_part_of_it(text: str, tmp_path: Path) -> None:
    """Whatever projects a checkout has, and whatever is wrong with their files; it fits into a request."""
    root = made(tmp_path, {"orders": "keep: {runs: 365, artifacts: 7d, states: 1}", "broken": "kep: {}"})
    assert templates.render_shared_template(root, "prod") == text
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$|\n\n\n", text, re.MULTILINE)
    assert len(text.encode()) < MAX_BYTES


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


@pytest.mark.parametrize("environment", ["dev", "Team-A", "x" * 20])
def test_the_bucket_has_the_name_that_the_tasks_look_for(environment: str) -> None:
    text = templates.render_shared_template(ROOT, environment)
    name = understood(text)["Resources"]["Bucket"]["Properties"]["BucketName"]["Sub"]
    filled = name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
    assert filled == resource_names.bucket(environment, ACCOUNT, REGION)
    assert len(filled) <= 63


# what its lifecycle keeps

STACK = "handoff-dev-orders"
KEEP = on_ladder(Keep(runs=90, artifacts=30, states=5))
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
    ],
)
def test_what_is_current(key: str, days: int, stays: bool) -> None:  # noqa: FBT001
    assert _stays(key, KEEP, written=days) is stays


@pytest.mark.parametrize(
    ("key", "replaced", "newer", "stays"),
    [
        pytest.param(STATE, 3, 4, True, id="the fifth state"),
        pytest.param(STATE, 3, 5, False, id="the sixth state"),
        pytest.param(STATE, 0, 500, True, id="every state of today"),
        pytest.param(STATE, 9999, 4, True, id="a state that is old, with few newer ones"),
        pytest.param(ARTIFACT, 29, 500, True, id="an artifact of this month"),
        pytest.param(ARTIFACT, 31, 0, False, id="an artifact of last month"),
        pytest.param(FILE, 29, 500, True, id="a file of this month"),
        pytest.param(FILE, 31, 0, False, id="a file of last month"),
        pytest.param(LOCK, 31, 0, False, id="a heartbeat"),
        pytest.param(INDEX, 2, 0, False, id="an index before it grew"),
        pytest.param(RECORD, 2, 0, False, id="a record that went"),
    ],
)
def test_what_was_replaced(key: str, replaced: int, newer: int, stays: bool) -> None:  # noqa: FBT001
    assert _stays(key, KEEP, replaced=replaced, newer=newer) is stays


FOREVER = retention.Keep(runs=None, artifacts=None)


@pytest.mark.parametrize(("key", "stays"), [(RECORD, False), (INDEX, False), (ARTIFACT, True), (FILE, True)])
def test_what_is_kept_for_ever(key: str, stays: bool) -> None:  # noqa: FBT001
    """Every record and index itself; of artifacts and files each earlier version too."""
    assert _stays(key, FOREVER, written=9999)
    assert _stays(key, FOREVER, replaced=9999, newer=500) is stays


def _stays(key: str, keep: retention.Keep, *, written: int = 0, replaced: int | None = None, newer: int = 0) -> bool:
    """Whether S3 keeps a version: the rule of its tag, if there is one, may end it."""
    tag = retention.object_tag(key, keep)
    matching = [rule for rule in LIFECYCLE_RULES if (rule.key, str(rule.value)) == tag]
    if replaced is None:
        return not any(rule.days and written > rule.days for rule in matching)
    return not any(replaced > rule.replaced_days and newer >= (rule.newest or 0) for rule in matching)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        pytest.param(Keep(), retention.Keep(), id="the defaults"),
        pytest.param(Keep(runs=31, artifacts=2, states=51), retention.Keep(60, 3, 100), id="between two steps"),
        pytest.param(Keep(runs=1, artifacts=9999, states=1), retention.Keep(1, 9999, 5), id="the ends"),
        pytest.param(Keep(runs=None, artifacts=None, states=100), retention.Keep(None, None, 100), id="for ever"),
    ],
)
def test_a_value_without_a_rule_counts_as_the_next_larger_one(keep: Keep, expected: retention.Keep) -> None:
    assert on_ladder(keep) == expected


def test_there_is_a_rule_for_each_tag(bucket: dict[str, Any]) -> None:
    """What has no tag is left alone, but for uploads nobody completed and markers of what is gone."""
    found = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    rules = {rule["Id"]: rule for rule in found}
    assert len(rules) == len(found) == 2 + 2 * len(DAYS) + len(STATES)
    assert [rules.pop(name) for name in ("leftovers", "templates", "keep-90", "keep-old-30", "states-50")] == [
        {
            "Id": "leftovers",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "templates",
            "Status": "Enabled",
            "Prefix": ".templates/",
            "ExpirationInDays": 7,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        _rendered("keep", "90", {"ExpirationInDays": 90}, 1),
        _rendered("keep-old", "30", {}, 30),
        _rendered("states", "50", {}, 1, NewerNoncurrentVersions=50),
    ]
    assert all(len(rule["TagFilters"]) == 1 for rule in rules.values())


def _rendered(key: str, value: str, more: dict[str, int], days: int, **newest: int) -> dict[str, Any]:
    """A rule as CloudFormation takes it."""
    rule = {"Id": f"{key}-{value}", "Status": "Enabled", "TagFilters": [{"Key": key, "Value": value}]}
    return {**rule, **more, "NoncurrentVersionExpiration": {"NoncurrentDays": days, **newest}}


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
    which = {"Tag": rule["TagFilters"][0]} if "TagFilters" in rule else {"Prefix": rule.get("Prefix", "")}
    made: dict[str, Any] = {"ID": rule["Id"], "Status": rule["Status"], "Filter": which}
    if days := rule.get("ExpirationInDays"):
        made["Expiration"] = {"Days": days}
    if marker := rule.get("ExpiredObjectDeleteMarker"):
        made["Expiration"] = {"ExpiredObjectDeleteMarker": marker}
    same = ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    return {**made, **{key: rule[key] for key in same if key in rule}}


# what is wrong


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
