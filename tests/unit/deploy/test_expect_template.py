"""The check that a run has succeeded in time, in the template of the task stack."""

from __future__ import annotations

from typing import Any

import pytest
from doubles.rendered_templates import ROOT, golden, lint, understood

from handoff_kit.deploy.templates import render_task_template
from handoff_kit.project.model import Project

STACK = "handoff-prod-rates"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BEGIN, END = "  # --- expect", "Outputs:"


def rendered(expect: dict[str, str], project: str = "rates", environment: str = "prod", **deploy: str) -> str:
    loaded = Project.model_validate({"commands": [{"command": "a"}], "expect": expect, "deploy": deploy})
    return render_task_template(ROOT, project, loaded, f"handoff-{environment}-{project}", environment)


def resources(text: str) -> dict[str, Any]:
    return dict(understood(text)["Resources"])


def test_what_is_rendered() -> None:
    text = rendered({"success_within": "32d"}, permissions_boundary="developer-boundary", kms_key=KEY)
    section = f"{BEGIN}{text.partition(BEGIN)[2].partition(END)[0]}"
    assert section == golden("expect.yml", section)


@pytest.mark.parametrize(
    "expect", [pytest.param({}, id="nothing"), pytest.param({"rows_at_least": "1"}, id="only rows")]
)
def test_nothing_is_rendered_without_a_span(expect: dict[str, str]) -> None:
    more = set(resources(rendered({"success_within": "26h"}))) - set(resources(rendered(expect)))
    assert more == {"ExpectMachine", "ExpectRole", "ExpectSchedule", "ExpectSchedulerRole"}
    assert BEGIN not in rendered(expect)


def test_the_check_depends_on_no_schedule_of_the_project() -> None:
    """`unschedule` deletes the schedule stack with its group; the check is in neither."""
    schedule = resources(rendered({"success_within": "26h"}))["ExpectSchedule"]["Properties"]
    assert "GroupName" not in schedule
    assert "State" not in schedule


@pytest.mark.parametrize("names", [("rates", "prod"), ("x" * 40, "y" * 20)], ids=["usual", "longest"])
def test_the_linter_finds_nothing(names: tuple[str, str]) -> None:
    assert lint(rendered({"success_within": "26h"}, *names)) == []
