"""No permission: each call that a task makes of AWS is refused, one after the other, in the words of its service.

What a user reads of each lies in tests/golden/refusals/; UPDATE_GOLDENS=1 writes it anew. The tests are one story.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubles.checkout import InvokeResult
    from doubles.deployed_project import DeployedProject

pytestmark = [pytest.mark.network, pytest.mark.takes(330)]

GOLDEN = Path(__file__).parents[1] / "golden/refusals"
# what IAM calls what an operation of S3 needs, where that is another name
ACTIONS = {
    "s3:DeleteObjects": "s3:DeleteObjectVersion",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
}


def read(result: InvokeResult) -> str:
    """What a user reads of a refusal: the error and its hint, or where the task goes on without, what it says of it."""
    lines = (result.stdout + result.stderr).splitlines()
    found = [line for line in lines if re.search(r"^(error|hint|note): |permission", line)]
    return "\n".join([f"exit {result.exit}", *found])


def compare(name: str, found: Mapping[str, InvokeResult]) -> None:
    """Each names the permission, and all are as they were."""
    unnamed = [call for call, result in found.items() if not re.search(rf"permission {action(call)} on ", read(result))]
    assert unnamed == [], "\n".join(f"{call}: {found[call]}" for call in unnamed)
    text = "".join(f"{call}\n{read(result)}\n\n" for call, result in found.items())
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def action(call: str) -> str:
    """As IAM writes it."""
    name = call.partition(" ")[0]
    return ACTIONS.get(name, name)


def test_a_first_deployment(empty_account: DeployedProject) -> None:
    found = empty_account.refused_in_turn("deploy")
    absent = found.pop("s3:GetObject handoff-dev-ACCOUNT-eu-central-1/handoff-dev-shop/deployments.jsonl")
    assert absent.exit == 0  # S3 refuses what is not there as well, and the listing has none
    compare("deploy-first", found)
    good = ("handoff-dev", "handoff-dev-shop", "handoff-dev-shop-registry")
    assert empty_account.account.stacks() == dict.fromkeys(good, "CREATE_COMPLETE")
    assert empty_account.leftovers() == {}
    assert empty_account.must("deploy").stderr.splitlines()[-2] == "no changes: the deployment is up to date"


def test_a_later_deployment(empty_account: DeployedProject) -> None:
    empty_account.must("deploy")
    empty_account.write(script="sleep 100", memory=1024)
    compare("deploy-later", empty_account.refused_in_turn("deploy"))
    assert empty_account.account.stacks()["handoff-dev-shop"] == "UPDATE_COMPLETE"
    assert empty_account.leftovers() == {}


@pytest.mark.parametrize("task", ["schedule", "schedule.list", "unschedule"])
def test_schedules(empty_account: DeployedProject, task: str) -> None:
    empty_account.must("deploy")
    if task != "schedule":
        empty_account.must("schedule")

    def unschedule() -> None:  # a refusal that is no more than a note has created the schedules
        if task == "schedule" and "handoff-dev-shop-schedule" in empty_account.account.stacks():
            empty_account.must("unschedule")

    compare(task, empty_account.refused_in_turn(task, ready=unschedule))
    assert ("handoff-dev-shop-schedule" in empty_account.account.stacks()) == (task != "unschedule")
    assert empty_account.leftovers() == {}


def test_a_run_that_is_stopped(empty_account: DeployedProject) -> None:
    empty_account.write(script="sleep 100")
    empty_account.must("deploy")
    before = len(empty_account.account.tasks())
    compare("run-detach", empty_account.refused_in_turn("run", "--detach"))
    assert (
        len(empty_account.account.tasks()) == before + 3
    )  # one where what ran before, or its own history, may not be read
    until(lambda: waits_for_tasks(empty_account) == [True], "one run, while the others have ended, since it runs")
    compare("stop", empty_account.refused_in_turn("stop"))
    reasons = {task["stoppedReason"] for task in empty_account.account.tasks()[before:]}
    assert reasons - {"Essential container in task exited"} == {"stopped by invoke"}  # one may find the other running


def waits_for_tasks(deployed: DeployedProject) -> list[bool]:
    """Whether each running execution has a task: `stop` treats those without one in another way."""
    sfn, machine = deployed.account.boto("stepfunctions"), deployed.account.outputs("handoff-dev-shop")["Machine"]
    running = sfn.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    histories = [sfn.get_execution_history(executionArn=each["executionArn"])["events"] for each in running]
    return [any("taskSubmittedEventDetails" in event for event in history) for history in histories]


def test_a_run(empty_account: DeployedProject) -> None:
    empty_account.write()
    empty_account.must("deploy")
    compare("run", empty_account.refused_in_turn("run", ready=empty_account.finish_tasks))
    compare("logs", empty_account.refused_in_turn("logs"))


@pytest.mark.parametrize("project", [None, ""], ids=["one project", "all projects"])
def test_status(empty_account: DeployedProject, project: str | None) -> None:
    empty_account.must("deploy")
    compare("status-one" if project is None else "status-all", empty_account.refused_in_turn("status", project=project))


def test_destroy(empty_account: DeployedProject) -> None:
    empty_account.must("deploy")
    empty_account.must("schedule")
    compare("destroy", empty_account.refused_in_turn("destroy", "--data"))
    assert empty_account.account.stacks() == {"handoff-dev": "CREATE_COMPLETE"}
    compare("destroy-shared", empty_account.refused_in_turn("destroy", "--shared", "--data", project=""))
    assert empty_account.account.stacks() == {}
