"""Every file that handoff itself writes, damaged in every way, and the next commands: none ends in a traceback or waits."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from doubles.damages import DAMAGES, DAY, RECORD, RUN, WHOLE, line_of

from handoff_kit.aws.history import (
    HistoryQuery,
    format_run,
    list_runs,
    local_history,
    local_run,
    runs_table,
)
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document as documents
from handoff_kit.run.runtime_process import LocalRun, read_last_record
from handoff_kit.text import json_lines
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doubles.runtime_project import Finished, Project

RECORDS = (".artifacts/run.json", f".artifacts/runs/{RUN}/run.json")
OURS = (
    *RECORDS,
    f".artifacts/history/{DAY}.jsonl",
    ".artifacts/.lock",
    ".artifacts/state.new",
    ".artifacts/run.json.new",
    ".artifacts/.run.json",
    ".artifacts/collector_stats.json",
    ".artifacts/collector_stats.json.new",
    ".artifacts/stdout.log",
    ".artifacts/stderr.log",
    ".env/config/tap.json",
    ".env/files/a",
)
PLACES = (*OURS, ".artifacts/history", ".artifacts/runs", f".artifacts/runs/{RUN}", ".env", ".env/config", ".env/files")


def whole(project: Project) -> None:
    """A project after a run that was killed, with all that runs leave."""
    for name in OURS:
        project.write(name, "{}")
    for name in RECORDS:
        project.write(name, json.dumps(RECORD, indent=2))
    lines = [line_of("before", 1), line_of(RUN, 2)]
    project.write(f".artifacts/history/{DAY}.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    project.write("files/a", "a")
    project.keep(b"old\n")
    project.params("echo new", {"builtin": "collector_stats"}, files={"tap.json": "{}"})


def entries(project: Project) -> list[Any]:
    """The lines of the history that can be read, of all days."""
    found = []
    for path in sorted(project.path(".artifacts/history").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    return found


def went_well(project: Project, done: Finished) -> None:
    assert (done.exit, done.state, done.record["outcome"], "Traceback" in done.stderr) == (
        0,
        b"new\n",
        "succeeded",
        False,
    )
    ids = [line["run_id"] for line in entries(project) if isinstance(line, dict) and "run_id" in line]
    assert ids[-1] == done.record["run_id"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_next_run_when_all_is_damaged(project: Project, damage: str) -> None:
    whole(project)
    for name in OURS:
        path = project.path(name)
        path.write_bytes(DAMAGES[damage](path.read_bytes() if path.suffix in (".json", ".jsonl") else b"{}"))
    done = project.run()
    went_well(project, done)
    notes = [line for line in done.said("handoff") if line.startswith("note: .artifacts/run.json: ")]
    assert len(notes) == (damage not in WHOLE), done.stderr


@pytest.mark.parametrize("kind", ["directory", "pipe", "file", "link to itself"])
@pytest.mark.parametrize("name", PLACES)
def test_the_next_run_when_something_else_is_there(project: Project, name: str, kind: str) -> None:
    """It goes well, or says which command to paste; and then it goes well."""
    whole(project)
    path = project.path(name)
    subprocess.run(["rm", "-r", path], check=True)
    made: dict[str, Callable[[], object]] = {
        "directory": lambda: (path / "inner").mkdir(parents=True),
        "pipe": lambda: os.mkfifo(path),
        "file": lambda: path.write_text("1\n"),
        "link to itself": lambda: path.symlink_to(path.name),
    }
    made[kind]()
    done = project_run(project)
    if done.returncode:
        command = done.stderr.rpartition("hint: ")[2].splitlines()[0].rpartition(": ")[2]
        assert done.returncode == (1 if "collector_stats" in name else 69)
        assert re.fullmatch(r"rm -r \.(artifacts|env)\S*|mkdir -p \.local && mv -n \.env \.local/env", command)
        assert "Traceback" not in done.stderr
        subprocess.run(["sh", "-c", command], cwd=project.directory, check=True)
    went_well(project, project.run("-d", '{"run_id": "last"}'))


def project_run(project: Project) -> subprocess.CompletedProcess[str]:
    """One run whose files the harness does not read."""
    running = project.start(env={"LOG_FORMAT": "text"})
    stdout, stderr = running.process.communicate(timeout=8)
    return subprocess.CompletedProcess((), running.process.returncode, stdout.decode(), stderr.decode())


def test_an_empty_state_is_not_dropped_silently(project: Project) -> None:
    project.keep(b"")
    done = project.params("echo new").run()
    assert "note: .artifacts/state is empty, so this run begins without a state" in done.said("handoff")


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_a_state_that_is_no_file_is_left_to_the_user(project: Project, kind: str) -> None:
    whole(project)
    state = project.path(".artifacts/state")
    state.unlink()
    state.mkdir() if kind == "directory" else os.mkfifo(state)
    done = project_run(project)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        69,
        [
            f"error: .artifacts/state: a {'directory' if kind == 'directory' else 'named pipe'} found, a readable file expected",
            "hint: move it away, and put a state there: .artifacts/state",
        ],
    )
    assert state.exists()


# what the kit reads of them


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    found = ProjectPaths("sample", tmp_path)
    for name in RECORDS:
        path = found.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**RECORD, "outcome": "succeeded", "seconds": 1.5, "exit": 0}))
    index = found.directory / f".artifacts/history/{DAY}.jsonl"
    index.parent.mkdir()
    index.write_text("".join(f"{json.dumps(line)}\n" for line in (line_of("before", 1), line_of(RUN, 2))))
    return found


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_history_of_a_damaged_index(paths: ProjectPaths, damage: str) -> None:
    path = paths.directory / f".artifacts/history/{DAY}.jsonl"
    path.write_bytes(DAMAGES[damage](path.read_bytes()) + b"\n" + json.dumps(line_of("after", 3)).encode())
    said: list[str] = []
    found = list_runs(local_history(paths, said.append), HistoryQuery())
    assert "after" in [line["run_id"] for line in found]
    runs_table(found).encode("utf-8", "backslashreplace")
    json_lines(found)
    assert all(note.startswith(f"note: projects/sample/.artifacts/history/{DAY}.jsonl: line ") for note in said)
    assert len(said) == (damage not in (*WHOLE, "empty", "no stages", "other stages", "no state", "another state"))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_is_shown_or_named(paths: ProjectPaths, name: str, damage: str) -> None:
    path = paths.directory / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    expected = local_run(paths, RUN)  # of the two there is one that is whole, or it is this one
    assert format_run(expected, 5).startswith(f"run       {RUN}\n")
    documents.to_json(expected.record)
    path.with_name("stderr.log").unlink(missing_ok=True)
    for other in RECORDS:
        (paths.directory / other).write_bytes(path.read_bytes())
    run = LocalRun(paths.directory, "", "run", {}, None, "text")
    if damage in WHOLE:
        assert (local_run(paths, RUN).record["run_id"], read_last_record(run)[1]["run_id"]) == (RUN, RUN)
        return
    assert read_last_record(run)[1] == {}
    with pytest.raises(HandoffError) as error:
        local_run(paths, RUN)
    assert f".artifacts/runs/{RUN}/run.json: this record cannot be read (" in error.value.message
    assert "invoke history --json --project sample" in (error.value.hint or "")


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_history_without_an_index_and_with_a_damaged_record(paths: ProjectPaths, damage: str) -> None:
    (paths.directory / f".artifacts/history/{DAY}.jsonl").unlink()
    path = paths.directory / ".artifacts/run.json"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    said: list[str] = []
    found = list_runs(local_history(paths, said.append), HistoryQuery())
    assert (len(found), len(said)) == ((1, 0) if damage in WHOLE else (0, 1))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
def test_nothing_waits_for_what_is_no_file(paths: ProjectPaths, make: Any) -> None:
    for name in (*RECORDS, f".artifacts/history/{DAY}.jsonl"):
        (paths.directory / name).unlink()
        make(paths.directory / name)
    said: list[str] = []
    assert list_runs(local_history(paths, said.append), HistoryQuery()) == []
    assert [note.partition("found")[2] for note in said] == [", a file of lines expected: skipped"]
    assert read_last_record(LocalRun(paths.directory, "", "run", {}, None, "text")) == (None, {})
    with pytest.raises(HandoffError, match="this record cannot be read"):
        local_run(paths, RUN)
