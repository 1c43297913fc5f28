"""A run in a container: the words that start it, what is mounted, and what is told of its end."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.run import container as containers
from handoff_kit.run.container import create_container
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IMAGE = "handoff-shop:c0ffee"
USER = "1000:100"
SAFE = "--read-only --cap-drop ALL --security-opt no-new-privileges --security-opt label=disable"


def builder(kind: Any = "docker", *, rootless: bool = False, image: dict[str, Any] | None = None) -> Builder:
    """One that knows whether it is rootless, and this image."""
    said = {"docker": "[name=rootless]", "podman": "rootless=true"}[kind] if rootless else ""
    found = json.dumps([image or {"Id": "sha256:1"}])

    def ask(argv: Sequence[str]) -> Answer:
        return Answer(0, said if argv[1] == "info" else found, "")

    return Builder(kind, "linux/amd64", ask)


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    return paths


def words(worker: Builder, paths: ProjectPaths, environ: dict[str, str] | None = None, **asked: Any) -> tuple[str, ...]:
    """The argv, with its name, which is random, written as NAME."""
    made = create_container(worker, IMAGE, paths, environ=environ or {}, user=USER, **asked)
    assert made.argv.count(made.name) == 1
    return tuple("NAME" if word == made.name else word for word in made.argv)


def values(argv: Sequence[str], option: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


def mounts(paths: ProjectPaths, *more: str) -> tuple[str, ...]:
    kept = (f"type=bind,source={paths.directory / name},target=/app/{name}" for name in (".artifacts", ".env"))
    return tuple(word for mount in (*kept, *more) for word in ("--mount", mount))


def test_the_words_that_start_it(paths: ProjectPaths) -> None:
    assert words(builder(), paths) == (
        *("docker", "run", "--rm", "--interactive", "--name", "NAME", "--label", "handoff.run=shop"),
        *SAFE.split(),
        *("--user", "1000:100", "--stop-timeout", "30"),
        *mounts(paths),
        *("--env", "IMAGE_DIGEST=sha256:1", IMAGE),
    )


@pytest.mark.parametrize(
    ("kind", "rootless", "expected"),
    [
        pytest.param("docker", False, ["--user", "1000:100"], id="docker"),
        pytest.param("podman", False, ["--user", "1000:100"], id="podman of root"),
        pytest.param("docker", True, ["--user", "0:0"], id="rootless docker: its root is the caller"),
        pytest.param("podman", True, ["--userns", "keep-id", "--user", "1000:100"], id="rootless podman"),
    ],
)
def test_artifacts_are_the_caller_s(
    paths: ProjectPaths,
    kind: str,
    rootless: bool,  # noqa: FBT001  # a table
    expected: list[str],
) -> None:
    argv = words(builder(kind, rootless=rootless), paths)
    begin = argv.index(expected[0])
    assert list(argv[begin : begin + len(expected)]) == expected
    assert argv[0] == kind
    assert argv.count("--user") == 1
    assert ("--userns" in argv) is (expected[0] == "--userns")


def test_nothing_of_the_caller_s_environment_gets_in_but_what_is_named(paths: ProjectPaths) -> None:
    environ = {"STOP_TIMEOUT": "7", "TRIGGER": "cron", "AWS_SECRET_ACCESS_KEY": "hunter2", "PATH": "/bin"}
    argv = words(builder(), paths, environ)
    assert values(argv, "--env") == ["STOP_TIMEOUT=7", "TRIGGER=cron", "IMAGE_DIGEST=sha256:1"]
    assert values(argv, "--stop-timeout") == ["7"]
    assert "hunter2" not in " ".join(argv)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "30"), ("7", "7"), ("2.5", "3"), ("1", "2"), ("600", "120")],
)
def test_it_is_given_the_time_that_the_runtime_takes_to_stop(paths: ProjectPaths, text: str, expected: str) -> None:
    """Whole seconds, which is all that docker knows, and no less than the runtime counts with."""
    assert values(words(builder(), paths, {"STOP_TIMEOUT": text}), "--stop-timeout") == [expected]


def test_a_time_that_is_none_is_told_by_us(paths: ProjectPaths) -> None:
    with pytest.raises(HandoffError, match=r"^error: STOP_TIMEOUT: 'soon' found, seconds from 2 to 120 expected"):
        words(builder(), paths, {"STOP_TIMEOUT": "soon"})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({"Id": "sha256:abc"}, "IMAGE_DIGEST=sha256:abc", id="docker"),
        pytest.param({"Id": "abc"}, "IMAGE_DIGEST=sha256:abc", id="podman"),
    ],
)
def test_the_run_knows_its_image(paths: ProjectPaths, image: dict[str, Any], expected: str) -> None:
    assert values(words(builder(image=image), paths), "--env") == [expected]


def test_an_image_that_went_away_meanwhile(paths: ProjectPaths) -> None:
    gone = Builder("docker", "", lambda _: Answer(1, "[]", "No such image"))
    assert values(words(gone, paths), "--env") == ["IMAGE_DIGEST="]


def test_files_are_mounted_where_there_are_some(paths: ProjectPaths) -> None:
    (paths.directory / "files").mkdir()
    files = f"type=bind,source={paths.directory / 'files'},target=/app/files,readonly"
    assert values(words(builder(), paths), "--mount") == list(mounts(paths, files)[1::2])


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a b", 'a","b', "ü", "a\nb"])
def test_a_path_may_hold_whatever_a_path_may_hold(tmp_path: Path, name: str) -> None:
    """A mount is a line of CSV; read as one, it says what was meant."""
    paths = ProjectPaths("shop", tmp_path / name)
    paths.directory.mkdir(parents=True)
    result = [next(csv.reader(io.StringIO(mount))) for mount in values(words(builder(), paths), "--mount")]
    assert result == [
        ["type=bind", f"source={paths.directory / kept}", f"target=/app/{kept}"] for kept in (".artifacts", ".env")
    ]


def test_a_link_is_mounted_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real/projects/shop").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    argv = words(builder(), ProjectPaths("shop", tmp_path / "link"))
    assert values(argv, "--mount") == list(mounts(ProjectPaths("shop", tmp_path / "real"))[1::2])


@pytest.mark.parametrize("asked", ["1", "512m", "2G", "100000000", "7k", "9b"])
def test_a_memory_limit(paths: ProjectPaths, asked: str) -> None:
    assert containers.parse_memory(asked) == asked
    assert values(words(builder(), paths, memory=asked), "--memory") == [asked]


def test_no_memory_limit() -> None:
    assert containers.parse_memory("") is None


@pytest.mark.parametrize("asked", ["0", "-1", "512mb", "1.5g", "512 m", "m", "lots", "1t", "512m\n", "٣"])
def test_no_amount_of_memory(asked: str) -> None:
    with pytest.raises(ProjectError) as caught:
        containers.parse_memory(asked)
    assert str(caught.value) == (
        f"error: --memory: found {asked!r}, expected bytes, or a number with k, m or g\nhint: --memory 512m"
    )


@pytest.mark.parametrize(
    ("kind", "environ"),
    [
        pytest.param("docker", {"DOCKER_HOST": "ssh://me@elsewhere"}, id="docker by ssh"),
        pytest.param("docker", {"DOCKER_HOST": "tcp://10.0.0.1:2376"}, id="docker by tcp"),
        pytest.param("podman", {"CONTAINER_HOST": "ssh://me@elsewhere"}, id="podman by ssh"),
        pytest.param("podman", {"CONTAINER_HOST": "tcp://10.0.0.1:8080"}, id="podman by tcp"),
    ],
)
def test_another_machine_is_refused(paths: ProjectPaths, kind: str, environ: dict[str, str]) -> None:
    [(name, host)] = environ.items()
    with pytest.raises(ImageError) as caught:
        words(builder(kind), paths, environ)
    assert str(caught.value) == (
        f"error: {kind} runs on another machine ({host}), but the artifacts are to be written on this one\n"
        f"hint: unset {name}"
    )


@pytest.mark.parametrize(
    ("kind", "environ"),
    [
        pytest.param("docker", {"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, id="a socket here"),
        pytest.param("docker", {"DOCKER_HOST": ""}, id="empty"),
        pytest.param("docker", {"CONTAINER_HOST": "ssh://me@elsewhere"}, id="podman's, for docker"),
        pytest.param("podman", {"DOCKER_HOST": "ssh://me@elsewhere"}, id="docker's, for podman"),
    ],
)
def test_this_machine_is_not(paths: ProjectPaths, kind: str, environ: dict[str, str]) -> None:
    assert words(builder(kind), paths, environ)


def test_each_run_has_a_container_of_its_own(paths: ProjectPaths) -> None:
    names = {create_container(builder(), IMAGE, paths, environ={}, user=USER).name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("handoff-run-shop-") for name in names)


def test_what_is_mounted_is_made_before(paths: ProjectPaths) -> None:
    """Or docker would make it, and it would be root's."""
    before = os.umask(0o022)
    try:
        containers.create_mounts(paths)
        (paths.directory / ".artifacts/state").write_text("kept")
        containers.create_mounts(paths)
    finally:
        os.umask(before)
    modes = {path.name: stat.filemode(path.stat().st_mode) for path in paths.directory.iterdir()}
    assert modes == {".artifacts": "drwxr-xr-x", ".env": "drwx------"}
    assert (paths.directory / ".artifacts/state").read_text() == "kept"


def test_a_file_in_the_place_of_a_mount_is_named(paths: ProjectPaths) -> None:
    paths.directory.mkdir(parents=True, exist_ok=True)
    (paths.directory / ".env").write_text("TOKEN=x\n")
    with pytest.raises(ProjectError, match=r"projects/shop/\.env: File exists, expected a directory") as caught:
        containers.create_mounts(paths)
    hint = "see what it is: ls -ld projects/shop/.env; config belongs into projects/shop/.local"
    assert caught.value.hint == hint


def test_it_is_removed_with_its_volumes() -> None:
    asked: list[Sequence[str]] = []

    def ask(argv: Sequence[str]) -> Answer:
        asked.append(argv)
        return Answer(1, "", "No such container")

    containers.remove_container(Builder("podman", "", ask), "handoff-run-shop-1")
    assert asked == [("podman", "rm", "--force", "--volumes", "handoff-run-shop-1")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(Answer(0, "oom\n", ""), True, id="killed"),
        pytest.param(Answer(0, "oom\noom\n", ""), True, id="twice"),
        pytest.param(Answer(0, "", ""), False, id="not killed"),
        pytest.param(Answer(0, "\n", ""), False, id="nothing told"),
        pytest.param(Answer(1, "", "unknown filter"), False, id="no answer"),
    ],
)
def test_whether_memory_ended_it(answer: Answer, expected: bool) -> None:  # noqa: FBT001  # a table
    asked: list[Sequence[str]] = []

    def ask(argv: Sequence[str]) -> Answer:
        asked.append(argv)
        return answer

    assert containers.was_out_of_memory(Builder("docker", "", ask), "handoff-run-shop-1", 1234.6) is expected
    [argv] = asked
    assert argv[:2] == ("docker", "events")
    assert 1234 <= float(values(argv, "--since")[0]) <= 1235
    assert values(argv, "--filter") == ["container=handoff-run-shop-1", "event=oom"]
    assert "--until" in argv, "else it would wait for more"
