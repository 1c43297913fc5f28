"""The places of a run: taken by one at a time, prepared afresh, nobody else's touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from handoff_runtime import workspace
from handoff_runtime.errors import BusyError, StoreError
from handoff_runtime.params import ConfigFile


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(place: str) -> dict[str, str]:
    return {path.relative_to(place).as_posix(): path.read_text() for path in Path(place).rglob("*") if path.is_file()}


def test_a_workspace_is_taken_once() -> None:
    lock = workspace.lock_directory()
    with pytest.raises(
        BusyError, match=rf"another run of this project is under way \(process {os.getpid()}\)"
    ) as caught:
        workspace.lock_directory()
    assert caught.value.hint == f"wait for it, or stop it: kill {os.getpid()}"
    os.close(lock)
    os.close(workspace.lock_directory())


def test_config_is_written_afresh() -> None:
    workspace.prepare([ConfigFile("a.json", "1"), ConfigFile("deep/b.txt", "é\r\n\ud800")])
    workspace.prepare([ConfigFile("a.json", "2")])
    assert tree(".env") == {"config/a.json": "2"}
    workspace.prepare([])
    assert (tree(".env"), Path(".env/config").is_dir()) == ({}, True)


def test_files_are_copied_afresh() -> None:
    Path("files/deep").mkdir(parents=True)
    Path("files/deep/a").write_text("a")
    workspace.prepare([])
    Path("files/deep/a").rename("files/b")
    workspace.prepare([])
    assert tree(".env/files") == {"b": "a"}


def test_links_in_what_was_left_are_not_followed() -> None:
    Path("precious").mkdir()
    Path("precious/a").write_text("a")
    Path(".env/config").mkdir(parents=True)
    Path(".env/config/link").symlink_to("../../precious", target_is_directory=True)
    Path(".env/config/dead").symlink_to("nowhere")
    workspace.prepare([])
    assert (tree("precious"), os.listdir(".env/config")) == ({"a": "a"}, [])  # noqa: PTH208


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(["a", "a"], r"\.env/config/a: File exists", id="twice"),
        pytest.param(["a", "a/b"], r"\.env/config/a: File exists", id="file and directory"),
        pytest.param(["x" * 300], r"File name too long", id="long name"),
    ],
)
def test_files_that_cannot_be_written_are_named(files: list[str], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        workspace.prepare([ConfigFile(name, "") for name in files])
    mask = os.umask(0o022)
    os.umask(mask)
    assert mask != 0o077


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        pytest.param(
            "echo TOKEN=x > .env",
            ".env/config: Not a directory",
            "keep it as config, which a run has as .env/config/env: mkdir -p .local && mv -n .env .local/env",
            id="dotenv",
        ),
        pytest.param(
            "mkfifo .env", ".env/config: Not a directory", "remove what is in its place: rm -r .env", id="pipe"
        ),
        pytest.param(
            "ln -s gone .env",
            ".env/config: No such file or directory",
            "remove what is in its place: rm -r .env",
            id="dangling link",
        ),
        pytest.param(
            "mkdir .env && echo > .env/config",
            ".env/config: a file found",
            "remove what is in its place: rm -r .env/config",
            id="file in it",
        ),
    ],
)
def test_what_is_in_the_way_of_config_is_named(command: str, message: str, hint: str) -> None:
    subprocess.run(["sh", "-c", command], check=True)
    with pytest.raises(StoreError) as caught:
        workspace.prepare([])
    assert (caught.value.message, caught.value.hint) == (f"{message}, a place one can write to expected", hint)


@pytest.mark.parametrize("command", ["ln -s gone files", "ln -s files files", "mkfifo files", "echo > files"])
def test_files_that_are_no_directory_are_noted(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True)
    assert workspace.prepare([]) == ["note: files: no directory found there: left out"]


def test_a_fresh_file_leaves_the_old_one_to_its_readers() -> None:
    Path(".artifacts").mkdir()
    first = workspace.create_file(".artifacts/stdout.log")
    os.write(first, b"old")
    second = workspace.create_file(".artifacts/stdout.log")
    os.write(second, b"new")
    assert (os.fstat(first).st_size, os.fstat(first).st_nlink, Path(".artifacts/stdout.log").read_text()) == (
        3,
        0,
        "new",
    )
    os.close(first)
    os.close(second)


@pytest.mark.parametrize(
    ("data", "rows"), [(b"", 0), (b"\n", 1), (b"a\nb", 2), (b"x\n" * workspace.BLOCK + b"y", workspace.BLOCK + 1)]
)
def test_a_file_is_measured(data: bytes, rows: int) -> None:
    Path("out").write_bytes(data)
    assert workspace.measure("out", count_rows=True) == (len(data), rows)
    assert workspace.measure("out", count_rows=False) == (len(data), None)


@pytest.mark.parametrize("count_rows", [True, False])
def test_a_file_that_is_gone_is_an_error(count_rows: bool) -> None:  # noqa: FBT001
    with pytest.raises(StoreError, match="out: No such file or directory, what the last stage wrote expected"):
        workspace.measure("out", count_rows=count_rows)
