"""Open a shell in a running task: `aws ecs execute-command`, for which the AWS CLI needs its Session Manager plugin."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.tasks import Task, describe_task, list_running_tasks, task_id
from handoff_kit.command import NOT_FOUND
from handoff_kit.errors import AWSError, CommandError
from handoff_kit.resource_names import CONTAINER

AGENT = "ExecuteCommandAgent"
INSTALL = {
    "aws": "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "session-manager-plugin": "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html",
}


def find_executable_task(tasks: ProjectTasks, task: str) -> Task:
    """The task of this id, else the newest running one; AWSError where its agent takes no commands."""
    found = describe_task(tasks, task) if task else next(iter(list_running_tasks(tasks)), None)
    if found is None:
        message = f"task {task_id(task)}: not found" if task else f"no task of {tasks.family} runs"
        raise AWSError(message, f"see which runs: {tasks.invoke('status')}; to start one: {tasks.invoke('run')}")
    name, status = f"task {task_id(found['taskArn'])}", found["lastStatus"]
    if status != "RUNNING":
        raise AWSError(f"{name}: found {status}, expected RUNNING", f"see which runs: {tasks.invoke('status')}")
    if not found.get("enableExecuteCommand"):
        hint = f"{tasks.file}: deploy: {{exec: true}}, then: {tasks.invoke('deploy')}, and start another run"
        raise AWSError(f"{name}: started without `deploy.exec`, which lets `invoke exec` into it", hint)
    agents = [agent for container in found.get("containers", ()) for agent in container.get("managedAgents", ())]
    agent: dict[str, str] = next((agent for agent in agents if agent.get("name") == AGENT), {})
    if (state := agent.get("lastStatus", "PENDING")) != "RUNNING":
        why = f" ({agent['reason']})" if agent.get("reason") else ""
        hint = (
            "it starts within a minute; it needs a way to ssmmessages: a public address, a NAT gateway or an endpoint"
        )
        raise AWSError(f"{name}: its {AGENT} is {state}{why}, expected RUNNING", hint)
    return found


def execute_command(tasks: ProjectTasks, task: Task, shell: str) -> tuple[str, ...]:
    """The words of the command that opens a session in a task."""
    return (
        *("aws", "ecs", "execute-command", "--region", tasks.target.session.region, "--cluster", tasks.cluster),
        *("--task", task_id(task["taskArn"]), "--container", CONTAINER, "--interactive", "--command", shell),
    )


def check_programs(command: str, which: Callable[[str], str | None] = shutil.which) -> None:
    """CommandError where the AWS CLI or its plugin is missing; `command` can be pasted where they are installed."""
    if missing := [program for program in INSTALL if not which(program)]:
        install = " and ".join(INSTALL[program] for program in missing)
        hint = f"install it: {install}; or paste where both are: {command}"
        raise CommandError(f"found no program {' and no '.join(missing)}", NOT_FOUND, hint)
