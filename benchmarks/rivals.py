"""Images that others would make for the same pipeline: their Dockerfiles, of our own writing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import BASE, PREFIX

from handoff_kit.image.dockerfile import INDEX_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

# What upstream's image installs, by the names of Debian 12; its tini comes as Debian's package.
UPSTREAM_PACKAGES = (
    "python3-dev libkrb5-dev libsasl2-dev libssl-dev libffi-dev build-essential libblas-dev liblapack-dev libpq-dev"
    " sudo apparmor-utils python3-requests python3-setuptools python3-pip python3-venv apt-utils curl rsync"
    " netcat-openbsd locales wget git openssh-server gdebi-core tini"
)
APT_GET = (
    "RUN apt-get update"
    f" && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {UPSTREAM_PACKAGES}"
    " && rm -rf /var/lib/apt/lists/*"
)
PIP = "ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1"
PLUGINS = (("extractors", "tap-jsonfile"), ("loaders", "target-jsonl"))


@dataclass(frozen=True)
class Rival:
    """An image of somebody else's making: its name with us, what it is, its Dockerfile's lines after FROM."""

    name: str
    title: str
    lines: tuple[str, ...]

    @property
    def image(self) -> str:
        """The name of its image."""
        return f"{PREFIX}{self.name}"

    def write(self, directory: Path, elements: Path) -> Path:
        """The Dockerfile, and what it copies: the locks of the sample, its data, a project of Meltano's."""
        shutil.copytree(elements / "locks", directory / "locks")
        shutil.copy(elements / "elements.jsonl", directory)
        (directory / "meltano.yml").write_text(json.dumps(_meltano_project()))
        arguments = (f"ARG {name}" for name in INDEX_SETTINGS)
        (directory / "Dockerfile").write_text("\n".join((f"FROM {BASE}", *arguments, PIP, *self.lines, "")))
        return directory


def _venv(name: str) -> tuple[str, str]:
    install = f"venv/{name}/bin/pip install --require-hashes -r locks/{name}.txt"
    return f"COPY locks/{name}.txt /app/locks/", f"RUN python -m venv venv/{name} && {install}"


def _meltano_project() -> dict[str, object]:
    plugins = {
        kind: [{"name": name, "namespace": name.replace("-", "_"), "pip_url": name, "executable": name}]
        for kind, name in PLUGINS
    }
    return {"send_anonymous_usage_stats": False, "project_id": "handoff-benchmark", "plugins": plugins}


MELTANO = "RUN pip install meltano"
RIVALS = (
    Rival(
        "upstream",
        "upstream handoff: its packages, itself, the two venvs by pip",
        (APT_GET, "RUN pip install wheel handoff", "WORKDIR /app", *_venv("tap"), *_venv("target"), "COPY *.jsonl ./"),
    ),
    Rival(
        "meltano-plugins",
        "Meltano, with tap and target by `meltano install`",
        (MELTANO, "WORKDIR /app", "COPY meltano.yml elements.jsonl ./", "RUN meltano install"),
    ),
    Rival("meltano", "Meltano alone, by `pip install meltano`", (MELTANO,)),
)
