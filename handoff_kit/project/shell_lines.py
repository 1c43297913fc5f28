"""The `shell` lines of stages: a failure before a `|` fails the stage only in a shell with pipefail."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping

from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.project.problem import Problem
from handoff_kit.project.shell_words import split_words
from handoff_kit.project.yaml_reader import read_yaml

_NO_PIPEFAIL = (
    "this machine has no bash, and its sh no pipefail: a failure before this | does not fail the stage here",
    "install bash, or make each part its own stage",
)


def unguarded_pipes(paths: ProjectPaths, project: Project, environ: Mapping[str, str]) -> Iterator[Problem]:
    """A problem for each `|` of a shell line, if this machine has no bash and its `sh` no pipefail.

    Images have it: Debian's have bash, and the `sh` of Alpine has pipefail.
    """
    pipes: dict[int, int] = {}
    for index, stage in enumerate(project.stages):
        for offset, operator in split_words(stage.shell or "").operators:
            if "|" in operator.replace("||", ""):
                pipes.setdefault(index, offset + operator.find("|"))
    if not pipes or has_pipefail(environ):
        return
    source = read_yaml(paths.file, paths.display_path)
    for index, offset in pipes.items():
        yield source.at_value(("commands", index, "shell"), *_NO_PIPEFAIL, offset)


def has_pipefail(environ: Mapping[str, str]) -> bool:
    """Whether the shell that runs `shell` lines on this machine has pipefail."""
    path = environ.get("PATH")
    if shutil.which("bash", path=path):
        return True
    shell = shutil.which("sh", path=path)
    probe = (shell or "sh", "-c", "set -o pipefail")
    return shell is not None and subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0
