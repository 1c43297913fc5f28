"""What would change in a stack, from two templates, parameters and tags; and how it is listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from handoff_kit.aws.cloudformation.changeset import parse_change
from handoff_kit.aws.cloudformation.diff import CREATE_ONLY, StackChange, diff_stack, merge_changes
from handoff_kit.aws.cloudformation.output import change_lines, change_warnings, count_changes
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.template import parse_template
from handoff_kit.steps import DeployStack

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE, LOGS, BUCKET, TASK = "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::ECS::TaskDefinition"
DIGEST = f"1.dkr/shop@sha256:{'ab' * 32}"


def found(
    text: str, parameters: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
) -> StackDescription:
    return StackDescription("x", "UPDATE_COMPLETE", parameters or {}, {}, tags or {}, text)


def wanted(text: str, tags: Mapping[str, str] | None = None) -> DeployStack:
    return DeployStack("x", Path("x.yml"), text, {}, tags or {}, "invoke deploy")


def resources(*lines: str) -> str:
    return "\n  ".join(("Resources:", *lines)) + "\n"


A = "A: {Type: AWS::IAM::Role, Properties: {Policies: [{Name: a, Actions: [x, y]}], Path: /}}"


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        pytest.param(A, A, [], id="the same"),
        pytest.param(A, f"# a comment\n  {A}", [], id="a comment"),
        pytest.param(A, A.replace("Role,", "Role, DependsOn: B,"), [], id="order of making"),
        pytest.param(
            A, A.replace("[x, y]", "[x, z]"), [StackChange("change", "A", ROLE, ("Policies.0.Actions.1",))], id="deep"
        ),
        pytest.param(
            A,
            A.replace("[x, y]", "[x]"),
            [StackChange("change", "A", ROLE, ("Policies.0.Actions",))],
            id="a list's length",
        ),
        pytest.param(A, A.replace(", Path: /", ""), [StackChange("replace", "A", ROLE, ("Path",))], id="create-only"),
        pytest.param(
            A,
            A.replace("IAM::Role", "SNS::Topic"),
            [StackChange("replace", "A", "AWS::SNS::Topic", ("Type",))],
            id="type",
        ),
        pytest.param(
            A,
            A.replace("Role,", "Role, DeletionPolicy: Retain,"),
            [StackChange("change", "A", ROLE, ("DeletionPolicy",))],
            id="an attribute",
        ),
        pytest.param(
            A,
            A.replace("A:", "B:"),
            [StackChange("remove", "A", ROLE), StackChange("add", "B", ROLE)],
            id="another name",
        ),
        pytest.param(
            "A: {Type: AWS::S3::Bucket, DeletionPolicy: Retain}",
            A.replace("A:", "B:"),
            [StackChange("remove", "A", BUCKET, retained=True), StackChange("add", "B", ROLE)],
            id="kept",
        ),
        pytest.param(
            "A: {Type: AWS::S3::Bucket, UpdateReplacePolicy: Retain, Properties: {BucketName: a}}",
            "A: {Type: AWS::S3::Bucket, UpdateReplacePolicy: Retain, Properties: {BucketName: b}}",
            [StackChange("replace", "A", BUCKET, ("BucketName",), retained=True)],
            id="kept when replaced",
        ),
        pytest.param(
            "A: {Type: T, Properties: {P: !GetAtt B.Arn, Q: !Ref B, R: !Sub '${B}'}}",
            "A: {Type: T, Properties: {P: {Fn::GetAtt: [B, Arn]}, Q: {Ref: B}, R: {Fn::Sub: '${B}'}}}",
            [],
            id="the long form",
        ),
        pytest.param(
            "A: {Type: T, Properties: {P: !Ref B, Q: !Join ['', [a, !Ref B]]}}",
            "A: {Type: T, Properties: {P: !Ref C, Q: !Join ['', [a, !Ref C]]}}",
            [StackChange("change", "A", "T", ("P", "Q"))],
            id="functions",
        ),
        pytest.param(
            "A: {Type: T, Properties: {P: 10}}", "A: {Type: T, Properties: {P: '10'}}", [], id="a number as text"
        ),
    ],
)
def test_resources(there: str, here: str, expected: list[StackChange]) -> None:
    assert list(diff_stack(found(resources(there)), wanted(resources(here)), {})) == expected


PARAMETERS = """
Parameters:
  Image: {Type: String}
  Days: {Type: Number, Default: 7}
Resources:
  Task: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Image: !Ref Image, Name: !Sub 'x-${Image}-${AWS::Region}'}]}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
Outputs:
  Image: {Value: !Ref Image}
  Logs: {Value: !GetAtt Logs.Arn}
"""


def test_a_parameter_and_what_it_reaches() -> None:
    there = found(PARAMETERS, {"Image": "a", "Days": "7"})
    assert diff_stack(there, wanted(PARAMETERS), {"Image": "a"}) == ()
    assert diff_stack(there, wanted(PARAMETERS), {"Image": "a", "Days": "14"}) == (
        StackChange("change", "Logs", LOGS, ("RetentionInDays",)),
        StackChange("change", "Days", "parameter", ("7 -> 14",)),
    )
    assert diff_stack(there, wanted(PARAMETERS), {"Image": DIGEST}) == (
        StackChange("replace", "Task", TASK, ("ContainerDefinitions.0.Image", "ContainerDefinitions.0.Name")),
        StackChange("change", "Image", "parameter", ("a -> 1.dkr/shop@sha256:abababababab",)),
        StackChange("change", "Image", "output", ("a -> 1.dkr/shop@sha256:abababababab",)),
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            ("!GetAtt Logs.Arn", "!Ref Logs"),
            StackChange("change", "Logs", "output", ("Logs.Arn -> ${Logs}",)),
            id="output",
        ),
        pytest.param(
            ("  Logs: {Value: !GetAtt Logs.Arn}\n", ""),
            StackChange("remove", "Logs", "output", ("Logs.Arn",)),
            id="no output",
        ),
        pytest.param(
            ("Outputs:", "Conditions: {C: !Equals [a, b]}\nOutputs:"),
            StackChange("change", "Conditions", "template"),
            id="condition",
        ),
    ],
)
def test_what_is_no_resource(change: tuple[str, str], expected: StackChange) -> None:
    there = found(PARAMETERS, {"Image": "a", "Days": "7"})
    assert diff_stack(there, wanted(PARAMETERS.replace(*change)), {"Image": "a"}) == (expected,)


def test_tags() -> None:
    text = resources(A)
    there = found(text, tags={"a": "1", "b": "2"})
    assert diff_stack(there, wanted(text, {"b": "3", "c": "4"}), {}) == (
        StackChange("remove", "a", "tag", ("1",)),
        StackChange("change", "b", "tag", ("2 -> 3",)),
        StackChange("add", "c", "tag", ("4",)),
    )


def test_a_stack_that_is_not_there() -> None:
    assert diff_stack(None, wanted(PARAMETERS, {"a": "1"}), {"Image": "a"}) == (
        StackChange("add", "Logs", LOGS),
        StackChange("add", "Task", TASK),
    )


@pytest.mark.parametrize("text", ["", "a", "[]", "Resources: [", "Resources: {A: 1}", "Resources: []"])
def test_what_is_no_template_is_no_reason_to_fail(text: str) -> None:
    """CloudFormation will say what is wrong with it."""
    assert diff_stack(found(text), wanted(resources(A)), {})
    assert diff_stack(found(resources(A)), wanted(text), {})


def test_json_is_read_too() -> None:
    json = '{"Resources": {"A": {"Type": "T", "Properties": {"P": {"Fn::GetAtt": ["B", "Arn"]}}}}}'
    assert parse_template(json) == parse_template(resources("A: {Type: T, Properties: {P: !GetAtt B.Arn}}"))


# what CloudFormation tells


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"Action": "Add"}, StackChange("add", "A", TASK), id="add"),
        pytest.param(
            {"Action": "Remove", "PolicyAction": "Retain"}, StackChange("remove", "A", TASK, retained=True), id="kept"
        ),
        pytest.param({"Action": "Remove", "PolicyAction": "Delete"}, StackChange("remove", "A", TASK), id="remove"),
        pytest.param(
            {
                "Action": "Modify",
                "Replacement": "True",
                "PolicyAction": "ReplaceAndDelete",
                "Scope": ["Properties"],
                "Details": [
                    {
                        "Target": {
                            "Attribute": "Properties",
                            "Name": "ContainerDefinitions",
                            "RequiresRecreation": "Always",
                            "Path": "/Properties/ContainerDefinitions/0/Image",
                        },
                        "Evaluation": "Static",
                        "ChangeSource": "DirectModification",
                    },
                    {
                        "Target": {
                            "Attribute": "Properties",
                            "Name": "ContainerDefinitions",
                            "RequiresRecreation": "Always",
                            "Path": "/Properties/ContainerDefinitions/0/Image",
                        },
                        "Evaluation": "Dynamic",
                        "ChangeSource": "ParameterReference",
                        "CausingEntity": "Image",
                    },
                    {"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}, "Evaluation": "Static"},
                ],
            },
            StackChange("replace", "A", TASK, ("ContainerDefinitions.0.Image", "Tags")),
            id="replaced",
        ),
        pytest.param(
            {
                "Action": "Modify",
                "Replacement": "Conditional",
                "Details": [{"Target": {"Attribute": "Properties", "Name": "Path"}}],
            },
            StackChange("may replace", "A", TASK, ("Path",)),
            id="perhaps",
        ),
        pytest.param({"Action": "Modify", "Replacement": "False"}, StackChange("change", "A", TASK), id="no details"),
    ],
)
def test_a_change_as_cloudformation_tells_it(answer: dict[str, Any], expected: StackChange) -> None:
    assert parse_change({"LogicalResourceId": "A", "ResourceType": TASK, **answer}) == expected


def test_what_is_told_and_what_is_seen_become_one() -> None:
    result = (
        StackChange("replace", "B", TASK, ("Cpu",)),
        StackChange("change", "A", ROLE),
        StackChange("change", "C", ROLE, ("Tags",)),
    )
    seen = (
        StackChange("change", "A", ROLE, ("Policies.0.Name",)),
        StackChange("change", "B", TASK, ("Cpu",)),
        StackChange("change", "D", ROLE, ("Path",)),
        StackChange("add", "t", "tag", ("1",)),
    )
    assert merge_changes(result, seen) == (
        StackChange("change", "A", ROLE, ("Policies.0.Name",)),
        StackChange("replace", "B", TASK, ("Cpu",)),
        StackChange("change", "C", ROLE, ("Tags",)),
        StackChange("add", "t", "tag", ("1",)),
    )


# listed


LISTED = (
    StackChange("add", "Alarm", "AWS::CloudWatch::Alarm"),
    StackChange("remove", "Bucket", BUCKET, retained=True),
    StackChange("replace", "Logs", LOGS, ("LogGroupName",)),
    StackChange("may replace", "Missed", "AWS::SQS::Queue", ("A", "B", "C", "D", "E")),
    StackChange("remove", "Role", ROLE),
    StackChange("remove", "Topic", "AWS::SNS::Topic"),
    StackChange("change", "Image", "parameter", ("a -> b",)),
)


def test_the_list() -> None:
    assert change_lines(LISTED) == (
        "  + Alarm   AWS::CloudWatch::Alarm",
        "  - Bucket  AWS::S3::Bucket",
        "  ~ Logs    AWS::Logs::LogGroup     LogGroupName (replaced)",
        "  ~ Missed  AWS::SQS::Queue         A, B, C, D and 1 more (may be replaced)",
        "  - Role    AWS::IAM::Role",
        "  - Topic   AWS::SNS::Topic",
        "  ~ Image   parameter               a -> b",
    )
    assert count_changes(LISTED) == "1 to create, 1 to update, 1 to replace, 1 to maybe replace, 3 to delete"
    assert change_lines(()) == ()


def test_what_is_lost_is_said() -> None:
    replaced = StackChange("replace", "Images", "AWS::ECR::Repository", ("RepositoryName",), retained=True)
    assert change_warnings((*LISTED, replaced, StackChange("remove", "Old", LOGS))) == (
        "note: Bucket (AWS::S3::Bucket) leaves the stack, but is retained with the objects in it",
        "warning: Logs (AWS::Logs::LogGroup) is replaced by an empty one, and the logs in it are lost",
        "warning: Missed (AWS::SQS::Queue) may be replaced by an empty one, and the messages in it are lost",
        "warning: Images (AWS::ECR::Repository) is replaced by an empty one; the images stay in the old one, which leaves the stack",
        "warning: Old (AWS::Logs::LogGroup) is deleted, and the logs in it are lost",
        "warning: Role, Topic are deleted",
    )


@pytest.mark.parametrize("kind", sorted(CREATE_ONLY))
def test_what_replaces_is_what_the_schemas_say(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    known = {path.removeprefix("/properties/").partition("/")[0] for path in schema.get("createOnlyProperties", ())}
    assert set(CREATE_ONLY[kind]) <= known


# conditions

CONDITIONAL = """
Parameters: {Kept: {Type: String, Default: "no"}}
Conditions: {Makes: !Equals [!Ref Kept, "no"], Odd: !Not [!Equals [!Ref Kept, "no"]]}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Condition: Makes, DeletionPolicy: Retain}
  Other: {Type: AWS::IAM::Role, Condition: Odd}
"""
OTHER = StackChange("add", "Other", ROLE)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({}, [StackChange("add", "Bucket", BUCKET), OTHER], id="by default"),
        pytest.param({"Kept": "no"}, [StackChange("add", "Bucket", BUCKET), OTHER], id="it holds"),
        pytest.param({"Kept": "yes"}, [OTHER], id="it does not; another is not understood"),
    ],
)
def test_what_is_made_under_a_condition(parameters: dict[str, str], expected: list[StackChange]) -> None:
    assert list(diff_stack(None, wanted(CONDITIONAL), parameters)) == expected


def test_a_condition_that_holds_no_more() -> None:
    seen = diff_stack(found(CONDITIONAL, {"Kept": "no"}), wanted(CONDITIONAL), {"Kept": "yes"})
    assert StackChange("remove", "Bucket", BUCKET, retained=True) in seen
