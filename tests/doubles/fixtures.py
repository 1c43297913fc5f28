"""The fixtures that tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doubles.account import account, ecr
from doubles.checkout import Checkout, make_checkout
from doubles.containers import (
    LABELS,
    Engine,
    find_buildkit,
    find_docker,
    load_base,
    make_podman,
    remove_podman,
    serve_registry,
)
from doubles.deployed_project import clean_account, deployed_account, deployed_project, empty_account
from doubles.ecs import ecs
from doubles.forkserver import remember_models
from doubles.localstack import aws_account, fargate, localstack
from doubles.moto_bucket import aws, moto_bucket, proxy
from doubles.runtime_project import Project
from doubles.stack_fixture import stack
from doubles.stub_project import shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [  # fixtures that lie in files of their own
    "account",
    "aws",
    "aws_account",
    "clean_account",
    "deployed_account",
    "deployed_project",
    "ecr",
    "ecs",
    "empty_account",
    "fargate",
    "localstack",
    "moto_bucket",
    "proxy",
    "shop",
    "stack",
]  # fmt: skip

remember_models()


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """As many projects as are asked for; nothing they started is left."""
    made: list[Project] = []

    def make(name: str) -> Project:
        project = Project(tmp_path / name)
        project.directory.mkdir()
        made.append(project)
        return project

    yield make
    for project in made:
        for running in project.started:
            running.end()


@pytest.fixture
def project(projects: Callable[[str], Project]) -> Project:
    """An empty project."""
    return projects("sample")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB and 300 files."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=300", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def checkout(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout without projects."""
    return make_checkout(tmp_path / "checkout", tmp_path_factory.getbasetemp() / "compiled")


@pytest.fixture(scope="session")
def workshop(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Checkout:  # noqa: ARG001  # skips without it
    """A checkout that tests share: what one has built there another finds."""
    return make_checkout(tmp_path_factory.mktemp("workshop") / "checkout", tmp_path_factory.getbasetemp() / "compiled")


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """The docker that answers; what the tests built and started in it is gone at the end."""
    docker = there(find_docker())
    if "PYTEST_XDIST_WORKER" in os.environ:  # other workers use it too: tests/conftest.py sweeps once all have ended
        yield docker
        return
    spared = docker.present()
    yield docker
    docker.sweep(*LABELS, spared=spared)


@pytest.fixture(scope="session")
def legacy(docker: Engine) -> Engine:
    """The same docker, its old builder."""
    return Engine(docker.name, {**docker.env, "DOCKER_BUILDKIT": "0"})


@pytest.fixture(scope="session")
def buildkit(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The same docker, BuildKit."""
    return there(find_buildkit(docker, tmp_path_factory.mktemp("buildkit")))


@pytest.fixture(scope="session")
def podman(docker: Engine) -> Iterator[Engine]:
    """A podman with a place of its own (its path may not be long) and the base image of docker in it."""
    directory = Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        podman = there(make_podman(directory))
        load_base(docker, podman)
        yield podman
    finally:
        remove_podman(directory)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that takes everything."""
    needs_registry()
    with serve_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="session")
def guarded_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that wants a login."""
    needs_registry()
    with serve_registry(tmp_path_factory.mktemp("guarded"), login=True) as address:
        yield address


def needs_registry() -> None:
    """Skip where there is no registry to start."""
    if shutil.which("docker-registry") is None:
        pytest.skip("there is no program `docker-registry`: install it, or run .ci/docker")


def there(found: Engine | str) -> Engine:
    """An engine; where there is only a reason, the test is skipped for it."""
    if isinstance(found, str):
        pytest.skip(found)
    return found
