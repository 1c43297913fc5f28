"""The forms in which values of a project file may be written, and what they become."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from handoff_kit.words import split

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
VENV_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
COLLECTOR_STATS = "collector_stats"
# An image as a Dockerfile's FROM takes it: [HOST[:PORT]/]PATH[:TAG][@DIGEST], https://pkg.go.dev/github.com/distribution/reference
_HOST = r"[a-z0-9]+([.-]+[a-z0-9]+)*(:[0-9]+)?"
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
BASE = rf"^({_HOST}/)?{_PART}(/{_PART})*({_TAG})?(@sha256:[0-9a-f]{{64}})?$"
# A Debian package as apt-get install takes it: NAME[:ARCHITECTURE][=VERSION], Debian Policy 5.6.1 and 5.6.12
# (a name never ends in -, which would mean: remove it)
PACKAGE = r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+)?(=[A-Za-z0-9.+:~*-]+)?$"
SERVICE = r"^[a-z0-9]+(-[a-z0-9]+)*$"
FOREVER = "forever"
DAYS = rf"^([1-9][0-9]{{0,3}}d?|{FOREVER})$"
MAX_DAYS = 9999
# S3 counts no further (NewerNoncurrentVersions), Amazon S3 API Reference, NoncurrentVersionExpiration
MAX_STATES = 100
STATES = r"^([1-9][0-9]?|100)$"
_PIP = re.compile(r"\s*(?:python3?\s+-m\s+)?pip3?\s+install\s(?P<rest>.*)", re.DOTALL)


def is_name(text: str) -> bool:
    """Whether a variable may be called so."""
    return bool(re.fullmatch(NAME.strip("^$"), text))


def is_venv_name(text: str) -> bool:
    """Whether a venv may be called so."""
    return bool(re.fullmatch(VENV_NAME.strip("^$"), text))


def is_base(text: str) -> bool:
    """Whether an image may be called so."""
    return bool(re.fullmatch(BASE.strip("^$"), text))


def is_package(text: str) -> bool:
    """Whether apt-get takes this for one package."""
    return bool(re.fullmatch(PACKAGE.strip("^$"), text))


def is_service(text: str) -> bool:
    """Whether boto3 may call a service so."""
    return bool(re.fullmatch(SERVICE.strip("^$"), text))


def is_days(text: str) -> bool:
    """Whether this says how long something is kept."""
    return bool(re.fullmatch(DAYS.strip("^$"), text))


def is_states(text: str) -> bool:
    """Whether S3 can keep so many earlier states."""
    return bool(re.fullmatch(STATES.strip("^$"), text))


def as_days(value: object) -> object:
    """The number of days in `90d` or `90`; None for ever."""
    if not isinstance(value, str) or not is_days(value):
        return value
    return None if value == FOREVER else int(value.removesuffix("d"))


def as_states(value: object) -> object:
    """The number in a text that is one."""
    return int(value) if isinstance(value, str) and is_states(value) else value


def as_words(value: object) -> object:
    """The words of a line; a list has them already."""
    return split(value).words if isinstance(value, str) else value


def as_mapping(value: object) -> object:
    """Bring the list form of envs, [{key: TZ, value: UTC}], into the mapping form."""
    if isinstance(value, list) and all(isinstance(item, dict) and item.keys() == {"key", "value"} for item in value):
        return {item["key"]: item["value"] for item in value}
    return value


def as_directory(value: object) -> object:
    """The directory of a venv, given by name or by path, relative to the project."""
    if not isinstance(value, str):
        return value
    return str(PurePosixPath(value)) if "/" in value else f"venv/{value}"


def as_requirements(value: object) -> object:
    """The requirements in lines of `pip install ...`."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [word for line in value for word in (installed(line) or ())]
    return value


def installed(line: str) -> tuple[str, ...] | None:
    """What `pip install ...` installs; None when the line is no such command."""
    found = _PIP.fullmatch(line)
    if not found:
        return None
    try:
        return tuple(shlex.split(found["rest"]))
    except ValueError:
        return None


def venv_name(directory: str) -> str:
    """The name of the venv in a directory."""
    return PurePosixPath(directory).name.lstrip(".-")
