"""What leaves a stack with a resource that is gone, and the template without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff_kit.aws.cloudformation.dependents import dependents, without_resources
from handoff_kit.aws.cloudformation.template import parse_template
from handoff_kit.errors import AWSError

FOUND = sorted((Path(__file__).parents[2] / "golden/templates").glob("*.yml"))
GOLDENS = [path for path in FOUND if "\nResources:" in path.read_text(encoding="utf-8")]  # others are parts of one
TEMPLATE = """\
Description: a stack
Resources:
  # --- the log
  Log: {Type: AWS::Logs::LogGroup}

  Role: # of the task
    Type: AWS::IAM::Role
    Properties:
      Path: /

  # --- the task
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Log: !Ref Log
      Role: !GetAtt Role.Arn
  Alarm:
    Type: AWS::CloudWatch::Alarm
    DependsOn: [Task]
    Properties:
      Name: !Sub "${Other}-${AWS::Region}"
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      Name: !Sub ["${Mine}-${Role.Arn}", {Mine: !Ref Alarm}]

Outputs:
  Task:
    Description: the task
    Value: !Ref Task
  Name:
    Value: shop # by name
  Alarm:
    Value:
      Fn::GetAtt: [Alarm, Arn]
  Unknown:
    Value: !Ref Task
"""


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        pytest.param(["Queue"], (), id="nothing depends on it"),
        pytest.param(["Log"], ("Alarm", "Queue", "Task"), id="Ref, DependsOn, and a value of Sub, in turn"),
        pytest.param(["Role"], ("Alarm", "Queue", "Task"), id="GetAtt and Sub"),
        pytest.param(["Log", "Task"], ("Alarm", "Queue"), id="several"),
        pytest.param([], (), id="nothing is gone"),
    ],
)
def test_what_depends_on_a_resource_leaves_with_it(gone: list[str], expected: tuple[str, ...]) -> None:
    assert dependents(parse_template(TEMPLATE)["Resources"], gone) == expected


def test_the_rest_of_a_template_stays_byte_for_byte() -> None:
    """An output of what leaves has its deployed value."""
    outputs = {"Task": 'arn:"1"', "Name": "shop", "Alarm": "arn:alarm"}
    found = without_resources(TEMPLATE, {"Task", "Alarm", "Queue"}, outputs, "stack x")
    expected = TEMPLATE[: TEMPLATE.index("  Task:\n    Type")] + TEMPLATE[TEMPLATE.index("\nOutputs:") :]
    expected = expected.replace("Value: !Ref Task", 'Value: "arn:\\"1\\""', 1)
    expected = expected.replace("Value:\n      Fn::GetAtt: [Alarm, Arn]", 'Value:\n      "arn:alarm"')
    assert found == expected


def test_a_template_without_resources_has_one_that_costs_nothing() -> None:
    found = without_resources("Resources:\n  Log:\n    Type: AWS::Logs::LogGroup\n", {"Log"}, {}, "stack x")
    assert parse_template(found)["Resources"] == {"Placeholder": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}


@pytest.mark.parametrize(
    "template", ['{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}}', "Resources: []", "a: [", ""]
)
def test_a_template_in_flow_style_is_refused(template: str) -> None:
    with pytest.raises(AWSError) as caught:
        without_resources(template, {"Log"}, {}, "stack shop")
    assert str(caught.value) == (
        "error: stack shop: its template is not written in YAML's block style, so no resource can be taken out of it\n"
        "hint: see it: aws cloudformation get-template --stack-name shop"
    )


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_every_resource_of_ours_can_be_taken_out(path: Path) -> None:
    """What is left refers to nothing that has left, and nothing else is another."""
    text = path.read_text(encoding="utf-8")
    if "\nResources:" not in text:  # a part of the task stack
        text = f"Resources:\n{text}\nOutputs: {{}}\n"
    template = parse_template(text)
    for name in template["Resources"]:
        leaves = {name, *dependents(template["Resources"], [name])}
        left = parse_template(
            without_resources(text, leaves, dict.fromkeys(template["Outputs"], "deployed"), "stack x")
        )
        expected = {key: one for key, one in template["Resources"].items() if key not in leaves}
        assert left["Resources"] == (expected or left["Resources"])
        probe = {**template["Resources"], **{f"Output{key}": one for key, one in left["Outputs"].items()}}
        assert [key for key in dependents(probe, leaves) if key.startswith("Output")] == []
        assert {key for key, one in left["Outputs"].items() if one != template["Outputs"][key]} <= {
            key for key, one in left["Outputs"].items() if one["Value"] == "deployed"
        }
