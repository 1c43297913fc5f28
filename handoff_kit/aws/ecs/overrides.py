"""The overrides of one run: data, command, variables, size; secrets and reserved names are refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handoff_kit.aws.ecs.secret_detection import config_mask, secret_by_key, secret_by_name, secret_by_value
from handoff_kit.errors import ProjectError
from handoff_kit.project.execution_input import execution_input, overrides_length
from handoff_kit.project.fargate_sizes import CPUS, format_sizes, memories_of
from handoff_kit.project.fields import parse_mebibytes
from handoff_kit.project.patterns import MAX_OVERRIDES
from handoff_runtime import exact_json
from handoff_runtime.masking import Mask
from handoff_runtime.placeholders import NAME

TRIGGER = "run"
RESERVED_NAMES = {
    "DATA": "use --data or --var",
    "COMMAND": "use --command",
    "HANDOFF_NO_STATE": "use --no-state",
    "TRIGGER": "leave it out: such a run is recorded as `run`",
    "STACK_NAME": "use --project and --environment",
    "S3_BUCKET_NAME": "name it in project.yml: deploy: {bucket: NAME}, then: invoke deploy",
    "S3_BUCKET": "name it in project.yml: deploy: {bucket: NAME}, then: invoke deploy",
    "S3_BUCKET_OWNER": "leave it out: the bucket of a deployed project belongs to its account",
    "STOP_TIMEOUT": "set it in project.yml: deploy: {stop_timeout: SECONDS}, then: invoke deploy",
    "LOG_FORMAT": "leave it out: the log is text here, and JSON with invoke logs --json",
    "IMAGE_DIGEST": "leave it out: invoke deploy sets it",
}
RESERVED_PREFIXES = {
    "AWS_": "leave it out: AWS sets it in the container; permissions are project.yml's deploy: {policies: [...]}",
    "ECS_": "leave it out: AWS sets it in the container",
    **dict.fromkeys(("HANDOFF_", "PARAMS_"), "leave it out: handoff sets it"),
}


@dataclass(frozen=True)
class TaskSize:
    """CPU units, and memory in MiB."""

    cpu: int
    memory: int

    @property
    def description(self) -> str:
        return f"{self.cpu} CPU units, {self.memory:,} MiB"


def parse_size(cpu: str, memory: str, own: TaskSize) -> TaskSize | None:
    """The size of the options, the missing one as `own` has it; None where both are missing."""
    if not cpu and not memory:
        return None
    if cpu and not (cpu.isascii() and cpu.isdecimal() and int(cpu) in CPUS):
        expected = f"one of {', '.join(map(str, CPUS))} (1024 are one vCPU)"
        raise ProjectError(f"--cpu: found {cpu!r}, expected {expected}", "for example: --cpu 1024")
    mebibytes = parse_mebibytes(memory) if memory else own.memory
    if not mebibytes:
        raise ProjectError(f"--memory: found {memory!r}, expected MiB, or GB like 2GB", "for example: --memory 2GB")
    size = TaskSize(int(cpu) if cpu else own.cpu, mebibytes)
    if size.memory in memories_of(size.cpu):
        return size
    given = " and ".join(f"--{name} {text}" for name, text in (("cpu", cpu), ("memory", memory)) if text)
    valid = memories_of(size.cpu)
    message = f"{given}: found {size.description}, expected a memory for {size.cpu} CPU units: {format_sizes(valid)}"
    smallest = next((each for each in CPUS if size.memory in memories_of(each)), None)
    if smallest and memory and not cpu:
        nearest = f"--cpu {smallest} --memory {size.memory}"
    else:
        nearest = f"--cpu {size.cpu} --memory {next((one for one in valid if one >= size.memory), valid[-1])}"
    raise ProjectError(message, f"for example: {nearest}")


@dataclass(frozen=True)
class RunOptions:
    """The options of one run; without a `size` it has that of the task definition."""

    command: str = "run"
    data: Mapping[str, Any] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    size: TaskSize | None = None
    no_state: bool = False


def parse_env(pairs: Sequence[str], project: str, config: Mask, own: Collection[str]) -> dict[str, str]:
    """The variables of `--env NAME=VALUE`; `own` are those of the project file, which the runtime sets instead."""
    envs: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not NAME.fullmatch(name):
            message = f"--env: found {_without_secret(pair)}, expected NAME=VALUE"
            raise ProjectError(message, "for example: --env LOG_LEVEL=debug")
        where = f"--env {name}"
        prefixed = (hint for prefix, hint in RESERVED_PREFIXES.items() if name.startswith(prefix))
        if instead := RESERVED_NAMES.get(name) or next(prefixed, None):
            raise ProjectError(f"{where}: the name is reserved for handoff or AWS", instead)
        if name in own:
            message = f"{where}: `envs` of project.yml sets this variable for every stage, and overrides --env"
            placeholder = f"--var {name.lower()}={_without_secret(value)}"
            raise ProjectError(message, f"change it there, or fill a placeholder: {placeholder}")
        if why := secret_by_name(name, value) or secret_by_value(value, config):
            raise _secret_error(where, why, project)
        envs[name] = value
    return envs


def _without_secret(text: str) -> str:
    """The text, unless it may contain a secret."""
    return "a value" if "=" in text or secret_by_value(text, config_mask(())) else repr(text)


def check_data(data: Mapping[str, Any], project: str, config: Mask) -> None:
    """Refuse data that looks like a secret by its name or form."""
    for name, value in data.items():
        reasons = (secret_by_value(text, config) for text in _texts(value))
        if why := secret_by_key(name, value) or next(filter(None, reasons), None):
            raise _secret_error(f"--data: {name}", why, project)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _secret_error(where: str, why: str, project: str) -> ProjectError:
    message = f"{where} looks like a secret ({why}); task overrides can be read by anyone with ecs:DescribeTasks"
    directory = f"projects/{project}/.local"
    hint = f"put it, or a reference to it (ssm:/a/name), into a file of {directory}/"
    return ProjectError(message, f"{hint}, then: invoke params.push --project {project}")


def run_input(options: RunOptions) -> dict[str, Any]:
    """The input of an execution for one run; ProjectError where its overrides are longer than ECS allows."""
    values = {"COMMAND": options.command, "TRIGGER": TRIGGER, **options.envs}
    if options.no_state:
        values["HANDOFF_NO_STATE"] = "1"
    if options.data:
        values["DATA"] = exact_json.dumps(dict(options.data), ensure_ascii=False, separators=(",", ":"))
    size = {"Cpu": str(options.size.cpu), "Memory": str(options.size.memory)} if options.size else {}
    result = execution_input(values, size)
    if (length := overrides_length(result)) > MAX_OVERRIDES:
        longest = max(values, key=lambda name: len(json.dumps(values[name])))
        what = "--data" if longest == "DATA" else f"--env {longest}"
        message = (
            f"{what}: found {length:,} characters in all overrides of the task, expected at most {MAX_OVERRIDES:,}"
        )
        raise ProjectError(message, "put long values into a file: projects/NAME/files/, then: invoke files.push")
    return result
