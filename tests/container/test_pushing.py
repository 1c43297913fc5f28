"""Images on their way: to a registry and back, listed, and what is said where no builder works."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from doubles.containers import RESULT, Engine, build, free_port, new

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from doubles.checkout import Checkout, InvokeResult

pytestmark = pytest.mark.takes(100)

SMALL = """
    image: {store: none}
    commands:
      - command: cat
        args: text
"""
NAMES = {"podman": "podman", "legacy": "docker"}


@pytest.fixture(scope="module", params=["legacy", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Who pushes; with docker it is the same whatever builds."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def pushed_from(workshop: Checkout, engine: Engine) -> Checkout:
    """A checkout whose project `shop` has an image."""
    new(workshop, "shop", SMALL, {"text": "a\nb\n"})
    build(workshop, engine, "shop")
    return workshop


def push(
    checkout: Checkout, engine: Engine, repository: str, *flags: str, env: Mapping[str, str] | None = None
) -> InvokeResult:
    words = ("push", "--project", "shop", "--builder", engine.name, "--repository", repository, *flags)
    return checkout.invoke(*words, env={**engine.env, **(env or {})})


def refused(result: InvokeResult) -> tuple[str, str]:
    """The error and the hint of a task that must fail in this way."""
    assert result.exit != 0
    assert (result.stdout, "Traceback" in result.stderr) == ("", False)
    *_, error, hint = result.stderr.splitlines()
    assert (error[:7], hint[:6]) == ("error: ", "hint: ")
    return error[7:], hint[6:]


@pytest.mark.network
def test_what_is_pushed_can_be_pulled_and_run(pushed_from: Checkout, engine: Engine, registry: str) -> None:
    repository = f"{registry}/team/shop"
    result = push(pushed_from, engine, repository)
    found = RESULT.fullmatch(result.stdout)
    assert found, result
    assert re.fullmatch(re.escape(repository) + r":[0-9a-f]{12}", found["name"])
    assert result.stderr.splitlines()[-1].startswith("next: ")
    by_digest = f"{repository}@{found['digest']}"
    pipeline = pushed_from.invoke("params", "--project", "shop").stdout.encode()
    engine.run("rmi", "--force", found["name"])
    engine.tell("pull", "--quiet", by_digest)
    said = engine.run("run", "--rm", "--interactive", by_digest, "show_commands", "--params", "-", given=pipeline)
    assert (said.exit, said.stdout) == (0, "cat text\n")

    again = push(pushed_from, engine, repository, "--tag", "1.2")
    named = RESULT.fullmatch(again.stdout)
    assert named, again
    assert (named["name"], named["digest"]) == (f"{repository}:1.2", found["digest"])


@pytest.mark.network
def test_dry_pushes_nothing(pushed_from: Checkout, engine: Engine, registry: str) -> None:
    repository = f"{registry}/team/dry"
    result = push(pushed_from, engine, repository, "--dry")
    assert (result.exit, result.stdout) == (0, "")
    assert f"would run {engine.name} push " in result.stderr
    assert result.stderr.endswith("nothing was done: --dry\n")
    assert engine.run("pull", f"{repository}:latest").exit != 0
    assert engine.run("images", "--quiet", repository).stdout == ""


@pytest.mark.network
def test_a_registry_that_wants_a_login(
    pushed_from: Checkout, engine: Engine, guarded_registry: str, tmp_path: Path
) -> None:
    nobody = {"DOCKER_CONFIG": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    (tmp_path / "auth.json").write_text("{}")
    error, hint = refused(push(pushed_from, engine, f"{guarded_registry}/shop", env=nobody))
    start = rf"could not push {guarded_registry}/shop:[0-9a-f]{{12}}: {engine.name} ended with exit \d+: "
    assert re.fullmatch(start + r".*(no basic auth credentials|unauthorized|authentication required).*", error)
    assert hint == f"sign in: {engine.name} login {guarded_registry}"

    login = engine.popen("login", "--username", "someone", "--password-stdin", guarded_registry, env=nobody)
    login.communicate(b"opensesame")
    assert login.returncode == 0
    assert RESULT.fullmatch(push(pushed_from, engine, f"{guarded_registry}/shop", env=nobody).stdout)


@pytest.mark.network
def test_a_registry_that_is_not_there(pushed_from: Checkout, engine: Engine) -> None:
    nowhere = f"127.0.0.1:{free_port()}/shop"
    error, hint = refused(push(pushed_from, engine, nowhere))
    assert re.fullmatch(
        rf"could not push {nowhere}:[0-9a-f]{{12}}: {engine.name} ended with exit \d+: dial tcp .*", error
    )
    assert hint == "check the name of the registry, and that this machine can reach it"


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "Shop",
        "127.0.0.1:5000/shop:1.2",
        "127.0.0.1:5000/shop@sha256:" + 64 * "0",
        "https://example.com/shop",
        "a b",
    ],
)
def test_what_is_no_repository(checkout: Checkout, repository: str) -> None:
    checkout.project("shop", SMALL, {"text": ""})
    result = checkout.invoke("push", "--repository", repository)
    error, hint = refused(result)
    assert result.exit == 2
    start = f"--repository: found {repository!r}, expected " if repository else "no repository is named, expected "
    assert error.startswith(start)
    assert hint == "for example: --repository registry.example.com/team/elements"


@pytest.mark.network
def test_a_project_that_has_no_image_is_not_pushed(checkout: Checkout, docker: Engine) -> None:
    new(checkout, "shop", SMALL, {"text": ""})
    error, hint = refused(push(checkout, docker, "127.0.0.1:5000/shop"))
    expected = r"image of shop: no image of the current project files, expected handoff-shop:[0-9a-f]{12}"
    assert re.fullmatch(expected, error)
    assert hint == "invoke build --project shop"


@pytest.mark.network
def test_images_are_listed(checkout: Checkout, engine: Engine) -> None:
    new(checkout, "listed", SMALL, {"text": "a"})
    result = checkout.invoke("images", "--project", "listed", "--builder", engine.name, env=engine.env)
    assert (result.exit, result.stdout) == (0, "")
    assert result.stderr == "no image of project listed\nnext: invoke build --project listed\n"
    name = build(checkout, engine, "listed")
    build(checkout, engine, "listed", "--tag", "mine/listed:1.2")
    result = checkout.invoke("images", "--project", "listed", "--builder", engine.name, env=engine.env)
    head, *rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
    assert head == ["PROJECT", "IMAGE", "ID", "SIZE", "AGE", "PLATFORM", "REVISION"]
    inspected = engine.inspect(name)
    size = f"{engine.size(name) / 1e6:,.1f} MB"
    prefix = "localhost/" if engine.name == "podman" else ""
    platform = f"{inspected['Os']}/{inspected['Architecture']}"
    digest = inspected["Id"].removeprefix("sha256:")[:12]
    ages = [row.pop(4) for row in rows]
    assert all(re.fullmatch(r"\d+ (second|minute)s?", age) for age in ages)
    expected = [["listed", prefix + each, digest, size, platform] for each in (name, "mine/listed:1.2")]
    assert sorted(rows) == sorted(expected)
    every = checkout.invoke("images", "--builder", engine.name, env=engine.env).stdout
    assert {tuple(row[:2]) for row in rows} <= {tuple(line.split()[:2]) for line in every.splitlines()}
    engine.tell("rmi", "--force", digest)


ASKING = [
    pytest.param(("build",), id="build"),
    pytest.param(("run-local", "--container"), id="run-local"),
    pytest.param(("images",), id="images"),
    pytest.param(("push", "--repository", "127.0.0.1:5000/shop"), id="push"),
]


@pytest.mark.parametrize("words", ASKING)
def test_no_builder_is_installed(checkout: Checkout, tmp_path: Path, words: tuple[str, ...]) -> None:
    checkout.project("shop", SMALL, {"text": ""})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git") or "git")
    result = checkout.invoke(*words, env={"PATH": str(tmp_path / "bin")})
    install = "install one: https://docs.docker.com/engine/install or https://podman.io/docs/installation"
    expected = "error: found no docker and no podman on PATH, expected one that builds images"
    assert (result.exit, result.stdout, result.stderr) == (1, "", f"{expected}\nhint: {install}\n")
    result = checkout.invoke(*words, "--builder", "podman", env={"PATH": str(tmp_path / "bin")})
    assert result.stderr.splitlines()[0] == "error: found no podman on PATH, expected one that builds images"


@pytest.mark.parametrize("words", ASKING)
def test_the_daemon_does_not_answer(checkout: Checkout, tmp_path: Path, docker: Engine, words: tuple[str, ...]) -> None:
    checkout.project("shop", SMALL, {"text": ""})
    nowhere = f"unix://{tmp_path}/nothing.sock"
    result = checkout.invoke(*words, "--builder", docker.name, env={"DOCKER_HOST": nowhere})
    error, hint = refused(result)
    assert (result.exit, len(result.stderr.splitlines())) == (1, 2)
    assert error.startswith("docker does not work: ")
    assert nowhere in error
    assert hint == f"start it: sudo systemctl start docker, or Docker Desktop; tried DOCKER_HOST={nowhere}"


@pytest.mark.parametrize("words", ASKING)
def test_a_builder_that_does_not_exist(checkout: Checkout, words: tuple[str, ...]) -> None:
    checkout.project("shop", SMALL, {"text": ""})
    result = checkout.invoke(*words, "--builder", "kaniko")
    error, _ = refused(result)
    assert (result.exit, error[:27]) == (2, "--builder: found 'kaniko', ")
