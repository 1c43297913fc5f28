"""The invoke tasks: each reads its flags, loads, plans, executes, and says what next. tasks.py hands them to invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.collection import Collection

from handoff_kit.tasks import (
    artifacts,
    deploy,
    destroy,
    files,
    here,
    history,
    image,
    params,
    run,
    schedule,
    state,
    status,
)

if TYPE_CHECKING:
    from pathlib import Path

    from invoke.tasks import Task

__all__ = ["collection"]


def collection(root: Path) -> Collection:
    """Every task, by the name a user types; `root` is where projects/ lies."""
    made = Collection(
        here.check, here.install, here.new, here.run_local, here.show_commands,
        image.build, image.images, image.push, image.render,
        deploy.deploy, run.run, run.stop, run.logs, status.status, schedule.unschedule, destroy.destroy,
    )  # fmt: skip
    for each in (
        _of("params", params.push, params.pull, params.dump, params.diff, params.history, default=params.make),
        _of("files", files.push, files.list_),
        _of("artifacts", artifacts.get, artifacts.list_, artifacts.clear),
        _of("state", state.show, state.history, state.edit, state.restore, state.clear),
        _of("history", history.show, default=history.list_),
        _of("schedule", schedule.list_, default=schedule.put_in_force),
    ):
        made.add_collection(each)
    made.configure({"root": str(root)})
    return made


def _of(name: str, *tasks: Task[Any], default: Task[Any] | None = None) -> Collection:
    """Tasks with a first name in common; `default` is what the first name alone does."""
    made = Collection(name, *tasks)
    if default:
        made.add_task(default, default=True)
    return made
