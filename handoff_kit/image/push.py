"""Push an image to a registry, by the tag of its content."""

from __future__ import annotations

import re

from handoff_kit.command import OutputPatterns
from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image.builder import Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.patterns import BASE
from handoff_kit.steps import RunCommand, Step

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


def plan_login(builder: Builder, host: str, password: str, paths: ProjectPaths) -> RunCommand:
    """The step that signs in to ECR; the password goes by standard input and is valid for twelve hours.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    """
    argv = (builder.kind, "login", "--username", "AWS", "--password-stdin", host)
    return RunCommand(argv, paths.root, f"sign in to {host}", OutputPatterns(CAUSES), password)


def plan_image_push(
    builder: Builder, image: str, target: str, paths: ProjectPaths, command: str = ""
) -> tuple[Step, ...]:
    """The steps that name the image for the registry, and push it; `command` is the command that signed in to ECR."""
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
    push = (builder.kind, "push", *digest_file, target)
    return (
        RunCommand((builder.kind, "tag", image, target), paths.root, f"name {image} {target}"),
        RunCommand(push, paths.root, f"push {target}", OutputPatterns(CAUSES, hints=hints)),
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
