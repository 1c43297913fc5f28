"""The check that a run has succeeded in time, in the template of the task stack."""

from __future__ import annotations

import json
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


def test_no_subject_is_longer_than_sns_takes() -> None:
    """Amazon SNS API Reference, Publish: less than 100 characters."""
    found = resources(rendered({"success_within": "999999999s"}, "x" * 50, "production"))
    check, alert = (found[name]["Properties"]["Definition"]["States"] for name in ("ExpectMachine", "AlertMachine"))
    (missed,) = found["MissedRule"]["Properties"]["Targets"]
    composed = alert["Compose"]["Parameters"]["subject.$"].split("'")[1].format("failed without an exit code")
    silence, unread = (check[name]["Parameters"]["subject"] for name in ("Now", "Unread"))
    name = f"handoff production/{'x' * 26}...: "
    assert [silence, composed, json.loads(missed["Input"])["subject"]] == [
        f"{name}no run has succeeded within 999999999s",
        f"{name}failed without an exit code",
        f"{name}missed, not started",
    ]
    assert (unread, len(unread)) == (f"{name}unknown whether a run has succeeded within 999...", 99)


@pytest.mark.parametrize("names", [("rates", "prod"), ("x" * 40, "y" * 20)], ids=["usual", "longest"])
def test_the_linter_finds_nothing(names: tuple[str, str]) -> None:
    assert lint(rendered({"success_within": "26h"}, *names)) == []
