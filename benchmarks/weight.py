"""What lies in an image, in bytes: by venv, and by the packages of the runtime's own environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from engine import LIST

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Engine

OURS = "/opt/handoff"
VENV = "the virtual environment itself"
NOT_PACKAGES = ("", "_virtualenv", "__pycache__")
DATA, OTHER_DATA = "botocore: data of the services kept", "botocore: data of all services (endpoints, partitions)"


def venvs(engine: Engine, image: str, names: tuple[str, ...]) -> dict[str, int]:
    """The venvs of an image."""
    return {name: sum(engine.files(image, (f"/app/venv/{name}",)).values()) for name in names}


def venvs_here(directory: Path, names: tuple[str, ...]) -> dict[str, int]:
    """The same, as `invoke install` has made them on this machine."""
    return {name: sum(_files_here(directory / "venv" / name).values()) for name in names}


def _files_here(top: Path) -> dict[str, int]:
    done = subprocess.run((sys.executable, "-c", LIST, str(top)), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def parts(engine: Engine, image: str) -> dict[str, tuple[int, int]]:
    """The parts of the runtime's environment, largest first: bytes, and how many of them are bytecode."""
    found: dict[str, tuple[int, int]] = {}
    for path, size in engine.files(image, (OURS,)).items():
        part = part_of(path)
        total, compiled = found.get(part, (0, 0))
        found[part] = (total + size, compiled + (size if path.endswith(".pyc") else 0))
    return dict(sorted(found.items(), key=lambda each: -each[1][0]))


def part_of(path: str) -> str:
    """What a file belongs to: a package, botocore's data, or none of them."""
    if "/botocore/data/" in path:
        return DATA if path.partition("/botocore/data/")[2].count("/") else OTHER_DATA
    found = re.search(r"/site-packages/([A-Za-z0-9_]+)", path)
    name = found[1] if found else ""
    return VENV if name in NOT_PACKAGES else name.removeprefix("python_")
