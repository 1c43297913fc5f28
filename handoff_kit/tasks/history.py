"""Tasks for past runs: history, history.show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.context import Context

from handoff_kit.console import print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import command

if TYPE_CHECKING:
    from handoff_kit.aws.history import HistorySource
    from handoff_kit.paths import ProjectPaths


@command(
    "list",
    operates=True,
    help={
        "failed": "Print only runs that did not succeed; default: all runs",
        "json": "Print JSON with every figure, one object per line; default: a table",
        "last": "Number of runs to print at most, e.g. 5; default: 20, with --since all",
        "since": "Print only runs that started since: a date or time, e.g. 2027-01-31 or 2027-01-31T06:00:00Z, "
        "or an age, e.g. 90m, 24h, 7d or 2w; default: all runs",
    },
)
def list_runs(
    c: Context,
    project: str = "",
    remote: bool = False,
    failed: bool = False,
    last: str = "",
    since: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print past runs, newest first: time, trigger, outcome, culprit, duration, rows, state."""
    from handoff_kit.aws import history
    from handoff_kit.aws.history import (
        DEFAULT_RUNS,
        HistoryQuery,
        command_after_history,
        parse_count,
        parse_since,
        runs_table,
    )
    from handoff_kit.text import json_lines

    started_since = parse_since(since, options.utc_now())
    count = parse_count("--last", last) or (None if started_since else DEFAULT_RUNS)
    source, flags, environment_filter, _ = _find_runs(c, project, environment, remote=remote)
    runs = history.list_runs(source, HistoryQuery(environment_filter, failed, started_since, count))
    print_data(json_lines(runs)) if json else print_output(runs_table(runs))
    print_progress(command_after_history(runs, source, flags))


@command(
    "show",
    operates=True,
    help={
        "json": "Print the run's record as JSON; default: text",
        "lines": "Number of lines to print from the end of the log, e.g. 100; default: 20",
        "run": "Id of a run as `invoke history` prints it, e.g. 20270131T060000Z-3fc643; default: the last run",
    },
)
def show_run(
    c: Context,
    project: str = "",
    run: str = "",
    remote: bool = False,
    lines: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print one run: outcome, stages, the last lines of its log."""
    from handoff_kit.aws import history
    from handoff_kit.project.params_document import to_json

    count = history.parse_count("--lines", lines) or history.LOG_LINES
    source, flags, environment_filter, paths = _find_runs(c, project, environment, remote=remote)
    name = run or history.newest_run(source, environment_filter, flags)
    recorded = history.stored_run(source.target, name) if source.target else history.local_run(paths, name)
    print_data(to_json(recorded.record)) if json else print_output(history.format_run(recorded, count))
    print_progress(f"next: {history.command_after_run(recorded, paths, flags, remote=remote)}")


def _find_runs(
    c: Context, project: str, environment: str, *, remote: bool
) -> tuple[HistorySource, str, str | None, ProjectPaths]:
    """The runs, the flags that select them in a next command, the environment to filter local runs by, the paths."""
    from handoff_kit.aws.history import local_history, stored_history

    if remote:
        paths, target = options.find_target(c, project, environment)
        return stored_history(target, print_progress), f"--remote {target.options}", None, paths
    paths = options.find_project(c, project)
    named = environment or os.environ.get("HANDOFF_ENVIRONMENT")
    environment_filter = options.parse_environment(environment, os.environ) if named else None
    return local_history(paths, print_progress), f"--project {paths.name}", environment_filter, paths
