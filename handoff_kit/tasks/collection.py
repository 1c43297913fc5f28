"""Every task by the name a user types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task

from handoff_kit.tasks import alerts, data, deploy, history, image, local, params, run, schedule, state


def create_collection(root: Path) -> Collection:
    """The tasks; `root` is the directory that holds projects/."""
    tasks = Collection(
        *(local.check, local.install, local.new, local.run_local, local.show_commands),
        *(image.build, image.images, image.push, image.render),
        *(deploy.cost, deploy.deploy, deploy.rollback, deploy.destroy, deploy.status, deploy.verify),
        *(run.run, run.stop, run.logs, run.open_shell, schedule.unschedule, schedule.missed),
    )
    documents = (params.push_params, params.pull_params, params.dump_params, params.diff_params, params.list_params)
    states = (state.show_state, state.list_states, state.edit_state, state.restore_state, state.clear_state)
    _add(tasks, "alerts", alerts.send_test)
    _add(tasks, "params", *documents, default=params.make_params)
    _add(tasks, "files", data.push_files, data.list_files)
    _add(tasks, "artifacts", data.get_artifacts, data.list_artifacts, data.clear_artifacts)
    _add(tasks, "state", *states)
    _add(tasks, "history", history.show_run, default=history.list_runs)
    _add(tasks, "schedule", schedule.list_schedules, default=schedule.put_schedules)
    tasks.configure({"root": str(root)})
    return tasks


def _add(tasks: Collection, name: str, *members: Task[Any], default: Task[Any] | None = None) -> None:
    """Add the members as NAME.MEMBER, and `default` as NAME."""
    group = Collection(name, *members)
    if default:
        group.add_task(default, default=True)
    tasks.add_collection(group)
