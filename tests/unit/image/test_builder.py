"""Who builds: found, asked whether it works, and told in plain words where it does not."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.errors import ImageError
from handoff_kit.image import builder
from handoff_kit.image.builder import Answer, Builder, ask, find_builder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DOCKER_IS_FINE = Answer(0, "linux/amd64\n", "")
PODMAN_IS_FINE = Answer(0, "linux/arm64\n", "")
UNREACHABLE = Answer(
    1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
)
DENIED = Answer(
    1,
    "",
    "WARNING: something else\npermission denied while trying to connect to the Docker daemon socket at "
    "unix:///var/run/docker.sock\n",
)
START = "start it: sudo systemctl start docker, or Docker Desktop; "
INSTALL = "install one: https://docs.docker.com/engine/install or https://podman.io/docs/installation"


def answering(**answers: Answer) -> tuple[Callable[[str], str | None], Callable[[Sequence[str]], Answer]]:
    """A PATH with these programs, and what each says when it is asked for its version."""

    def asking(argv: Sequence[str]) -> Answer:
        assert argv[1] == "version"
        return answers[argv[0]]

    return (lambda name: f"/bin/{name}" if name in answers else None), asking


@pytest.fixture(autouse=True)
def _no_docker_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)


@pytest.mark.parametrize(
    ("asked", "answers", "expected"),
    [
        pytest.param(None, {"docker": DOCKER_IS_FINE}, ("docker", "linux/amd64", None), id="docker alone"),
        pytest.param(None, {"podman": PODMAN_IS_FINE}, ("podman", "linux/arm64", None), id="podman alone"),
        pytest.param(
            "auto",
            {"docker": DOCKER_IS_FINE, "podman": PODMAN_IS_FINE},
            ("docker", "linux/amd64", None),
            id="docker goes first",
        ),
        pytest.param(
            "podman",
            {"docker": DOCKER_IS_FINE, "podman": PODMAN_IS_FINE},
            ("podman", "linux/arm64", None),
            id="podman, asked for",
        ),
        pytest.param(
            None,
            {"docker": UNREACHABLE, "podman": PODMAN_IS_FINE},
            ("podman", "linux/arm64", "docker does not answer; podman is used"),
            id="podman where docker is broken",
        ),
        pytest.param(
            None,
            {"docker": Answer(0, "\n", ""), "podman": PODMAN_IS_FINE},
            ("podman", "linux/arm64", "docker does not answer; podman is used"),
            id="podman where docker says nothing",
        ),
    ],
)
def test_a_builder_that_works(
    asked: str | None, answers: Mapping[str, Answer], expected: tuple[str, str, str | None]
) -> None:
    which, asking = answering(**answers)
    found = find_builder(asked, which, asking)
    assert (found.kind, found.platform, found.note) == expected
    assert found.ask is asking


@pytest.mark.parametrize(
    ("asked", "answers", "message", "hint"),
    [
        pytest.param(
            None, {}, "found no docker and no podman on PATH, expected one that builds images", INSTALL, id="nothing"
        ),
        pytest.param(
            "docker",
            {"podman": PODMAN_IS_FINE},
            "found no docker on PATH, expected one that builds images",
            INSTALL,
            id="the asked one is missing",
        ),
        pytest.param(
            None,
            {"docker": UNREACHABLE},
            "docker does not work: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker "
            "daemon running?",
            START + "for docker on another host set DOCKER_HOST",
            id="not running",
        ),
        pytest.param(
            None,
            {"docker": DENIED},
            "docker does not work: permission denied while trying to connect to the Docker daemon socket at "
            "unix:///var/run/docker.sock",
            "let this account use it: sudo usermod -aG docker $USER, then log in again",
            id="permission denied",
        ),
        pytest.param(
            "docker",
            {"docker": UNREACHABLE, "podman": PODMAN_IS_FINE},
            "docker does not work: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker "
            "daemon running?",
            START + "for docker on another host set DOCKER_HOST",
            id="the asked one is broken",
        ),
        pytest.param(
            None,
            {"docker": DENIED, "podman": Answer(125, "", "Error: no runtime\n")},
            "docker does not work: permission denied while trying to connect to the Docker daemon socket at "
            "unix:///var/run/docker.sock",
            "let this account use it: sudo usermod -aG docker $USER, then log in again",
            id="both are broken",
        ),
        pytest.param(
            "podman",
            {"podman": Answer(125, "", "Error: one\nError: cannot set up namespace\n")},
            "podman does not work: Error: cannot set up namespace",
            "see what it says: podman info",
            id="podman is broken",
        ),
        pytest.param(
            "docker",
            {"docker": Answer(124, "", "no answer within 60 seconds")},
            "docker does not work: no answer within 60 seconds",
            START + "for docker on another host set DOCKER_HOST",
            id="no answer",
        ),
        pytest.param(
            "docker",
            {"docker": Answer(1, "", "")},
            "docker does not work: it printed nothing",
            START + "for docker on another host set DOCKER_HOST",
            id="not a word",
        ),
    ],
)
def test_no_builder_that_works(asked: str | None, answers: Mapping[str, Answer], message: str, hint: str) -> None:
    which, asking = answering(**answers)
    with pytest.raises(ImageError) as caught:
        find_builder(asked, which, asking)
    assert str(caught.value) == f"error: {message}\nhint: {hint}"
    assert caught.value.exit_code == 1


def test_where_docker_was_asked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///gone.sock")
    which, asking = answering(docker=UNREACHABLE)
    with pytest.raises(ImageError, match=r"tried DOCKER_HOST=unix:///gone\.sock$"):
        find_builder(None, which, asking)


# asking, with real programs


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(("sh", "-c", "echo out; echo err >&2; exit 3"), Answer(3, "out\n", "err\n"), id="all it said"),
        pytest.param(("sh", "-c", "cat; printf '\\377'"), Answer(0, "\ufffd", ""), id="no stdin, no UTF-8"),
        pytest.param(("no-such-program",), Answer(126, "", "No such file or directory"), id="not there"),
    ],
)
def test_a_question_is_answered(argv: Sequence[str], expected: Answer) -> None:
    assert ask(argv) == expected


def test_a_question_that_is_not_answered_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "TIMEOUT", 0.1)
    assert ask((sys.executable, "-c", "import time; time.sleep(60)")) == Answer(124, "", "no answer within 0 seconds")


# what it knows


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        pytest.param("docker", "[name=seccomp,profile=builtin name=rootless name=cgroupns]\n", True, id="docker"),
        pytest.param("docker", "[name=apparmor name=seccomp,profile=builtin]\n", False, id="docker of root"),
        pytest.param("podman", "rootless=true\n", True, id="podman"),
        pytest.param("podman", "rootless=false\n", False, id="podman of root"),
        pytest.param("docker", "", False, id="no answer"),
    ],
)
def test_rootless(kind: Any, said: str, expected: bool) -> None:  # noqa: FBT001  # a table
    asked: list[Sequence[str]] = []

    def asking(argv: Sequence[str]) -> Answer:
        asked.append(argv)
        return Answer(0, said, "")

    assert Builder(kind, "linux/amd64", asking).is_rootless is expected
    assert [argv[:3] for argv in asked] == [(kind, "info", "--format")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(Answer(0, json.dumps([{"Id": "sha256:1"}]), ""), {"Id": "sha256:1"}, id="there"),
        pytest.param(Answer(1, "[]\n", "Error: No such image: a:1\n"), None, id="docker has none"),
        pytest.param(Answer(125, "[]\n", "Error: a:1: image not known\n"), None, id="podman has none"),
        pytest.param(Answer(0, "[]", ""), None, id="an empty list"),
        pytest.param(Answer(0, "", ""), None, id="nothing"),
    ],
)
def test_an_image(answer: Answer, expected: dict[str, Any] | None) -> None:
    assert Builder("docker", "", lambda _: answer).image("a:1") == expected
