"""The build context: exactly what enters, and the word that says what an image is made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.errors import ProjectError
from handoff_kit.image import context
from handoff_kit.image.context import context_digest, context_entries, sha256_of
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.steps import FIRST_TIME, Entry, WriteContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff_kit.project.model import Project

CANARY = "canary-5f1c-secret"
ROOT = Path(__file__).parents[3]
OURS = sorted(
    [path.relative_to(ROOT).as_posix() for path in (ROOT / "handoff_runtime").rglob("*.py")]
    + ["builder/boto3.txt", "builder/fill.py", "builder/uv.txt"]
)
ALWAYS = [
    "builder",
    "handoff_runtime",
    "handoff_runtime/aws",
    "handoff_runtime/supervisor",
    "locks",
    "project",
    "volumes",
    "volumes/.artifacts",
    "volumes/.env",
]
TEXT = """
venvs: {tap: [tap-jsonl]}
commands:
  - {command: tap-jsonl, venv: tap}
  - {command: b, venv: ./envs/b, installs: [pip install b]}
image: {exclude: [notebooks/, data/*.parquet, "*.log", deep/er/est, "[x]?", "./dotted"]}
"""
KEPT = {
    "impl.py": "def f(params, data): ...\n",
    "data/x.csv": "1\n",
    "data/deeper/x.parquet": "two deep: the pattern is one deep\n",
    "deep/er/estate": "",
    "deep/est": "",
    "deep/deep/er/est": "the pattern begins at the project\n",
    "sub/files/x": "only the project's own files/ is elsewhere\n",
    "sub/locks/x": "",
    "sub/venv/x": "",
    "sub/project.yml": "",
    "sub/x.log": "",
    "env": "",
    "a.env": "",
    ".envrc": "",
    ".github/x.yml": "",
    ".dockerignore": "*\n",
    "-rf": "",
    "grün/日本.txt": "ü\n",
    "with a blank/two\nlines.txt": "",
    "$HOME/`x`": "",
    "a*b[c]?": "",
}
LEFT_OUT = (
    ".local/tap.json",
    ".local/deep/key.pem",
    "sub/.local/key",
    ".env/config/tap.json",
    "sub/.env",
    ".env.prod",
    "sub/.env.local",
    ".artifacts/state",
    "sub/.artifacts/state",
    ".git/config",
    "sub/.git/config",
    "module/.git",
    ".hg/store",
    ".svn/entries",
    ".gitignore",
    "sub/.gitignore",
    ".DS_Store",
    "impl.py~",
    "sub/.impl.py.swp",
    "..env.prod.swp",
    "__pycache__/impl.cpython-311.pyc",
    "sub/__pycache__/x.txt",
    "old.pyc",
    "old.pyo",
    "venv/tap/bin/python",
    "venv/notes.txt",
    "envs/b/bin/python",
    "envs/foreign/pyvenv.cfg",
    "envs/foreign/lib/x.py",
    "deep/foreign/pyvenv.cfg",
    ".venv/bin/python",
    "files/x.csv",
    "locks/other.txt",
    "project.yml.d/../project.yml",
    "Dockerfile.j2",
    "notebooks/x.ipynb",
    "data/x.parquet",
    "x.log",
    "deep/er/est/x",
    "x1/x",
    "dotted/x",
)
LINKS = {
    "to-a-file": "impl.py",
    "sub/up": "../impl.py",
    "to-a-directory": "sub",
    "to-what-stays-out": ".local/tap.json",
    "to-nothing": "no-such-file",
    "round/and/round": "../../round",
}
EMPTY = ("empty", "sub/empty/deeper", ".hidden")


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    return rubbish(tmp_path / "a")


def rubbish(root: Path) -> ProjectPaths:
    """A project full of all that may lie about; whatever is to stay out holds the canary."""
    paths = ProjectPaths("shop", root)
    kept = {name: text.encode() for name, text in KEPT.items()}
    secret = {name: f"{CANARY} {name}\n".encode() for name in LEFT_OUT if ".." not in name}
    for name, content in {**kept, **secret, "project.yml": TEXT.encode()}.items():
        write(paths.directory / name, content)
    for name in ("tap", "b"):
        write(paths.lock(name), f"# {name}\n".encode())
    for name in EMPTY:
        (paths.directory / name).mkdir(parents=True)
    for name, target in LINKS.items():
        (paths.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.directory / name).symlink_to(target)
    for name, mode in {"impl.py": 0o755, "env": 0o2711, "a.env": 0o600, "deep/est": 0o477, "sub": 0o2770}.items():
        (paths.directory / name).chmod(mode)
    return paths


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def found(paths: ProjectPaths) -> tuple[Entry, ...]:
    return context_entries(paths, project(paths))


def project(paths: ProjectPaths) -> Project:
    return load_project(paths.file, paths.display_path)


def word(paths: ProjectPaths) -> str:
    return context_digest("FROM a\n", "linux/amd64", found(paths))


# what enters


def test_exactly_what_is_needed_enters(paths: ProjectPaths) -> None:
    files = [f"project/{name}" for name in KEPT] + ["locks/tap.txt", "locks/b.txt", *OURS]
    links = [f"project/{name}" for name in LINKS]
    directories = {
        str(parent)
        for name in (*files, *links, *(f"project/{name}/x" for name in EMPTY))
        for parent in Path(name).parents
    }
    directories |= {"project/module", "project/envs", *ALWAYS}
    assert [entry.path for entry in found(paths)] == sorted([*files, *links, *(directories - {"."})])


def test_each_is_what_it_was(paths: ProjectPaths) -> None:
    by_path = {entry.path: entry for entry in found(paths)}
    for name, text in KEPT.items():
        path = paths.directory / name
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        assert by_path[f"project/{name}"] == Entry(
            f"project/{name}", mode, path, None, len(text.encode()), sha256_of(path)
        )
    for name, target in LINKS.items():
        assert by_path[f"project/{name}"] == Entry(f"project/{name}", 0o777, target=target)
    assert by_path["project/sub"] == Entry("project/sub", 0o755)
    executable = {path for path, entry in by_path.items() if entry.source and entry.mode == 0o755}
    assert executable == {"project/impl.py", "project/env"}


def test_a_lock_is_that_of_its_venv(paths: ProjectPaths) -> None:
    by_path = {entry.path: entry.source for entry in found(paths)}
    assert (by_path["locks/tap.txt"], by_path["locks/b.txt"]) == (paths.lock("tap"), paths.lock("b"))


def test_no_secret_enters(paths: ProjectPaths, tmp_path: Path) -> None:
    """Neither by a path nor in a file nor behind a link, in the entries and in what is written of them."""
    apply((WriteContext(tmp_path / "context", found(paths)),), None, ApplyOptions(lambda _: None))
    assert CANARY not in repr(found(paths))
    written = [path for path in (tmp_path / "context").rglob("*") if path.is_file()]
    assert len(written) > len(KEPT)
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert [entry.path for entry in found(paths) if entry.source and CANARY in entry.source.read_text()] == []


def test_a_project_of_one_file(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    write(paths.file, b"commands: [{command: a}]\n")
    assert [entry.path for entry in found(paths)] == sorted([*ALWAYS, *OURS])


def test_everything_ours_enters_but_what_python_made(paths: ProjectPaths) -> None:
    entered = {entry.path for entry in found(paths)}
    for top, directory in (("handoff_runtime", context.RUNTIME), ("builder", context.PARTS)):
        ours = {path.relative_to(directory) for path in directory.rglob("*") if "__pycache__" not in path.parts}
        assert {f"{top}/{path}" for path in ours} == {path for path in entered if path.startswith(f"{top}/")}


def test_another_content_of_the_same_size_has_another_time(tmp_path: Path) -> None:
    """BuildKit takes a file of the same path, size and time for the one it has."""
    texts = [f"{number:08}" for number in range(1000)]
    found = [Entry("a", 0o644, tmp_path, None, 8, hashlib.sha256(text.encode()).hexdigest()) for text in texts]
    links = [Entry("a", 0o777, target=text) for text in texts]
    assert (len({entry.time for entry in found}), len({entry.time for entry in links})) == (1000, 1000)
    assert Entry("a", 0o755).time == FIRST_TIME


def test_whether_a_path_enters_is_what_entries_say(paths: ProjectPaths) -> None:
    entered = {entry.path.removeprefix("project/") for entry in found(paths) if entry.path.startswith("project/")}
    for name in (*KEPT, *LINKS, *EMPTY, *LEFT_OUT):
        if ".." not in name:
            assert context.enters_image(paths, project(paths), name) is (name in entered), name
    assert context.enters_image(paths, project(paths), ".")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param("link", "/etc/passwd", id="absolute"),
        pytest.param("link", "../other/x", id="outside"),
        pytest.param("link", "..", id="the directory above"),
        pytest.param("sub/link", "../../other", id="outside from below"),
        pytest.param("sub/link", "x/../../../y", id="outside by a detour"),
        pytest.param("two\nlines", "/x", id="a name of two lines"),
    ],
)
def test_a_link_out_of_the_project_is_refused(tmp_path: Path, name: str, target: str) -> None:
    paths = plain(tmp_path)
    (paths.directory / name).parent.mkdir(exist_ok=True)
    (paths.directory / name).symlink_to(target)
    with pytest.raises(ProjectError) as caught:
        found(paths)
    assert str(caught.value) == (
        f"error: projects/shop/{name}: found a link to {target}, expected one that stays inside the project\n"
        f"hint: put a copy in its place, or leave it out: image: {{exclude: [{name}]}}"
    )


def test_a_link_out_of_the_project_can_be_left_out(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    (paths.directory / "link").symlink_to("/etc/passwd")
    paths.file.write_text("commands: [{command: a}]\nimage: {exclude: [link]}\n")
    assert "project/link" not in [entry.path for entry in found(paths)]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    os.mkfifo(paths.directory / "pipe")
    with pytest.raises(ProjectError) as caught:
        found(paths)
    assert caught.value.message == ("error: projects/shop/pipe: expected a file or a directory".removeprefix("error: "))


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    paths.file.write_text("venvs: {a: [b]}\ncommands: [{command: a, venv: a}]\n")
    with pytest.raises(
        ProjectError, match=r"projects/shop/locks/a\.txt: No such file or directory, expected a readable file"
    ):
        found(paths)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("closed.txt", "closed.txt: Permission denied, expected a readable file", id="file"),
        pytest.param("closed", "closed: Permission denied, expected a readable directory", id="directory"),
    ],
)
def test_what_one_may_not_read_is_told(name: str, expected: str) -> None:
    with as_nobody() as root:
        paths = plain(root)
        closed = paths.directory / name
        closed.write_text("") if closed.suffix else closed.mkdir()
        closed.chmod(0)
        with unprivileged(), pytest.raises(ProjectError) as caught:
            found(paths)
        assert caught.value.message == f"projects/shop/{expected}"
        closed.chmod(0o700)


def plain(root: Path) -> ProjectPaths:
    paths = ProjectPaths("shop", root)
    write(paths.file, b"commands: [{command: a}]\n")
    write(paths.directory / "sub/x", b"x")
    return paths


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A directory that everyone can look into, as pytest's own are not."""
    root = Path(tempfile.mkdtemp(prefix="handoff-"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything; for this long we are not root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


# the digest


def test_the_same_inputs_have_the_same_digest(tmp_path: Path) -> None:
    """Elsewhere, made in another order under another umask, with other times and another owner."""
    first = rubbish(tmp_path / "a")
    second = ProjectPaths("shop", tmp_path / "elsewhere/b")
    before = os.umask(0o077)
    try:
        mirror(first.directory, second.directory)
    finally:
        os.umask(before)
    assert word(first) == word(second)
    assert [(entry.path, entry.mode) for entry in found(first)] == [(entry.path, entry.mode) for entry in found(second)]


def mirror(source: Path, target: Path) -> None:
    """The same files, the last first; only whether one is executable is kept of their modes."""
    for number, path in enumerate(sorted(source.rglob("*"), reverse=True)):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            there.symlink_to(path.readlink())
        elif path.is_dir():
            there.mkdir(exist_ok=True)
        else:
            shutil.copyfile(path, there)
            there.chmod(0o700 if path.stat().st_mode & 0o100 else 0o400)
        os.utime(there, (number, number), follow_symlinks=False)
        with suppress(PermissionError):
            os.chown(there, 1000 + number, 1000, follow_symlinks=False)


def rewrite(name: str, text: str) -> Callable[[ProjectPaths], Any]:
    return lambda paths: (paths.directory / name).write_text(text)


CHANGES = [
    pytest.param(rewrite("impl.py", "pass\n"), id="a file's content"),
    pytest.param(rewrite("data/x.csv", "1"), id="a newline less"),
    pytest.param(rewrite("new", ""), id="an empty file more"),
    pytest.param(lambda paths: (paths.directory / "new").mkdir(), id="an empty directory more"),
    pytest.param(lambda paths: (paths.directory / "empty").rmdir(), id="an empty directory less"),
    pytest.param(lambda paths: (paths.directory / "deep/est").unlink(), id="a file less"),
    pytest.param(lambda paths: (paths.directory / "env").rename(paths.directory / "env2"), id="a name"),
    pytest.param(lambda paths: (paths.directory / "env").chmod(0o644), id="no longer executable"),
    pytest.param(lambda paths: (paths.directory / "a.env").chmod(0o700), id="executable"),
    pytest.param(lambda paths: relink(paths, "to-a-file", "a.env"), id="where a link leads"),
    pytest.param(lambda paths: turn_into_a_file(paths, "to-a-file"), id="a file instead of a link"),
    pytest.param(lambda paths: paths.lock("tap").write_text("# other\n"), id="a lock"),
    pytest.param(lambda paths: paths.file.write_text(TEXT.replace("*.log", "*.lag")), id="what is left out"),
]
NO_CHANGES = [
    pytest.param(lambda paths: paths.file.write_text(TEXT + "vars: {a: b}\nmeter: bytes\n"), id="the project file"),
    pytest.param(rewrite(".local/tap.json", "new"), id="config"),
    pytest.param(rewrite(".env.prod", "new"), id="an environment file"),
    pytest.param(rewrite("files/x.csv", "new"), id="files that are mounted"),
    pytest.param(rewrite(".artifacts/state", "new"), id="state"),
    pytest.param(rewrite("locks/other.txt", "new"), id="the lock of no venv"),
    pytest.param(rewrite("venv/tap/bin/python", "new"), id="a venv made here"),
    pytest.param(rewrite("notebooks/new.ipynb", "new"), id="what the project leaves out"),
    pytest.param(rewrite("Dockerfile.j2", "new"), id="the template: its result is an input of its own"),
    pytest.param(lambda paths: (paths.directory / "impl.py").touch(), id="a time"),
    pytest.param(lambda paths: (paths.directory / "a.env").chmod(0o664), id="who may write"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_changes_the_digest(paths: ProjectPaths, change: Callable[[ProjectPaths], Any]) -> None:
    before = word(paths)
    change(paths)
    assert word(paths) != before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_the_image_has_not_does_not_change_the_digest(
    paths: ProjectPaths, change: Callable[[ProjectPaths], Any]
) -> None:
    before = word(paths)
    change(paths)
    assert word(paths) == before


def relink(paths: ProjectPaths, name: str, target: str) -> None:
    (paths.directory / name).unlink()
    (paths.directory / name).symlink_to(target)


def turn_into_a_file(paths: ProjectPaths, name: str) -> None:
    """One that holds just what the link held: where it leads."""
    target = (paths.directory / name).readlink()
    (paths.directory / name).unlink()
    (paths.directory / name).write_text(str(target))


def test_dockerfile_and_platform_are_inputs_too(paths: ProjectPaths) -> None:
    made = found(paths)
    words = {
        context_digest(text, platform, made) for text in ("FROM a\n", "FROM b\n") for platform in ("", "linux/arm64")
    }
    assert len(words) == 4


@pytest.mark.parametrize("part", ["RUNTIME", "PARTS"])
def test_a_change_of_ours_changes_the_digest(paths: ProjectPaths, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    copy = paths.root / part
    shutil.copytree(getattr(context, part), copy)
    before = word(paths)
    monkeypatch.setattr(context, part, copy)
    assert word(paths) == before
    next(copy.glob("*.py")).write_text("")
    assert word(paths) != before


def test_a_digest_is_one_word_whatever_the_names(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    (paths.directory / os.fsdecode(b"no-utf-8-\xff")).write_text("")
    assert len(word(paths)) == 64
    assert json.dumps([entry.path for entry in found(paths)])


# how large it would be


def test_only_what_would_enter_of_the_project_counts(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    for name, size in {"a": 1000, ".local/b": 1, "files/c": 2, "venv/d": 4}.items():
        write(paths.directory / name, b"x" * size)
    (paths.directory / "link").symlink_to("a")
    assert context.project_size(paths, project(paths)) == 1000 + len("x") + len("a")
