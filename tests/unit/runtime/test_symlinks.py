"""What may lie where a file is expected: never waited for, never followed out of the directory it is to be in."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff_runtime import symlinks, workspace
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in/deep").mkdir(parents=True)
    Path("in/file").write_text("file")
    Path("out").mkdir()
    Path("out/secret").write_text("hunter2")


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)


LINKS = {
    "to a file inside": ("in/file", None),
    "to a file inside, by a detour": ("in/../in/deep/../file", None),
    "to a file outside": ("out/secret", "a link to out/secret found, which is outside of in"),
    "to a file outside, by a link": ("in/hop/secret", "a link to out/secret found, which is outside of in"),
    "to a directory outside": ("out", "a directory found"),
    "to itself": ("in/x", "Too many levels of symbolic links"),
    "to nothing": ("in/none", "No such file or directory"),
    "to a device": ("/dev/zero", "a device found"),
    "to a place beside, whose name begins alike": ("in-2", "a link to in-2 found, which is outside of in"),
}
KINDS: dict[str, tuple[Callable[[str], object], str]] = {
    "a directory": (os.mkdir, "a directory found"),
    "a named pipe": (os.mkfifo, "a named pipe found"),
    "a socket": (bind, "No such device or address"),
}


def opened(path: str) -> str | None:
    """Why it is not opened."""
    try:
        assert symlinks.read_file(path, os.path.realpath("in")) == b"file"
    except OSError as error:
        return error.strerror
    return None


@pytest.mark.parametrize("case", LINKS)
def test_a_link(case: str) -> None:
    target, expected = LINKS[case]
    Path("in-2").write_text("another")
    Path("in/hop").symlink_to("../out")
    Path("in/x").symlink_to(Path(target).absolute())
    assert opened("in/x") == expected


@pytest.mark.parametrize("case", KINDS)
def test_no_file(case: str) -> None:
    make, expected = KINDS[case]
    make("in/x")
    assert opened("in/x") == expected


def test_files_are_copied_without_what_leads_out_or_in_a_circle() -> None:
    Path("in").rename("files")
    for name, target in {
        "inside": "file",
        "of deep": "deep",
        "secret": "../out/secret",
        "all of it": "../out",
        "passwd": "/etc/passwd",
        "self": ".",
        "deep/up": "..",
        "none": "nowhere",
    }.items():
        Path("files", name).symlink_to(target)
    Path("files/deep/a").write_text("a")
    os.mkfifo("files/pipe")
    notes = workspace.prepare([])
    copied = [path.relative_to(".env/files").as_posix() for path in Path(".env/files").rglob("*") if path.is_file()]
    assert sorted(copied) == ["deep/a", "file", "inside", "of deep/a"]
    assert [path for path in Path(".env/files").rglob("*") if path.is_symlink()] == []
    assert sorted(set(notes)) == [
        "note: files/all of it: a link to out, which is outside of files: left out",
        "note: files/deep/up: a link to a directory that it is in: left out",
        "note: files/none: no file found there: left out",
        "note: files/of deep/up: a link to a directory that it is in: left out",
        "note: files/passwd: a link to /etc/passwd, which is outside of files: left out",
        "note: files/pipe: no file found there: left out",
        "note: files/secret: a link to out/secret, which is outside of files: left out",
        "note: files/self: a link to a directory that it is in: left out",
    ]


def test_nothing_is_cleared_in_a_directory_that_env_leads_to(tmp_path: Path) -> None:
    outside = tmp_path.with_name("outside")
    (outside / "config").mkdir(parents=True)
    (outside / "config/precious").write_text("a")
    Path(".env").symlink_to(outside)
    with pytest.raises(StoreError, match=r"\.env: a symbolic link found, a place one can write to expected") as error:
        workspace.prepare([])
    assert (error.value.hint, (outside / "config/precious").read_text()) == (
        "remove what is in its place: rm -r .env",
        "a",
    )


def test_what_is_written_beside_is_not_written_through_a_link() -> None:
    Path("in/x.new").symlink_to("../out/secret")
    os.close(workspace.create_file("in/x.new"))
    assert (Path("out/secret").read_text(), Path("in/x.new").is_symlink()) == ("hunter2", False)
