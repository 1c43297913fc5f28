"""Plans done and told, with real files and real programs."""

from __future__ import annotations

import os
import re
import resource
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.target import Target
from handoff_kit.command import OutputPatterns
from handoff_kit.errors import CommandError
from handoff_kit.image.context import sha256_of
from handoff_kit.steps import (
    FIRST_TIME,
    ApiCall,
    ApiCalls,
    CopyProjectData,
    DeleteObjects,
    EndRuns,
    Entry,
    LockRequirements,
    RemoveTree,
    RunCommand,
    Step,
    StoreParams,
    SwitchVenv,
    UploadFiles,
    WriteContext,
    WriteFile,
)
from handoff_runtime.aws.transfer import LocalFile
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def messages_of(*steps: Step, dry: bool) -> list[str]:
    said: list[str] = []
    apply(steps, None, ApplyOptions(said.append, dry=dry, rewrite=True))
    return said


def names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def python(code: str, cwd: Path, *telling: str) -> RunCommand:
    return RunCommand((sys.executable, "-c", code), cwd, "try it", OutputPatterns(telling))


def test_a_dry_plan_tells_every_step_and_does_none(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    steps = (
        WriteFile(tmp_path / "build/x/pipeline.json", "é" * 617),
        RemoveTree(tmp_path / "old"),
        RunCommand(("touch", "a file"), tmp_path / "old", "touch it"),
        LockRequirements(
            lock=tmp_path / "locks/tap.txt",
            requirements=("tap-a", "b>=2"),
            argv=("uv", "pip", "compile", "-"),
            cwd=tmp_path,
            purpose="lock it",
            pythons=("3.10",),
        ),
        SwitchVenv(
            tmp_path / "venv/tap",
            tmp_path / "venv/.tap.1",
            tmp_path / "locks/tap.txt",
            "3.10",
            tmp_path / "locks/tap.txt",
        ),
        WriteContext(
            tmp_path / "build/x/context",
            (
                Entry("a", 0o755),
                Entry("a/b", 0o644, tmp_path / "b", None, 1200, "0" * 64),
                Entry("a/c", 0o644, tmp_path / "c", None, 34, "0" * 64),
                Entry("a/d", 0o777, target="b"),
            ),
        ),
    )
    assert messages_of(*steps, dry=True) == [
        "would write build/x/pipeline.json (1,234 bytes)",
        "would remove old",
        "would run touch 'a file' (in old)",
        "would resolve tap-a, b>=2 into locks/tap.txt: uv pip compile -",
        "would switch venv/tap to .tap.1",
        "would write build/x/context/ (2 files, 1,234 bytes)",
    ]
    assert names(tmp_path) == ["old"]


TARGET = Target("shop", "dev", "handoff-dev-shop", "new", "--project shop", cast("Any", None))
CALL = ApiCall("delete parameter shop__params", "ssm", "delete_parameter", {"Name": "shop__params"})


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(ApiCalls((CALL, CALL)), ["would delete parameter shop__params"] * 2, id="calls"),
        pytest.param(
            UploadFiles("new", "p/", (LocalFile("a\nb", "/a", 1200),), ("note: a link",)),
            ["note: a link", "would upload a^Jb (1,200 bytes)"],
            id="uploads",
        ),
        pytest.param(UploadFiles("new", "p/", ()), [], id="nothing to upload"),
        pytest.param(
            DeleteObjects("new", ("p/a", "p/b")),
            ["would delete s3://new/p/a", "would delete s3://new/p/b"],
            id="objects",
        ),
        pytest.param(StoreParams({}, 1, CALL), ["would delete parameter shop__params"], id="params"),
        pytest.param(
            StoreParams({}, 1, None, kept=("tap.json",)),
            [
                "note: a push keeps 1 stored config file that is not here: tap.json",
                "hint: to write them here: invoke params.pull --project shop; to remove them there: add --prune",
            ],
            id="params that are stored",
        ),
        pytest.param(
            CopyProjectData("old", "new", "p/", 1, 2000),
            ["would copy 1 object (2,000 bytes) from s3://old/p/ to s3://new/p/"],
            id="a move",
        ),
        pytest.param(
            EndRuns("c", (), "again"), ["would check that no run is under way in cluster c"], id="running tasks"
        ),
    ],
)
def test_a_dry_plan_calls_nothing_in_aws(step: Step, expected: list[str]) -> None:
    said: list[str] = []
    changed = apply((step,), TARGET, ApplyOptions(said.append, dry=True))
    assert (said, changed) == (expected, any(line.startswith("would") for line in expected))


def test_a_file_is_left_alone_where_it_holds_its_text(tmp_path: Path) -> None:
    path, said = tmp_path / "task.yml", list[str]()
    for _ in range(2):
        assert apply((WriteFile(path, "x"),), None, ApplyOptions(said.append)) == 0
    assert said == ["write task.yml (1 bytes)"]


def test_doing_a_plan_says_the_same_words(tmp_path: Path) -> None:
    assert messages_of(WriteFile(tmp_path / "a/b.txt", "hi\n"), RemoveTree(tmp_path / "c"), dry=False) == [
        "write a/b.txt (3 bytes)",
        "remove c",
    ]
    assert (tmp_path / "a/b.txt").read_bytes() == b"hi\n"


@pytest.mark.parametrize("mode", [pytest.param(0o600, id="private"), pytest.param(0o644, id="public")])
def test_a_file_has_its_mode_whatever_was_there(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "params.json"
    path.write_text("old")
    path.chmod(0o666)
    messages_of(WriteFile(path, "new\r\n", mode), dry=False)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\r\n", mode)
    assert names(tmp_path) == ["params.json"]


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    messages_of(WriteFile(tmp_path / "link", "new"), dry=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")
    with at_most(1000), pytest.raises(HandoffError, match=r"^error: could not write state: File too large$"):
        messages_of(WriteFile(path, "x" * 5000), dry=False)
    assert (names(tmp_path), path.read_text()) == (["state"], "old")


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file of ours may grow beyond this size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_directory_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(HandoffError, match="could not write taken: found a directory or a device"):
        messages_of(WriteFile(tmp_path / "taken", "x"), dry=False)
    assert names(tmp_path) == ["taken"]


def test_a_parent_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(HandoffError, match=r"could not write taken/x: "):
        messages_of(WriteFile(tmp_path / "taken/x", "x"), dry=False)


def test_trees_files_links_and_nothing_are_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "deep").mkdir(parents=True)
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / ".tree.removed/left").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(kept)
    messages_of(*(RemoveTree(tmp_path / name) for name in ("tree", "file", "link", "nothing")), dry=False)
    assert names(tmp_path) == ["kept", "kept/deep"]


# a build context


def entry(path: str, source: Path, content: str = "x", mode: int = 0o644) -> Entry:
    source.write_text(content)
    return Entry(path, mode, source, None, len(content), sha256_of(source))


def context_of(tmp_path: Path) -> WriteContext:
    entries = (
        Entry("p", 0o755),
        Entry("p/empty", 0o755),
        Entry("p/link", 0o777, target="nowhere"),
        entry("p/run", tmp_path / "run", "#!/bin/sh\n", 0o755),
        entry("p/two\nlines", tmp_path / "two", "2", 0o644),
        entry("q/r/s", tmp_path / "s"),
    )
    return WriteContext(tmp_path / "build/context", entries)


@pytest.mark.parametrize("umask", [pytest.param(0o077, id="narrow"), pytest.param(0o000, id="wide")])
def test_a_context_has_its_modes_and_times_wherever_it_is_written(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        messages_of(context_of(tmp_path), dry=False)
    finally:
        os.umask(before)
    top = tmp_path / "build/context"
    seen = {name: (top / name).lstat() for name in [".", *names(top)]}
    assert {name: stat.filemode(found.st_mode) for name, found in seen.items() if name not in (".", "q", "q/r")} == {
        "p": "drwxr-xr-x",
        "p/empty": "drwxr-xr-x",
        "p/link": "lrwxrwxrwx",
        "p/run": "-rwxr-xr-x",
        "p/two\nlines": "-rw-r--r--",
        "q/r/s": "-rw-r--r--",
    }
    times = {entry.path: entry.time for entry in context_of(tmp_path).entries}
    assert {name: found.st_mtime_ns for name, found in seen.items()} == {
        name: times.get(name, FIRST_TIME) * 10**9 for name in seen
    }
    assert ((top / "p/run").read_text(), (top / "p/link").readlink().name) == ("#!/bin/sh\n", "nowhere")


def test_a_context_replaces_the_one_that_was_there(tmp_path: Path) -> None:
    old = tmp_path / "build/context"
    (old / "p/empty/full").mkdir(parents=True)
    (old / "p/link").write_text("a file where a link shall be")
    messages_of(context_of(tmp_path), dry=False)
    first = names(tmp_path / "build")
    messages_of(context_of(tmp_path), dry=False)
    assert first == names(tmp_path / "build")
    assert first[1:] == [
        f"context/{name}" for name in ("p", "p/empty", "p/link", "p/run", "p/two\nlines", "q", "q/r", "q/r/s")
    ]


def test_a_context_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/context").write_text("")
    messages_of(context_of(tmp_path), dry=False)
    assert (tmp_path / "build/context/p/run").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda path: path.write_text("y"),
            "error: s: changed while it was read\nhint: run it again once the file no longer changes",
            id="changed",
        ),
        pytest.param(
            lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
            "error: s: changed while it was read\nhint: run it again once the file no longer changes",
            id="a link now",
        ),
        pytest.param(
            lambda path: path.unlink(), "error: could not write build/context: No such file or directory", id="gone"
        ),
    ],
)
def test_what_changed_since_it_was_looked_at_ends_it_and_leaves_the_old(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    step = context_of(tmp_path)
    (tmp_path / "build/context").mkdir(parents=True)
    (tmp_path / "build/context/old").write_text("")
    change(tmp_path / "s")
    with pytest.raises(HandoffError) as caught:
        messages_of(step, dry=False)
    assert str(caught.value) == message
    assert names(tmp_path / "build") == ["context", "context/old"]


def test_a_full_disk_leaves_the_old_context(tmp_path: Path) -> None:
    step = WriteContext(tmp_path / "build/context", (entry("big", tmp_path / "big", "x" * 5000),))
    (tmp_path / "build/context").mkdir(parents=True)
    with at_most(1000), pytest.raises(HandoffError, match=r"could not write build/context: "):
        messages_of(step, dry=False)
    assert names(tmp_path / "build") == ["context"]


# programs


def test_what_a_program_says_tells_where_why_and_what_to_do(tmp_path: Path) -> None:
    """The part that failed, then the cause, each by the first pattern that is found; a hint of its own, if one fits."""
    code = "import sys; print('step 7'); print('step 8 of tap'); print('no space'); sys.exit(4)"
    step = RunCommand(
        (sys.executable, "-c", code),
        tmp_path,
        "build it",
        OutputPatterns(
            causes=("not there", "no (space)", "step"),
            failed_parts=(r"step \d+ of (\w+)", r"step \d+"),
            hints=(("not there", "never"), ("space", "make room")),
        ),
    )
    with pytest.raises(CommandError) as caught:
        messages_of(step, dry=False)
    assert (
        str(caught.value)
        == f"error: could not build it: {sys.executable} ended with exit 4: tap: space\nhint: make room"
    )


def test_a_program_s_output_is_progress_not_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    messages_of(python("print('out'); import sys; sys.exit(len(sys.stdin.read()))", tmp_path), dry=False)
    assert capfd.readouterr() == ("", "out\n")


LINES = "".join(f"line {number}\n" for number in range(1, 31))
LAST = "".join(f"line {number}\n" for number in range(11, 31))


@pytest.mark.parametrize(
    ("terminal", "exit_code", "shown"),
    [
        pytest.param(False, 0, LINES, id="no terminal"),
        pytest.param(True, 0, "", id="folded"),
        pytest.param(True, 3, LAST, id="a failure shows the end"),
    ],
)
def test_the_output_that_goes_to_a_log_is_one_line_on_a_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    terminal: bool,  # noqa: FBT001  # of the table
    exit_code: int,
    shown: str,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log = tmp_path / "build/shop/build.log"
    code = f"print({LINES!r}, end=''); raise SystemExit({exit_code})"
    step = RunCommand((sys.executable, "-c", code), tmp_path, "try it", log=log)
    hint = ""
    try:
        messages_of(step, dry=False)
    except CommandError as error:
        hint = error.hint or ""
    assert log.read_text() == LINES
    said = capfd.readouterr().err
    whole = re.findall(r"(?:^|\x1b\[2K)(line \d+\n)", said, re.MULTILINE)
    assert ("".join(whole), "try it: 0:00" in said) == (shown, terminal)
    assert hint.endswith(f"; the whole output: less {log}") is bool(exit_code)


@pytest.mark.parametrize(
    ("code", "exit_code", "told_"),
    [
        pytest.param("raise SystemExit(3)", 3, "exit 3", id="exit"),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, "signal 9", id="signal"),
    ],
)
def test_a_failing_program_ends_the_plan(tmp_path: Path, code: str, exit_code: int, told_: str) -> None:
    with pytest.raises(CommandError) as caught:
        messages_of(python(code, tmp_path), WriteFile(tmp_path / "after", ""), dry=False)
    assert caught.value.exit_code == exit_code
    assert caught.value.message == f"could not try it: {sys.executable} ended with {told_}"
    assert (caught.value.hint or "").startswith(f"to repeat it: cd {tmp_path} && {sys.executable} -c ")
    assert names(tmp_path) == []


def test_the_telling_part_of_stderr_is_repeated_and_all_of_it_passed_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import sys; print('noise', file=sys.stderr); sys.exit('bad wheel: six')"
    with pytest.raises(CommandError, match="ended with exit 1: bad wheel: six\n"):
        messages_of(python(code, tmp_path, "not there", "bad wheel: .+", "noise"), dry=False)
    assert capfd.readouterr() == ("", "noise\nbad wheel: six\n")


def test_colours_hide_nothing_that_tells(tmp_path: Path) -> None:
    """Docker's old builder colours what comes on stderr, piece by piece."""
    code = r"import sys; print('\33[91mE\33[0m\33[91m: \33[0mUnable to \33[0mlocate x'); sys.exit(3)"
    with pytest.raises(CommandError) as caught:
        apply([python(code, tmp_path, "E: Unable to locate .")], None, ApplyOptions(list[str]().append))
    assert caught.value.message == f"could not try it: {sys.executable} ended with exit 3: E: Unable to locate x"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        messages_of(RunCommand(("no-such-program",), tmp_path, "build the image"), dry=False)
    assert caught.value.exit_code == 127
    assert str(caught.value) == (
        "error: could not build the image: found no program 'no-such-program'\n"
        "hint: install no-such-program, or put its directory on PATH"
    )


def test_a_program_that_is_not_executable_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(CommandError, match=r"could not try: ./plain: Permission denied") as caught:
        messages_of(RunCommand(("./plain",), tmp_path, "try"), dry=False)
    assert caught.value.exit_code == 126


def test_a_directory_that_is_not_there_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"could not try: no directory .*/gone"):
        messages_of(RunCommand(("true",), tmp_path / "gone", "try"), dry=False)
