"""Runs of a deployed project that fail, on parts that really run them: one message each to a webhook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from doubles.alert_subscriber import serve_subscriber
from doubles.runtime_project import until

from handoff_kit.aws.ecs.overrides import RunOptions, run_input

if TYPE_CHECKING:
    from doubles.deployed_project import DeployedProject

pytestmark = [pytest.mark.network, pytest.mark.takes(120)]

PROJECT = """\
vars: {what: "true"}
commands: [{shell: "{{ what }}"}]
alerts: ["https://example.com/alerts", "mailto:data@example.com"]
deploy: {stop_timeout: 2}
"""
COMMANDS = ["  invoke history.show --remote --run killed", "  invoke logs", "  invoke run"]
NO_IMAGE = "CannotPullContainerError: x: not found"


def execute(project: DeployedProject, name: str, what: str, **variables: str) -> str:
    """Run a shell line, in an execution of this name; how it ended."""
    sfn, machine = project.account.boto("stepfunctions"), project.account.outputs(project.stack)["Machine"]
    given = run_input(RunOptions("run", {"what": what}))
    given["environment"] += [{"Name": variable, "Value": text} for variable, text in variables.items()]
    arn = sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))["executionArn"]
    until(lambda: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", "the execution", 120)
    said = sfn.describe_execution(executionArn=arn)
    return str(said.get("error", said["status"]))


def test_each_failure_is_one_message(empty_account: DeployedProject) -> None:
    """By the run itself, where it can say something; and one of its recovery."""
    empty_account.rewrite(PROJECT)
    deployed = empty_account.must("deploy").stderr
    assert "notified of failures: webhook example.com; mail data@example.com\n" in deployed
    events = empty_account.account.boto("events")
    (destination,) = events.list_api_destinations()["ApiDestinations"]

    with serve_subscriber() as (url, got):
        events.update_api_destination(Name=destination["Name"], InvocationEndpoint=url)

        def message() -> dict[str, Any]:
            until(lambda: bool(got), "a message", 30)
            (one,) = got
            got.clear()
            return dict(one)

        assert execute(empty_account, "exits", "exit 1") == "Handoff.Failed"
        exits = message()
        assert (exits["kind"], exits["subject"]) == ("failed", "handoff dev/shop: failed, stage what ended with exit 1")
        assert 'invoke run --project shop --environment dev --data \'{"what": "exit 1"}\'' in exits["text"]
        assert execute(empty_account, "killed-stage", "kill -9 $$") == "Handoff.Failed"
        assert message()["subject"].startswith("handoff dev/shop: failed, stage what ")
        empty_account.account.faults.fail_start(NO_IMAGE, 7)
        assert execute(empty_account, "not-started", "true", HANDOFF_SCHEDULE="nightly") == "Handoff.NotStarted"
        never = message()
        assert never["subject"] == "handoff dev/shop: not started"
        reason = f"outcome      not started\nreason       {NO_IMAGE}"
        assert f"\nschedule     nightly\nexecution    not-started\n{reason}" in never["text"]

        assert execute(empty_account, "recovered", "true") == "SUCCEEDED"
        assert message()["kind"] == "recovered"
        assert execute(empty_account, "succeeded", "true") == "SUCCEEDED"
        assert execute(empty_account, "killed", "kill -9 $PPID; sleep 9") == "Handoff.Failed"
        killed = message()
        assert killed["subject"] == "handoff dev/shop: failed with exit code 137"
        assert [line for line in killed["text"].splitlines() if line.startswith("  ")] == [
            f"{command} --project shop --environment dev" for command in COMMANDS
        ]
        sent = empty_account.must("alerts.test").stderr
        assert message()["subject"] == "handoff dev/shop: test"
    assert "sent to webhook example.com\nsent to mail data@example.com\nnote: EventBridge calls webhooks" in sent
    status = empty_account.must("status").stdout
    assert "alerts     webhook example.com\nalerts     mail data@example.com\n" in status

    topic = empty_account.account.outputs(empty_account.stack)["AlertMail"]
    empty_account.account.boto("sns").delete_topic(TopicArn=topic)
    refused = empty_account.invoke("alerts.test")
    assert (refused.exit, "error: not sent to handoff-dev-shop-alerts: " in refused.stderr) == (1, True)
