"""The steps a plan is made of: frozen values that say what would be done, and do nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from handoff_kit.image.context import Entry


@dataclass(frozen=True)
class WriteFile:
    """A file as it shall be; written whole or not at all. `directory_mode` is that of directories it creates."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644
    directory_mode: int = 0o777


@dataclass(frozen=True)
class RemoveTree:
    """A directory, or a file, that shall not be there."""

    path: Path


@dataclass(frozen=True)
class RunCommand:
    """A program to be run to its end; a non-zero exit ends the plan.

    `env` is added to our own environment; `purpose` completes the sentence "could not ...";
    `given` is what its standard input holds, and is never told;
    `telling` are patterns of what, in its output, names the cause, `where` those of what names the part that
    failed: the error repeats the first of each that is found. `hints` are pairs of a pattern and what to do
    where it is found; without one the error tells how to repeat the command.
    """

    argv: tuple[str, ...]
    cwd: Path
    purpose: str
    env: Mapping[str, str] = field(default_factory=dict)
    telling: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    hints: tuple[tuple[str, str], ...] = ()
    given: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class WriteContext:
    """A directory that shall hold these entries and nothing else, all of one time; made beside, then put in place."""

    directory: Path
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class LockRequirements:
    """Requirements to be resolved into a lock file: exact versions, with the hashes of their files.

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
class StampVenv:
    """The mark of a finished virtual environment: made last, so what was killed in the middle has none."""

    directory: Path
    lock: Path
    python: str


@dataclass(frozen=True)
class ChangeStack:
    """A CloudFormation stack as it shall be: made where there is none, changed where it differs.

    `file` holds `template`, as it lies on disk; `again` is the command that does the same once more.
    A value of `parameters` may be an ImageTag, whose digest is looked up when the step is done, or a BucketThere.
    `bucket` takes templates that are too long for a request; a task stack that is deployed with another bucket is
    refused, unless that is `moved_from`.
    """

    name: str
    file: Path
    template: str = field(repr=False)
    parameters: Mapping[str, str | ImageTag | BucketThere] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    again: str = ""
    bucket: str = ""
    moved_from: str = ""


@dataclass(frozen=True)
class ImageTag:
    """An image in ECR by its tag; in a task definition it is `URI@sha256:...`, which can not come to mean another."""

    repository: str
    tag: str
    uri: str


@dataclass(frozen=True)
class BucketThere:
    """`yes` where a bucket is there from before the stack that would make it, marked as that stack's; else `no`.

    A stack that is there keeps what it was once told.
    """

    bucket: str
    account: str
    stack: str


@dataclass(frozen=True)
class RemoveStack:
    """A CloudFormation stack that shall not be there; `again` is the command that does the same once more."""

    name: str
    again: str = ""


Step = WriteFile | WriteContext | RemoveTree | RunCommand | LockRequirements | StampVenv
"""What is done on this machine."""
StackStep = ChangeStack | RemoveStack
"""What is done to stacks; it asks first."""
