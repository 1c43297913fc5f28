"""Push an image to a registry, by the tag of its content."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from handoff_kit.command import OutputPatterns
from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image.builder import Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.patterns import BASE
from handoff_kit.steps import RegistryCredentials, RunCommand, Step

TAKEN = "another image has this tag, which is immutable: pass another --tag, or deploy again, which uses that image"
PUSHING = (
    "allow it to the role or user that deploys: ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, "
    "ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage on the repository"
)
_REFUSED = r"no basic auth credentials|denied|unauthorized|authentication required"
CAUSES = (
    r"no basic auth credentials",
    r"(?:denied|unauthorized|name unknown|tag invalid|toomanyrequests): .+",
    r"(?:EOF|connection reset by peer|broken pipe|use of closed network connection)",
    r"blob upload (?:unknown|invalid)",
    r"server gave HTTP response to HTTPS client",
    r"x509: .+",
    r"(?:lookup|dial tcp) \S+.*: .+",
    r"(?:repository|Repository) .+ (?:not found|does not exist).*",
    r"received unexpected HTTP status: .+",
)


def check_repository(repository: str) -> str:
    """The repository; ProjectError if it is invalid or has a tag."""
    hint = "for example: --repository registry.example.com/team/elements"
    if not repository:
        raise ProjectError("no repository is named, expected --repository URI", hint)
    _, _, last = repository.rpartition("/")
    if ":" in last or "@" in last or not re.fullmatch(BASE.strip("^$"), repository):
        rule = "a repository as docker takes it, in lower case and without a tag (--tag says that)"
        raise ProjectError(f"--repository: found {repository!r}, expected {rule}", hint)
    return repository


def registry_reference(repository: str, tag: str) -> str:
    """The name of an image in a registry; ProjectError for an invalid tag."""
    if not re.fullmatch(r"\w[\w.-]{0,127}", tag, re.ASCII):
        rule = "at most 128 letters, digits, _, . and -, beginning with none of the last two"
        raise ProjectError(f"--tag: found {tag!r}, expected {rule}", "for example: --tag 1.2")
    return f"{repository}:{tag}"


@contextmanager
def sign_in(credentials: RegistryCredentials | None) -> Iterator[Mapping[str, str]]:
    """The environment in which docker or podman signs in with these credentials, and keeps the user's other settings.

    `docker login` would store them by the user's credential helper (`credsStore`), and ECR's own refuses that.
    """
    if credentials is None:
        yield {}
        return
    user_directory = Path(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"))  # noqa: PTH111  # "~" stays where there is no home
    try:
        settings = dict(json.loads((user_directory / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # docker warns of it, and goes on
        settings = {}
    login = f"{credentials.user}:{credentials.password}".encode()
    logins = {"auths": {credentials.host: {"auth": base64.b64encode(login).decode()}}}
    others = {name: value for name, value in settings.items() if name not in ("auths", "credsStore", "credHelpers")}
    credentials.directory.mkdir(parents=True, exist_ok=True)
    # In the checkout, which docker can read: that of a snap has another /tmp. The directory's mode is 0700
    with TemporaryDirectory(prefix=".docker-", dir=credentials.directory) as name:
        directory = Path(name)
        for path in user_directory.iterdir() if user_directory.is_dir() else ():
            if path.name != "config.json":  # contexts, plugins, keys
                (directory / path.name).symlink_to(path.absolute())
        (directory / "config.json").write_text(json.dumps({**others, **logins}), encoding="utf-8")
        yield {"DOCKER_CONFIG": name, "REGISTRY_AUTH_FILE": str(directory / "config.json")}


def plan_image_push(
    builder: Builder,
    image: str,
    target: str,
    paths: ProjectPaths,
    command: str = "",
    *,
    credentials: RegistryCredentials | None = None,
) -> tuple[Step, ...]:
    """The steps that name the image for the registry, and push it; `command` pushes to ECR, with `credentials`."""
    # The registry is the first part of a name, where that is a host (distribution/reference)
    first, slash, _ = target.partition("/")
    host = first if slash and (any(mark in first for mark in ".:") or first == "localhost") else ""
    digest_file = ("--digestfile", _digest_file(paths)) if builder.kind == "podman" else ()
    hints = (
        (_REFUSED, f"{PUSHING}; then: {command}" if command else f"sign in: {builder.kind} login {host}".rstrip()),
        (r"tag is immutable|tag invalid", TAKEN),
        (r"HTTP response to HTTPS client", "add a registry without TLS to the insecure registries of the builder"),
        (r"lookup|dial tcp", "check the name of the registry, and that this machine can reach it"),
        *(((r"", f"uploaded layers are not sent again: {command}"),) if command else ()),
    )
    push, patterns = (builder.kind, "push", *digest_file, target), OutputPatterns(CAUSES, hints=hints)
    return (
        RunCommand((builder.kind, "tag", image, target), paths.root, f"name {image} {target}"),
        RunCommand(push, paths.root, f"push {target}", patterns, paths.build / "push.log", credentials),
    )


def pushed_digest(builder: Builder, target: str, paths: ProjectPaths) -> str:
    """The digest of an image in the registry (sha256:...)."""
    repository = target.rpartition(":")[0]
    if builder.kind == "podman":
        return (paths.root / _digest_file(paths)).read_text(encoding="utf-8").strip()
    digests = (builder.image(target) or {}).get("RepoDigests") or ()
    pushed = [digest.partition("@")[2] for digest in digests if digest.startswith(f"{repository}@")]
    if not pushed:
        raise ImageError(
            f"{target}: pushed, but {builder.kind} has no digest of it", f"{builder.kind} images --digests"
        )
    return str(pushed[0])


def _digest_file(paths: ProjectPaths) -> str:
    return (paths.build / "pushed-digest").relative_to(paths.root).as_posix()
