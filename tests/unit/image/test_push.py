"""Pushing an image: which names a registry takes, the steps, and the digest by which it knows it afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image import push
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.steps import RegistryCredentials, RunCommand

PATHS = ProjectPaths("shop", Path("/team"))
TARGET = "127.0.0.1:5000/team/shop:1"
DIGEST = "sha256:" + "0" * 64


def builder(kind: Any, found: dict[str, Any] | None = None) -> Builder:
    return Builder(kind, "", lambda _: Answer(0, json.dumps([found] if found else []), ""))


@pytest.mark.parametrize(
    "repository",
    [
        "shop",
        "team/shop",
        "localhost/shop",
        "localhost:5000/shop",
        "127.0.0.1:5000/team/shop",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/handoff/shop-a_b.c",
        "registry-1.example.com:443/a/b/c/d",
    ],
)
def test_a_repository_that_is_one(repository: str) -> None:
    assert push.check_repository(repository) == repository


@pytest.mark.parametrize(
    "repository",
    [
        "team/shop:1",
        "shop:1",
        "localhost:5000",
        f"team/shop@{DIGEST}",
        "https://registry.example.com/shop",
        "Team/shop",
        "team/shop/",
        "/shop",
        "team//shop",
        "team/shop ",
        "team/-shop",
        "--all-tags",
        "team/shop\n",
        "me@registry.example.com/shop",
    ],
)
def test_a_repository_that_is_none(repository: str) -> None:
    with pytest.raises(ProjectError) as caught:
        push.check_repository(repository)
    assert str(caught.value) == (
        f"error: --repository: found {repository!r}, expected a repository as docker takes it, in lower case and without "
        "a tag (--tag says that)\nhint: for example: --repository registry.example.com/team/elements"
    )


def test_no_repository() -> None:
    with pytest.raises(ProjectError) as caught:
        push.check_repository("")
    assert str(caught.value) == (
        "error: no repository is named, expected --repository URI\n"
        "hint: for example: --repository registry.example.com/team/elements"
    )


@pytest.mark.parametrize("tag", ["1", "1.2", "_x", "v1-rc.1", "A" * 128])
def test_a_tag_that_is_one(tag: str) -> None:
    assert push.registry_reference("team/shop", tag) == f"team/shop:{tag}"


@pytest.mark.parametrize("tag", ["", ".1", "-1", "a b", "a:b", "a/b", "é", "A" * 129, "1\n"])
def test_a_tag_that_is_none(tag: str) -> None:
    with pytest.raises(ProjectError) as caught:
        push.registry_reference("team/shop", tag)
    assert str(caught.value) == (
        f"error: --tag: found {tag!r}, expected at most 128 letters, digits, _, . and -, beginning with none of the last "
        "two\nhint: for example: --tag 1.2"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param("docker", ("docker", "push", TARGET), id="docker"),
        pytest.param(
            "podman",
            ("podman", "push", "--digestfile", "build/shop/pushed-digest", TARGET),
            id="podman writes the digest",
        ),
    ],
)
def test_the_steps(kind: str, words: tuple[str, ...]) -> None:
    name, sent = push.plan_image_push(builder(kind), "handoff-shop:c0ffee", TARGET, PATHS)
    assert name == RunCommand(
        (kind, "tag", "handoff-shop:c0ffee", TARGET), Path("/team"), f"name handoff-shop:c0ffee {TARGET}"
    )
    assert isinstance(sent, RunCommand)
    assert (sent.argv, sent.cwd, sent.purpose) == (words, Path("/team"), f"push {TARGET}")
    assert (sent.log, sent.registry) == (Path("/team/build/shop/push.log"), None)


DOCKER = """#!/bin/sh
cd "$DOCKER_CONFIG" && ls -A && stat -c %a . && cat config.json contexts/name "$REGISTRY_AUTH_FILE"
"""


def test_the_password_is_on_disk_during_the_push_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A `credsStore` may refuse it, as ECR's own helper does; what else the user has set goes on to hold."""
    program, settings = tmp_path / "bin/docker", tmp_path / "settings"
    for directory in (program.parent, settings / "contexts"):
        directory.mkdir(parents=True)
    program.write_text(DOCKER)
    program.chmod(0o755)
    (settings / "contexts/name").write_text("a context\n")
    kept = {"currentContext": "far", "proxies": {"default": {"httpProxy": "http://p"}}}
    stored = {"credsStore": "ecr-login", "credHelpers": {"h": "ecr-login"}, "auths": {"other": {"auth": "x"}}}
    (settings / "config.json").write_text(json.dumps({**kept, **stored}))
    monkeypatch.setenv("DOCKER_CONFIG", str(settings))
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    paths = ProjectPaths("shop", tmp_path)
    credentials = RegistryCredentials(paths.build, "1.dkr.ecr.eu-central-1.amazonaws.com", "AWS", "opensesame")
    said = list[str]()
    apply(
        push.plan_image_push(builder("docker"), "a", TARGET, paths, credentials=credentials)[1:],
        None,
        ApplyOptions(said.append),
    )
    written = json.dumps({**kept, "auths": {credentials.host: {"auth": "QVdTOm9wZW5zZXNhbWU="}}})
    assert capfd.readouterr().err == f"config.json\ncontexts\n700\n{written}a context\n{written}"
    assert [path.name for path in paths.build.iterdir()] == ["push.log"]
    assert json.loads((settings / "config.json").read_text()) == {**kept, **stored}
    assert (settings / "contexts/name").is_file()
    assert "opensesame" not in repr((credentials, said))


@pytest.mark.parametrize(
    ("said", "cause", "hint"),
    [
        pytest.param(
            "no basic auth credentials\n",
            ": no basic auth credentials",
            "sign in: docker login 127.0.0.1:5000",
            id="ECR without a login",
        ),
        pytest.param(
            "denied: requested access to the resource is denied\n",
            ": denied: requested access to the resource is denied",
            "sign in: docker login 127.0.0.1:5000",
            id="denied",
        ),
        pytest.param(
            "unauthorized: authentication required\n",
            ": unauthorized: authentication required",
            "sign in: docker login 127.0.0.1:5000",
            id="unauthorized",
        ),
        pytest.param(
            "Error: writing blob: initiating layer upload: authentication required\n",
            "",
            "sign in: docker login 127.0.0.1:5000",
            id="podman without a login",
        ),
        pytest.param(
            'Get "https://127.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client\n',
            ": server gave HTTP response to HTTPS client",
            "add a registry without TLS to the insecure registries of the builder",
            id="no TLS",
        ),
        pytest.param(
            "Get https://127.0.0.1:5000/v2/: dial tcp 127.0.0.1:5000: connect: connection refused\n",
            ": dial tcp 127.0.0.1:5000: connect: connection refused",
            "check the name of the registry, and that this machine can reach it",
            id="nobody there",
        ),
        pytest.param(
            "name unknown: The repository with name 'shop' does not exist in the registry with id '1'\n",
            ": name unknown: The repository with name 'shop' does not exist in the registry with id '1'",
            None,
            id="no such repository",
        ),
        pytest.param(
            "tag invalid: The image tag '1' already exists in the 'shop' repository and cannot be overwritten\n",
            ": tag invalid: The image tag '1' already exists in the 'shop' repository and cannot be overwritten",
            push.TAKEN,
            id="a tag that is taken",
        ),
        pytest.param("something else\n", "", None, id="nothing we know"),
    ],
)
def test_what_is_told_of_a_failed_push(said: str, cause: str, hint: str | None) -> None:
    sent = push.plan_image_push(builder("docker"), "a", TARGET, PATHS)[1]
    assert isinstance(sent, RunCommand)
    saying = sent.patterns
    assert (saying.failure(said), saying.hint(said)) == (cause, hint)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("shop:1", "sign in: docker login", id="docker hub's own"),
        pytest.param("team/shop:1", "sign in: docker login", id="docker hub"),
        pytest.param("localhost/shop:1", "sign in: docker login localhost", id="localhost"),
        pytest.param("localhost:5000/shop:1", "sign in: docker login localhost:5000", id="a port"),
        pytest.param("registry.example.com/a/shop:1", "sign in: docker login registry.example.com", id="a host"),
    ],
)
def test_where_to_sign_in(target: str, expected: str) -> None:
    sent = push.plan_image_push(builder("docker"), "a", target, PATHS)[1]
    assert isinstance(sent, RunCommand)
    assert sent.patterns.hint("denied: x") == expected


@pytest.mark.parametrize(
    ("digests", "expected"),
    [
        pytest.param([f"127.0.0.1:5000/team/shop@{DIGEST}"], DIGEST, id="one"),
        pytest.param(
            ["other/shop@sha256:1", "127.0.0.1:5000/team/shop2@sha256:2", f"127.0.0.1:5000/team/shop@{DIGEST}"],
            DIGEST,
            id="pushed elsewhere too",
        ),
    ],
)
def test_docker_s_digest(digests: list[str], expected: str) -> None:
    assert push.pushed_digest(builder("docker", {"RepoDigests": digests}), TARGET, PATHS) == expected


@pytest.mark.parametrize("found", [None, {}, {"RepoDigests": None}, {"RepoDigests": ["other/shop@sha256:1"]}])
def test_docker_tells_no_digest(found: dict[str, Any] | None) -> None:
    with pytest.raises(ImageError) as caught:
        push.pushed_digest(builder("docker", found), TARGET, PATHS)
    assert str(caught.value) == (
        f"error: {TARGET}: pushed, but docker has no digest of it\nhint: docker images --digests"
    )


def test_podman_s_digest(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    paths.build.mkdir(parents=True)
    (paths.build / "pushed-digest").write_text(f"{DIGEST}\n")
    assert push.pushed_digest(builder("podman"), TARGET, paths) == DIGEST
