"""Container engines, a registry, and what is in an image."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doubles.runtime_project import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from doubles.checkout import Checkout, InvokeResult

BASE = "python:3.11-slim"
LABEL = "handoff.test"  # what a test makes by hand carries it
LABELS = (LABEL, "handoff.project")  # and the images of `invoke build` the other
SOMEONE, PASSWORD = "someone", "opensesame"
HTPASSWD = f"{SOMEONE}:$2b$05$kTeshRUGu2oF4FvddEl0AeZSqzxnNHT3EuCSrmUx/8UhJkjSf19wG\n"
LOOK = r"""
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        start, _, rest = open(f"/proc/{pid}/stat").read().rpartition(")")
        command = open(f"/proc/{pid}/cmdline").read().replace("\0", " ").split()
    except OSError:
        continue  # it has ended meanwhile
    if int(pid) != os.getpid():
        print(pid, *reversed(rest.split()[:2]), *command or [f"[{start.partition('(')[2]}]"])
"""
RESULT = re.compile(
    r"(?P<name>\S+)  (?P<digest>sha256:[0-9a-f]{64})  (?P<size>[\d,]+\.\d) MB  (?P<seconds>\d+\.\d) s\n"
)
PATIENCE = 300.0


@dataclass(frozen=True)
class Said:
    """How a command of an engine ended and what it said."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Process:
    """One process of a container."""

    pid: int
    parent: int
    state: str
    command: str


@dataclass(frozen=True)
class Image:
    """An image taken apart: its config with the history, and each layer's paths with what is in them."""

    config: Any
    layers: tuple[Mapping[str, bytes], ...]

    @property
    def files(self) -> dict[str, bytes]:
        """Every path of every layer, by `LAYER/path`, so that what a later layer hides is there too."""
        return {f"{number}/{path}": held for number, layer in enumerate(self.layers) for path, held in layer.items()}

    def above(self, base: Image) -> Image:
        """The same without the layers of its base."""
        return Image(self.config, self.layers[len(base.layers) :])

    def holding(self, secret: str) -> list[str]:
        """Where a text is found: in the config, in a path, in a file."""
        wanted = secret.encode()
        found = ["config"] if secret in json.dumps(self.config, ensure_ascii=False) else []
        return found + [path for path, held in self.files.items() if secret in path or wanted in held]


@dataclass(frozen=True)
class Engine:
    """docker or podman; `env` is what a program gets that shall use this very one."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, given: bytes | None = None
    ) -> Said:
        """Run one command to its end."""
        done = self.popen(*words, cwd=cwd, env=env)
        stdout, stderr = done.communicate(given, timeout=PATIENCE)
        return Said(done.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def popen(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one command."""
        merged = {**os.environ, **self.env, **(env or {})}
        program = shutil.which(self.name, path=merged["PATH"]) or self.name
        pipe = subprocess.PIPE
        return subprocess.Popen([program, *words], cwd=cwd, env=merged, stdin=pipe, stdout=pipe, stderr=pipe)

    def tell(self, *words: str, cwd: Path | None = None) -> str:
        """What a command that must succeed writes."""
        said = self.run(*words, cwd=cwd)
        assert said.exit == 0, f"{self.name} {' '.join(words)} ended with {said.exit}: {said.stdout}{said.stderr}"
        return said.stdout.strip()

    def inspect(self, name: str) -> Any:
        """What the engine knows of a container or an image."""
        return json.loads(self.tell("inspect", name))[0]

    def size(self, image: str) -> int:
        """The bytes of an image with its base."""
        return int(self.tell("image", "inspect", "--format", "{{.Size}}", image))

    def image(self, image: str) -> Image:
        """An image taken apart."""
        done = self.popen("save", image)
        saved, complaint = done.communicate(timeout=PATIENCE)
        assert done.returncode == 0, complaint
        return taken_apart(saved)

    def processes(self, container: str) -> list[Process]:
        """The processes in a container by their numbers in there; `top` of docker leaves out the zombies."""
        lines = self.tell("exec", container, "python", "-I", "-S", "-c", LOOK).splitlines()
        words = [line.split(" ", maxsplit=3) for line in lines]
        return [Process(int(pid), int(parent), state, command) for pid, parent, state, command in words]

    def sweep(self, *labels: str, spared: frozenset[str] = frozenset()) -> None:
        """Remove the containers and images with one of these labels that are not spared."""
        for label in labels:
            for kind, forget in (("ps", "rm"), ("images", "rmi")):
                found = self.run(kind, "--all", "--quiet", "--no-trunc", "--filter", f"label={label}").stdout.split()
                for name in sorted(set(found) - spared):
                    self.run(forget, "--force", name)

    def present(self) -> frozenset[str]:
        """The images and containers that are there."""
        said = [self.run(kind, "--all", "--quiet", "--no-trunc").stdout.split() for kind in ("images", "ps")]
        return frozenset(name for names in said for name in names)


def taken_apart(saved: bytes) -> Image:
    """Read what `save` writes."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        manifest = json.loads(_member(archive, "manifest.json"))[0]
        layers = tuple(_layer(_member(archive, name)) for name in manifest["Layers"])
        return Image(json.loads(_member(archive, manifest["Config"])), layers)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    opened = archive.extractfile(name)
    assert opened is not None, name
    return opened.read()


def _layer(packed: bytes) -> dict[str, bytes]:
    """Each path's content; a link's is where it leads."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {
            found.name.removeprefix("./"): _member(archive, found.name) if found.isfile() else found.linkname.encode()
            for found in archive
        }


def new(checkout: Checkout, name: str, text: str, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A project of which there is no image yet, whatever was built here before."""
    return checkout.project(name, text, {"nonce": uuid.uuid4().hex, **(files or {})})


def ask_build(
    checkout: Checkout, engine: Engine, name: str, *flags: str, env: Mapping[str, str] | None = None
) -> InvokeResult:
    """`invoke build`, with this engine."""
    words = ("build", "--project", name, "--builder", engine.name, *flags)
    return checkout.invoke(*words, env={**engine.env, **(env or {})})


def build(checkout: Checkout, engine: Engine, name: str, *flags: str) -> str:
    """Build the image of a project; its name."""
    result = ask_build(checkout, engine, name, *flags)
    assert result.exit == 0, result.stderr
    found = RESULT.fullmatch(result.stdout)
    assert found, result.stdout
    return found["name"]


def find_docker() -> Engine | str:
    """The docker that answers, or in plain words why there is none."""
    if shutil.which("docker") is None:
        return "there is no program `docker`: install it, or run .ci/docker"
    docker = Engine("docker")
    if docker.run("info").exit != 0:
        return "no docker daemon answers: start one, or `export DOCKER_HOST=$(.ci/docker)`"
    if docker.run("image", "inspect", BASE).exit != 0:
        return f"docker has no image {BASE}: run `docker pull {BASE}`, or .ci/docker"
    return docker


def find_buildkit(docker: Engine, bin_: Path) -> Engine | str:
    """A docker whose client builds with BuildKit: itself if it is an old one, else by its buildx."""
    for directory in os.get_exec_path():
        program = Path(directory, "docker")
        if os.access(program, os.X_OK) and _builds(program):
            bin_.joinpath("docker").symlink_to(program)
            path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
            return Engine("docker", {**docker.env, "PATH": path, "DOCKER_BUILDKIT": "1"})
    return "no `docker` here builds with BuildKit: install buildx"


def _builds(program: Path) -> bool:
    """BuildKit is asked for an image with nothing in it."""
    asked = [str(program), "build", "--quiet", "-"]
    done = subprocess.run(
        asked,
        input=b"FROM scratch\nLABEL handoff.test=1\n",
        capture_output=True,
        check=False,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
    )
    return done.returncode == 0


def make_podman(directory: Path) -> Engine | str:
    """A podman with a place of its own, or in plain words why there is none."""
    if shutil.which("podman") is None:
        return "there is no program `podman`: install it, or run .ci/docker"
    podman = Engine("podman", podman_environment(directory))
    said = podman.run("info")
    return podman if said.exit == 0 else f"podman does not run here: {said.stderr.strip()}"


def podman_environment(directory: Path) -> dict[str, str]:
    """Settings with which it runs as root, without systemd, and looks up no image anywhere else."""
    settings = {
        "CONTAINERS_CONF": f"""
            [containers]
            default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
            [engine]
            runtime = "runc"
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            lock_type = "file"
            tmp_dir = "{directory}/tmp"
            [network]
            network_config_dir = "{directory}/net"
            """,
        "CONTAINERS_STORAGE_CONF": f"""
            [storage]
            driver = "overlay"
            graphroot = "{directory}/root"
            runroot = "{directory}/run"
            """,
        "CONTAINERS_REGISTRIES_CONF": """
            unqualified-search-registries = []
            [[registry]]
            location = "127.0.0.1"
            insecure = true
            """,
    }
    for name, text in settings.items():
        (directory / name).write_text(text)
    return {name: str(directory / name) for name in settings}


def load_base(docker: Engine, podman: Engine) -> None:
    """Give podman the base image that docker has."""
    with docker.popen("save", BASE) as saving:
        loaded = subprocess.run(
            ["podman", "load", "--quiet"],
            stdin=saving.stdout,
            env={**os.environ, **podman.env},
            capture_output=True,
            check=False,
        )
    assert loaded.returncode == 0, loaded.stderr


def remove_podman(directory: Path) -> None:
    """Leave nothing of a podman that had a place of its own."""
    if shutil.which("podman"):
        Engine("podman", podman_environment(directory)).run("rm", "--all", "--force", "--time", "0")
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((place for place in mounted if Path(place).is_relative_to(directory)), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(directory)


@contextlib.contextmanager
def serve_registry(directory: Path, *, login: bool = False, storage: Path | None = None) -> Iterator[str]:
    """A registry, its address; with `login`, only SOMEONE with PASSWORD may do anything. Several may share a storage."""
    address = f"127.0.0.1:{free_port()}"
    config = directory / "config.yml"
    config.write_text(
        json.dumps(_registry(directory, address, storage or directory / "data", login=login))
    )  # JSON is YAML
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        try:
            until(lambda: answers(address) or process.poll() is not None, "the registry")
            assert process.poll() is None, (directory / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait()


def _registry(directory: Path, address: str, storage: Path, *, login: bool) -> dict[str, Any]:
    users = directory / "htpasswd"
    users.write_text(HTPASSWD)
    stored = {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}}
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(users)}}} if login else {}
    return {"version": 0.1, "storage": stored, "http": {"addr": address}, **auth}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def answers(address: str) -> bool:
    """Whether a registry is there; one that wants a login is."""
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False
