"""Names of a project that AWS would refuse, found before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_kit.paths import ProjectPaths
from handoff_kit.project import name_limits
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.load import validate_project
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from handoff_kit.project.model import Project

LONG = 40 * "p"
LONGEST_ENVIRONMENT = 20 * "e"
SCHEDULES = "schedules: [{rate: 1 hour}]"


def test_every_allowed_name_is_taken_without_schedules() -> None:
    assert name_limits.name_problems(LONG, LONGEST_ENVIRONMENT, _project()) == ()


@pytest.mark.parametrize(
    ("name", "over"),
    [
        pytest.param(35 * "p", 0, id="64 characters"),
        pytest.param(36 * "p", 1, id="65"),
        pytest.param(LONG, 5, id="the longest"),
    ],
)
def test_a_group_of_schedules(name: str, over: int) -> None:
    stack = f"handoff-{LONGEST_ENVIRONMENT}-{name}"
    problem = name_limits.NameProblem(
        f"the name of a group of schedules would be {stack}, {len(stack)} characters; AWS takes at most 64",
        f"call the project or the environment by a name that is shorter by {over}",
    )
    assert name_limits.name_problems(name, LONGEST_ENVIRONMENT, _project(SCHEDULES)) == ((problem,) if over else ())


STACK = 128 * "s"


@pytest.mark.parametrize(
    ("length", "whats"),
    [
        pytest.param(64, [], id="64"),
        pytest.param(65, ["a group of schedules"], id="65"),
        pytest.param(73, ["a group of schedules"], id="73"),
        pytest.param(74, ["a state machine", "a group of schedules", "an SQS queue"], id="74"),
        pytest.param(
            120, ["a CloudFormation stack", "a state machine", "a group of schedules", "an SQS queue"], id="120"
        ),
    ],
)
def test_a_stack_that_is_called_otherwise(length: int, whats: list[str]) -> None:
    found = name_limits.stack_name_problems(STACK[:length], "dev", Deploy(), schedules=True)
    assert [obstacle.message.removeprefix("the name of ").partition(" would be ")[0] for obstacle in found] == whats
    assert [
        obstacle.message
        for obstacle in name_limits.stack_name_problems(STACK[:length], "dev", Deploy(), schedules=False)
    ] == [
        obstacle.message
        for obstacle in found
        if "group of schedules" not in obstacle.message and "queue" not in obstacle.message
    ]


def test_a_long_stack_is_told_everything_it_is_too_long_for() -> None:
    found = name_limits.stack_name_problems(1200 * "s", "dev", Deploy(), schedules=False)
    assert [obstacle.hint.rpartition(" ")[2] for obstacle in found] == [
        "1081",
        "944",
        "197",
        "945",
        "1127",
        "697",
        "698",
        "951",
    ]


@pytest.mark.parametrize(
    ("environment", "text", "problems"),
    [
        pytest.param(26 * "e", "", (), id="63 characters"),
        pytest.param(
            27 * "e",
            "",
            (
                name_limits.NameProblem(
                    f"the name of a bucket would be handoff-{27 * 'e'}-000000000000-us-isof-south-1, 64 characters; AWS takes at most 63",
                    "call the environment by a name that is shorter by 1",
                ),
            ),
            id="64 characters",
        ),
        pytest.param(27 * "e", "deploy: {bucket: ours}", (), id="a bucket of its own"),
    ],
)
def test_a_bucket(environment: str, text: str, problems: tuple[name_limits.NameProblem, ...]) -> None:
    assert name_limits.name_problems("a", environment, _project(text)) == problems


@pytest.mark.parametrize(
    ("name", "other", "what"),
    [
        pytest.param("a_b", "a-b", "the stack handoff-dev-a-b", id="_ and -"),
        pytest.param("a", "A", "the stack handoff-dev-a", id="case"),
        pytest.param("a--b", "a-b", "the repository handoff-dev-a-b", id="two dashes"),
        pytest.param("a", "a-registry", "the stack handoff-dev-a-registry", id="a registry"),
        pytest.param("a_schedule", "a", "the stack handoff-dev-a-schedule", id="a schedule"),
    ],
)
def test_projects_that_would_be_one(name: str, other: str, what: str) -> None:
    known = ("x", *sorted((name, other)))
    (problem,) = [found for found in name_limits.name_problems(name, "dev", _project(), known) if what in found.message]
    assert problem == (
        f"the projects {name} and {other} would share {what} in AWS, expected names that differ there too",
        f"rename one: git mv projects/{name} projects/{name}2",
    )


@pytest.mark.parametrize("other", ["ab", "a-b2", "b-a", "a-registry-b"])
def test_projects_that_stay_apart(other: str) -> None:
    assert name_limits.name_problems("a-b", "dev", _project(), ("a-b", other)) == ()


def test_all_are_refused_at_once(tmp_path: Path) -> None:
    place = ProjectPaths(LONG, tmp_path)
    with pytest.raises(ProjectFileError) as caught:
        name_limits.check_names(place, LONGEST_ENVIRONMENT, _project(SCHEDULES), (LONG, LONG.upper()))
    lines = str(caught.value).splitlines()
    assert (caught.value.exit_code, [line.partition(": ")[0] for line in lines]) == (
        2,
        ["error", "hint", "error", "hint"],
    )
    assert lines[0].startswith(
        f"error: projects/{LONG}/project.yml: the name of a group of schedules would be handoff-eee"
    )
    assert lines[2].startswith(
        f"error: projects/{LONG}/project.yml: the projects {LONG} and {LONG.upper()} would share "
    )


def test_nothing_is_refused_where_nothing_is_wrong(tmp_path: Path) -> None:
    name_limits.check_names(ProjectPaths("a", tmp_path), "dev", _project(SCHEDULES), ("a", "b"))


def _project(text: str = "") -> Project:
    return validate_project(parse_yaml(f"commands: [{{command: a}}]\n{text}\n", "project.yml"))
