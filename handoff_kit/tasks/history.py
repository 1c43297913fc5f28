"""Tasks for past runs: history, history.show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from handoff_kit.console import print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import command

if TYPE_CHECKING:
    from handoff_kit.aws.ecs.cluster import ProjectTasks
    from handoff_kit.aws.history import HistoryLine, HistoryQuery, HistorySource, RecordedRun
    from handoff_kit.paths import ProjectPaths
    from handoff_runtime.masking import Mask

MOST_MISSED = 10
"""Missed schedules that a list of runs may begin with, none of which is a run."""


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
    """Print runs, newest first: time, trigger, outcome, culprit, rows, data; with --remote also those never started."""
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
    found = _find_runs(c, project, environment, remote=remote)
    runs, notes = found.list(HistoryQuery(found.environment, failed, started_since, count))
    print_data(json_lines(runs)) if json else print_output(runs_table(runs))
    for note in notes:
        print_progress(note)
    print_progress(command_after_history(runs, found.source, found.flags))


@command(
    "show",
    operates=True,
    help={
        "json": "Print the run's record as JSON; default: text",
        "lines": "Number of lines to print from the end of the log, e.g. 100; default: 20",
        "run": "Id of a run as `invoke history` prints it, e.g. 20270131T060000Z-3fc643, or name of an execution "
        "that left no record; default: the last run",
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
    found = _find_runs(c, project, environment, remote=remote)
    newest = history.HistoryQuery(found.environment, last=1 + MOST_MISSED)
    name = run or history.newest_run(found.list(newest)[0], found.source, found.flags)
    try:
        recorded = found.read(name)
    except history.UnknownRunError:
        if not found.show_execution(name, json=json):
            raise
        return
    print_data(to_json(recorded.record)) if json else print_output(history.format_run(recorded, count))
    found.explain_killed(recorded.record)
    print_progress(f"next: {history.command_after_run(recorded, found.paths, found.flags, remote=remote)}")


@dataclass(frozen=True)
class _Runs:
    """The runs of a project: `flags` select them in a next command, `environment` filters local ones.

    `tasks` is None for the runs of this machine, and of a project that is not deployed.
    """

    source: HistorySource
    flags: str
    environment: str | None
    paths: ProjectPaths
    tasks: ProjectTasks | None = None

    def list(self, query: HistoryQuery) -> tuple[Sequence[HistoryLine], tuple[str, ...]]:
        """The runs of a query, and notes: those in AWS with what left no record of them."""
        from handoff_kit.aws import history

        if not self.tasks:
            return history.list_runs(self.source, query), ()
        from handoff_kit.aws.ecs import run_history

        found = run_history.read_run_history(self.tasks, self.source, query, self._mask())
        return found.lines, (*run_history.reason_lines(found.lines), *found.notes)

    def read(self, run: str) -> RecordedRun:
        """A run by its record."""
        from handoff_kit.aws import history

        target = self.source.target
        return history.stored_run(target, run) if target else history.local_run(self.paths, run)

    def show_execution(self, name: str, *, json: bool) -> bool:
        """Print an execution and the next command; False where there is none of this name."""
        from handoff_kit.aws.ecs import run_history
        from handoff_kit.project.params_document import to_json

        report = run_history.read_execution(self.tasks, name, self._mask()) if self.tasks else None
        if not report or not self.tasks:
            return False
        shown = to_json(run_history.report_as_json(report)) if json else run_history.format_execution(report)
        print_data(shown) if json else print_output(shown)
        if report.outcome.hint:
            print_progress(f"hint: {report.outcome.hint}")
        after = self.tasks.invoke("logs" if report.outcome.task else "status")
        print_progress(f"next: {after}{f' --run {name}' if report.outcome.task else ''}")
        return True

    def explain_killed(self, record: Mapping[str, Any]) -> None:
        """Print why a run in AWS was killed, as far as its execution knows."""
        from handoff_kit.aws.ecs import run_history
        from handoff_kit.errors import AWSError

        try:
            reason, hint = run_history.reason_of_killed(self.tasks, record, self._mask()) if self.tasks else ("", None)
        except AWSError as error:
            reason, hint = f"unknown: {error.message}", error.hint
        if reason:
            print_progress(f"its execution {record['execution']}: {reason}" + (f"\nhint: {hint}" if hint else ""))

    def _mask(self) -> Mask:
        from handoff_kit.aws.ecs.secret_detection import project_mask

        return project_mask(self.paths)


def _find_runs(c: Context, project: str, environment: str, *, remote: bool) -> _Runs:
    from handoff_kit.aws.history import local_history, stored_history

    if remote:
        from handoff_kit.aws.ecs.cluster import deployed_settings, tasks_of_project

        deployed = options.find_deployed(c, project, environment)
        target = deployed.target
        settings = deployed_settings(deployed.stack, deployed.project)
        tasks = tasks_of_project(target, settings, deployed.stack) if deployed.stack else None
        return _Runs(stored_history(target, print_progress), f"--remote {target.options}", None, deployed.paths, tasks)
    paths = options.find_project(c, project)
    named = environment or os.environ.get("HANDOFF_ENVIRONMENT")
    environment_filter = options.parse_environment(environment, os.environ) if named else None
    return _Runs(local_history(paths, print_progress), f"--project {paths.name}", environment_filter, paths)
