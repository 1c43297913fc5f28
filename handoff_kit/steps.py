"""The steps of a plan: frozen values without behaviour, which `apply.py` describes and performs.

On this machine: WriteFile WriteContext RemoveTree RunCommand LockRequirements SwitchVenv.
In AWS: DeployStack DeleteStack ApiCalls UploadFiles DeleteObjects StoreParams CopyProjectData TagVersions EndRuns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from handoff_kit.command import OutputPatterns
from handoff_kit.errors import AWSError
from handoff_runtime.aws.transfer import LocalFile
from handoff_runtime.retention import Keep


@dataclass(frozen=True)
class WriteFile:
    """A file, written whole or not at all; `directory_mode` is that of the directories it creates."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644
    directory_mode: int = 0o777


@dataclass(frozen=True)
class RemoveTree:
    """Removes a directory or a file, if there is one."""

    path: Path


@dataclass(frozen=True)
class RunCommand:
    """Runs a program; a non-zero exit ends the plan.

    `purpose` completes the sentence "could not ...". `patterns` are those of its output; where none of their hints
    fits, the hint of the error is to repeat the command. A terminal shows one line of an output that goes to `log`.
    `registry` is what docker or podman signs in with.
    """

    argv: tuple[str, ...]
    cwd: Path
    purpose: str
    patterns: OutputPatterns = field(default_factory=OutputPatterns)
    log: Path | None = None
    registry: RegistryCredentials | None = None


@dataclass(frozen=True)
class RegistryCredentials:
    """User name and password of a registry; while a command runs, they are in a file below `directory`."""

    directory: Path
    host: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class WriteContext:
    """A build context: a directory of just these entries, built under another name and then renamed."""

    directory: Path
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class LockRequirements:
    """Resolves requirements into a lock file: exact versions, with the hashes of their files.

    `argv` is uv's, which reads the requirements from its standard input. The lock serves the first of `pythons`
    and later; where no versions do, the next one is tried. The versions of an earlier lock stay where they still fit,
    unless `upgrade` is set.
    """

    lock: Path
    requirements: tuple[str, ...]
    argv: tuple[str, ...]
    cwd: Path
    purpose: str
    pythons: tuple[str, ...]
    upgrade: bool = False


@dataclass(frozen=True)
class SwitchVenv:
    """Makes `link` lead to a new version of a virtual environment, complete from here on and installed from `resolved`.

    `resolved` becomes the lock where it is not. Comes last: an interrupted installation leaves all as it was.
    """

    link: Path
    version: Path
    lock: Path
    python: str
    resolved: Path


@dataclass(frozen=True)
class DeployStack:
    """Creates or updates a CloudFormation stack, if it differs from `template`, `parameters` and `tags`.

    `file` holds `template` on disk; `command` is the command that repeats the deployment.
    An ImageTag is resolved to its digest, a StackOutput to its value, and an ExistingBucket to yes or no, when the step
    is performed.
    `bucket` takes templates that are too long for a request; a task stack that is deployed with another bucket is
    refused, unless that is `moved_from`. With `initial_tags` the stack is created with these tags too, and keeps later
    what it has. `made_from` is the deployed template that `template` was made from, empty where there was no stack:
    once there is another, the step is refused. With `reverts_drift` the change set also changes back what was
    changed by hand.
    """

    name: str
    file: Path
    template: str = field(repr=False)
    parameters: Mapping[str, str | ImageTag | StackOutput | ExistingBucket]
    tags: Mapping[str, str]
    command: str
    bucket: str = ""
    moved_from: str = ""
    initial_tags: Mapping[str, str] | None = None
    made_from: str | None = field(default=None, repr=False)
    reverts_drift: bool = False


@dataclass(frozen=True)
class ImageTag:
    """An image in ECR by its tag; in a task definition it becomes `URI@sha256:...`, which never changes its meaning."""

    repository: str
    tag: str
    uri: str


@dataclass(frozen=True)
class StackOutput:
    """An output of another stack."""

    stack: str
    output: str


@dataclass(frozen=True)
class ExistingBucket:
    """`yes` if the bucket exists before `stack` is created and is tagged as that stack's, else `no`.

    A stack that exists keeps its value.
    """

    bucket: str
    account: str
    stack: str


@dataclass(frozen=True)
class DeleteStack:
    """Deletes a CloudFormation stack, if there is one; `command` is the command that repeats the deletion."""

    name: str
    command: str


@dataclass(frozen=True)
class ApiCall:
    """A call by boto3's names; `description` never shows the contents; `race` is the error of a conditional call."""

    description: str
    service: str
    operation: str
    request: Mapping[str, object] = field(repr=False)
    race: AWSError | None = None


@dataclass(frozen=True)
class ApiCalls:
    """Independent calls, made several at a time; deleting what does not exist is no error."""

    calls: tuple[ApiCall, ...]


@dataclass(frozen=True)
class UploadFiles:
    """Uploads files below a prefix of a bucket; `notes` are shown first."""

    bucket: str
    prefix: str
    files: tuple[LocalFile, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeleteObjects:
    """Deletes objects of a bucket by their keys."""

    bucket: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class ParameterSettings:
    """The KMS key that encrypts a parameter (empty: AWS's own), and the tags it is created with."""

    kms_key: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoreParams:
    """Stores a params document over version `base` (0: none is stored); `change` is None if it is stored already.

    `kept` and `removed` name the stored config files that are absent locally; `damaged` is a version that a push
    replaces although it cannot be read.
    """

    document: Mapping[str, Any] = field(repr=False)
    base: int
    change: ApiCall | None
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    damaged: int = 0
    advanced: bool = False
    parameter: ParameterSettings = ParameterSettings()


@dataclass(frozen=True)
class CopyProjectData:
    """Copies the objects below a prefix, the data of a project, from the bucket `source` to `bucket`."""

    source: str
    bucket: str
    prefix: str
    objects: int
    bytes: int


@dataclass(frozen=True)
class TagVersions:
    """Tags every stored version below a prefix, the data of a project, for retention as `keep` says."""

    bucket: str
    prefix: str
    versions: int
    keep: Keep


Running = Literal["", "wait", "stop"]
"""What becomes of runs under way: they end the plan, are waited for, or stopped."""


@dataclass(frozen=True)
class EndRuns:
    """Stops the runs of the project, or waits for their end; a state machine is deleted only when its executions end.

    If `running` is empty, a run ends the plan: a schedule may start one while the plan is confirmed. With `data` so
    does a run on any machine that holds the project's lock. `machines` are ARNs.
    """

    cluster: str
    machines: tuple[str, ...]
    command: str
    data: bool = False
    running: Running = ""


Step = (
    WriteFile
    | WriteContext
    | RemoveTree
    | RunCommand
    | LockRequirements
    | SwitchVenv
    | DeployStack
    | DeleteStack
    | ApiCalls
    | UploadFiles
    | DeleteObjects
    | StoreParams
    | CopyProjectData
    | TagVersions
    | EndRuns
)


@dataclass(frozen=True)
class Entry:
    """A path of the context: a directory (no source), a link (its target) or a file (source, size and sha256)."""

    path: str
    mode: int
    source: Path | None = None
    target: str | None = None
    size: int = 0
    sha256: str | None = None

    @property
    def time(self) -> int:
        """The modification time (seconds since the epoch), computed from the content.

        It is not a constant, since BuildKit (fsutil) takes a file of equal path, size and time for one it already has,
        and would build the image from the old content.
        """
        content = self.sha256 or (hashlib.sha256(self.target.encode()).hexdigest() if self.target else "0")
        return FIRST_TIME + int(content[:8], 16) % TIMES


FIRST_TIME = 315_532_800  # 1980-01-01, the first that every archive can hold
TIMES = 1 << 30  # 34 years
