"""The forms in which values of a project file may be written, and what they become."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from handoff_kit.fargate.sizes import CPUS, MEMORIES
from handoff_kit.words import split

if TYPE_CHECKING:
    from collections.abc import Container

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
MEMORY = r"^([1-9][0-9]{2,5}|0\.5 ?Gi?B|[1-9][0-9]{0,2}(\.0)? ?Gi?B)$"
MIN_STORAGE, MAX_STORAGE = 20, 200  # GiB; 20 come with every task
MIN_STOP, MAX_STOP = 2, 120  # seconds
MAX_WINDOW = 1440  # minutes
# The days that CloudWatch Logs can keep a log group for, API Reference, PutRetentionPolicy
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
RETENTION = rf"^(({'|'.join(map(str, RETENTIONS))})d?|{FOREVER})$"
_ACCOUNT = r"[0-9]{12}"
POLICY_ARN = rf"^arn:aws[a-z-]*:iam::(aws|{_ACCOUNT}):policy/[A-Za-z0-9+=,.@_/-]{{1,512}}$"
SID = r"^[A-Za-z0-9]{1,100}$"
ACTION = r"^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$"
RESOURCE = r"^(\*|arn:.+)$"
TOPIC_ARN = rf"^arn:aws[a-z-]*:sns:[a-z0-9-]+:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}$"
CLUSTER = rf"^(arn:aws[a-z-]*:ecs:[a-z0-9-]+:{_ACCOUNT}:cluster/)?[A-Za-z0-9][A-Za-z0-9_-]{{0,254}}$"
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
BUCKET = rf"^{_LABEL}(\.{_LABEL})*$"
MIN_BUCKET, MAX_BUCKET = 3, 63
VPC = r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$"
SUBNET = r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$"
SECURITY_GROUP = r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$"
MAX_SUBNETS, MAX_GROUPS = 16, 5  # ECS API Reference, AwsVpcConfiguration
MAX_MANAGED = 10  # IAM: managed policies of a role
# EventBridge Scheduler, CreateSchedule
SCHEDULE_NAME = r"^[A-Za-z0-9_.-]{1,64}$"
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_WHOLE = re.compile("0|[1-9][0-9]{0,5}")
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


def is_form(pattern: str, text: str) -> bool:
    """Whether the whole of a text is of a form."""
    return bool(re.fullmatch(pattern.strip("^$"), text))


def is_bucket(text: str) -> bool:
    """Whether S3 lets a bucket be called so."""
    is_address = re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text)
    return is_form(BUCKET, text) and MIN_BUCKET <= len(text) <= MAX_BUCKET and not is_address


def as_days(value: object) -> object:
    """The number of days in `90d` or `90`; None for ever."""
    if not isinstance(value, str) or not is_days(value):
        return value
    return None if value == FOREVER else int(value.removesuffix("d"))


def as_states(value: object) -> object:
    """The number in a text that is one."""
    return int(value) if isinstance(value, str) and is_states(value) else value


def as_flag(value: object) -> object:
    """The truth of a word that has one."""
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def as_cpu(value: object) -> object:
    """The number of CPU units in a text, where Fargate has it."""
    return _among(value, CPUS)


def as_memory(value: object) -> object:
    """The number of MiB in `2048` or `2GB`, where Fargate has it; it counts 1024 MiB to the GB."""
    size = mebibytes(value) if isinstance(value, str) else None
    return size if size in MEMORIES else value


def as_storage(value: object) -> object:
    """The number of GiB in a text, where Fargate has it."""
    return _among(value, range(MIN_STORAGE, MAX_STORAGE + 1))


def as_stop_timeout(value: object) -> object:
    """The number of seconds in a text, where Fargate would wait so long."""
    return _among(value, range(MIN_STOP, MAX_STOP + 1))


def as_window(value: object) -> object:
    """The number of minutes in a text, where a schedule's window may be so long."""
    return _among(value, range(MAX_WINDOW + 1))


def as_retention(value: object) -> object:
    """The number of days in `90d` or `90`, where CloudWatch Logs knows it; None for ever."""
    days = as_days(value)
    return days if days is None or days in RETENTIONS else value


def mebibytes(text: str) -> int | None:
    """The number of MiB in a text, whether Fargate has it or not."""
    if not re.fullmatch(MEMORY.strip("^$"), text):
        return None
    number = text.rstrip("GiB ")
    return int(number) if number == text else int(float(number) * 1024)


def _among(value: object, allowed: Container[int]) -> object:
    """The number in a text, where it is one of those allowed; else the text."""
    found = isinstance(value, str) and _WHOLE.fullmatch(value) and int(value) in allowed
    return int(value) if found else value  # type: ignore[call-overload]  # a text by now


def as_texts(value: object) -> object:
    """A text as a list of one."""
    return [value] if isinstance(value, str) else value


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
