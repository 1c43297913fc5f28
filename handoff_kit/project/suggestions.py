"""Hints for a wrong value of the project file: what its author most likely meant; None where that cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import ceil

from handoff_kit.project import patterns
from handoff_kit.project.fargate_sizes import CPUS
from handoff_kit.project.patterns import FOREVER, is_bucket, matches
from handoff_kit.project.problem import quote, shorten
from handoff_kit.project.shell_words import split_words
from handoff_kit.scheduling.expression import KINDS, expression_problem
from handoff_kit.text import did_you_mean
from handoff_runtime.placeholders import PLACEHOLDER

POLICY = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"
_GB = 1024
_VCPU = 1024
_MOST_VCPUS = 16
_WITHOUT_END = ("all", "always", "ever", "infinite", "infinity", "inf", "unlimited", "-1")
_FLAGS = {
    **dict.fromkeys(("1", "y", "t", "enabled", "spot", "fargate_spot"), "true"),
    **dict.fromkeys(("0", "n", "f", "disabled", "never", "fargate"), "false"),
}
_NO_WINDOW = ("off", "no", "none", "false", "never")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
}
_MINUTES = {
    **dict.fromkeys(("", "m", "min", "mins", "minute", "minutes"), 1),
    **dict.fromkeys(("h", "hour", "hours"), 60),
    **dict.fromkeys(("d", "day", "days"), 1440),
}
_DAYS = {
    **dict.fromkeys(("", "d", "day", "days"), 1),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7),
    **dict.fromkeys(("mo", "mon", "month", "months"), 30),
    **dict.fromkeys(("y", "yr", "year", "years"), 365),
}
_DURATIONS = (
    ("s", 1, ("s", "sec", "secs", "second", "seconds")),
    ("m", 1, ("m", "min", "mins", "minute", "minutes")),
    ("h", 1, ("h", "hr", "hrs", "hour", "hours")),
    ("d", 1, ("d", "day", "days")),
    ("d", 7, ("w", "wk", "week", "weeks")),
)
_VCPUS = ("vcpu", "vcpus", "cpu", "cpus", "core", "cores")
MEBIBYTES = {
    **dict.fromkeys(("k", "kb", "kib"), 1 / _GB),
    **dict.fromkeys(("m", "mb", "mib"), 1.0),
    **dict.fromkeys(("g", "gb", "gib"), float(_GB)),
    **dict.fromkeys(("t", "tb", "tib"), float(_GB * _GB)),
}
_ARM = ("aarch64", "arm", "arm64/v8", "linux/aarch64")
_INTEL = ("intel", "x64", "x86", "x86-64", "linux/x86_64")
_PLATFORMS = {**dict.fromkeys(_ARM, "linux/arm64"), **dict.fromkeys((*_INTEL, "x86_64", "linux"), "linux/amd64")}
_ARCHITECTURES = {
    **dict.fromkeys((*_ARM, "armv8", "graviton", "linux/arm64"), "arm64"),
    **dict.fromkeys((*_INTEL, "amd64", "linux/amd64"), "x86_64"),
}
_LONGEST_LINE = 200
_WORD = re.compile(r"[^\s,]+")
_INSTALL = re.compile(r"\s*(?:sudo\s+)?(?:apt(?:-get)?\s.*?\binstall\s)?(.*)", re.DOTALL)
_BUCKET_SCHEME = re.compile("^(s3://|arn:aws[a-z-]*:s3:::)")
_RESOURCES = {
    "vpc": patterns.VPC,
    "subnets": patterns.SUBNET,
    "security_groups": patterns.SECURITY_GROUP,
    "alerts": patterns.TOPIC_ARN,
}


def _did_you_mean(value: object) -> str:
    return f"did you mean `{value}`?"


def amount(text: str) -> tuple[float, str] | None:
    """The number and the unit in `1.5 GB`, the unit in lower case."""
    found = re.fullmatch(r"([0-9]{0,9}\.?[0-9]{1,9})\s*([a-z]*)", text.strip().lower())
    return (float(found[1]), found[2]) if found else None


def nearest_number(target: float, numbers: Sequence[int]) -> int:
    """The number nearest to `target`; of two, the larger."""
    return min(numbers, key=lambda number: (abs(number - target), -number))


def _whole(text: str) -> tuple[int, str] | None:
    """The whole number and the unit in `7 days`."""
    found = re.fullmatch(r"0*([0-9]+)\s*([a-z]*)", text.strip().lower())
    return (int(found[1][:9]), found[2]) if found else None


def _count(text: str, units: Mapping[str, int]) -> int | None:
    """The number in `7 days`, in the unit whose factor is 1; None where the unit is not among these."""
    found = _whole(text)
    return found[0] * units[found[1]] if found and found[1] in units else None


def _is_without_end(text: str) -> bool:
    return text.strip().lower() in _WITHOUT_END or bool(did_you_mean(text.strip(), [FOREVER]))


def _one_of(values: Mapping[str, str]) -> Callable[[str], str | None]:
    """For a choice: the value of another word for it."""
    return lambda text: (value := values.get(text.strip().lower())) and _did_you_mean(value)


flag, platform, architecture = _one_of(_FLAGS), _one_of(_PLATFORMS), _one_of(_ARCHITECTURES)


def days(text: str) -> str | None:
    """For a number of days that the bucket keeps things."""
    if hint := _placeholder_hint(text):
        return hint
    count = _count(text, _DAYS)
    if count == 0:
        return "the shortest is 1d"
    if _is_without_end(text) or (count and count > patterns.MAX_DAYS):
        return _did_you_mean(FOREVER)
    return _did_you_mean(f"{count}d") if count else None


def duration(text: str) -> str | None:
    """For a duration with its unit."""
    number, unit = _whole(text) or (0, "none")
    if not number:
        return None
    if not unit:
        return f"write its unit too: {number}s, {number}m, {number}h or {number}d"
    found = next((f"{number * factor}{name}" for name, factor, words in _DURATIONS if unit in words), None)
    return _did_you_mean(found) if found and matches(patterns.DURATION, found) else None


def rows(text: str) -> str | None:
    number = re.sub("[ ,_']", "", text.strip())
    if number == "0":
        return "the least is 1; without `rows_at_least` a run may pass none"
    return _did_you_mean(number) if matches(patterns.ROWS, number) else None


def expect(text: str) -> str | None:
    word = text.strip().lower()
    return f"write it like this: expect: {{success_within: {word}}}" if matches(patterns.DURATION, word) else None


def states(text: str) -> str | None:
    if hint := _placeholder_hint(text):
        return hint
    number, unit = _whole(text) or (None, "")
    if _is_without_end(text) or (number or 0) > patterns.MAX_STATES:
        return f"the most is {patterns.MAX_STATES}: S3 counts no further"
    if number is None:
        return None
    if unit and unit in _DAYS:
        return "states are counted, not timed"
    return _did_you_mean(number) if number else "the least is 1: the state before the present one"


def _placeholder_hint(text: str) -> str | None:
    found = PLACEHOLDER.search(text)
    return found and f"write the value itself: nothing fills {shorten(found.group())} in the bucket's rules"


def keep(text: str) -> str | None:
    word = text.strip().lower()
    return f"write it like this: keep: {{runs: {word}}}" if matches(patterns.DAYS, word) else None


def params(text: str) -> str | None:
    tier = did_you_mean(text.strip(), ("standard", "advanced"))
    return tier and f"write it like this: params: {{tier: {tier}}}"


def retention(text: str) -> str | None:
    """For the days that CloudWatch Logs keeps a log."""
    if _is_without_end(text):
        return _did_you_mean(FOREVER)
    count = _count(text, _DAYS)
    if count is None:
        return None
    if count in patterns.RETENTIONS:
        return _did_you_mean(f"{count}d")
    less = [each for each in patterns.RETENTIONS if each < count]
    more = [each for each in patterns.RETENTIONS if each > count]
    if not less:
        return f"the shortest is {more[0]}d"
    return f"the nearest are {less[-1]}d and {f'{more[0]}d' if more else FOREVER}"


def stop_timeout(text: str) -> str | None:
    """For the seconds that a task has to stop."""
    seconds = _count(text, _SECONDS)
    if seconds is None:
        return None
    if seconds > patterns.MAX_STOP:
        return f"the longest is {patterns.MAX_STOP}: Fargate waits no longer"
    return _did_you_mean(seconds) if seconds >= patterns.MIN_STOP else f"the shortest is {patterns.MIN_STOP}"


def window(text: str) -> str | None:
    """For the minutes of a schedule's window."""
    minutes = 0 if text.strip().lower() in _NO_WINDOW else _count(text, _MINUTES)
    if minutes is None:
        return None
    return _did_you_mean(minutes) if minutes <= patterns.MAX_WINDOW else f"the longest is {patterns.MAX_WINDOW}, a day"


def cpu(text: str) -> str | None:
    """For CPU units; a small number without a unit means vCPUs."""
    number, unit = amount(text) or (0, "none")
    if unit in _VCPUS or (not unit and number <= _MOST_VCPUS):
        return f"{_did_you_mean(nearest_number(number * _VCPU, CPUS))} 1024 are one vCPU"
    units = number * _VCPU / 1000 if unit == "m" else number
    return _did_you_mean(nearest_number(units, CPUS)) if unit in {"", "m", "unit", "units"} else None


def storage(text: str) -> str | None:
    number, unit = amount(text) or (0, "none")
    if unit not in {"", *MEBIBYTES}:
        return None
    gibibytes = number * MEBIBYTES.get(unit, _GB) / _GB
    if gibibytes > patterns.MAX_STORAGE:
        return f"the most is {patterns.MAX_STORAGE}; what is larger has its place in the bucket"
    if gibibytes < patterns.MIN_STORAGE:
        return f"the least is {patterns.MIN_STORAGE}, which costs nothing"
    return _did_you_mean(ceil(gibibytes))


def image(text: str) -> str | None:
    is_base = matches(patterns.BASE, text) and re.search("[:/]", text)
    return f"write it like this: image: {{base: {text}}}" if is_base else None


def packages_in(text: str) -> tuple[str, ...]:
    """The Debian packages in an apt-get line or a list without brackets; empty if it holds anything else."""
    found = _INSTALL.fullmatch(text)
    words = tuple(word for word in re.split(r"[\s,]+", found[1] if found else "") if word and not word.startswith("-"))
    return words if all(matches(patterns.PACKAGE, word) for word in words) else ()


def list_of(key: str, split: Callable[[str], Sequence[str]] = _WORD.findall) -> Callable[[str], str | None]:
    """For a list given as a text; by default it is split at blanks and commas."""

    def suggest(text: str) -> str | None:
        written = [item if re.fullmatch(r"\w[\w./+=-]*", item) else quote(item) for item in split(text)]
        return f"write it as a list: {key}: [{', '.join(written)}]" if written else None

    return suggest


def one_line(text: str) -> tuple[str, ...]:
    return (text,) if text.strip() else ()


def list_of_ids(key: str) -> Callable[[str], str | None]:
    """For a list of ids or ARNs, which need no quotes."""
    return lambda text: f"write it as a list: {key}: [{', '.join(_WORD.findall(text))}]" if text.strip() else None


def stage(text: str) -> str:
    return f"write it like this: - {_stage_of(text)}"


def stages(text: str) -> str | None:
    return f"write it like this: commands: [{_stage_of(text)}]" if text.strip() else None


def _stage_of(text: str) -> str:
    """A command line as a stage: by the shell where it holds signs of one, else a program and its args."""
    program, _, rest = text.strip().partition(" ")
    line, args = quote(text.strip(), _LONGEST_LINE), quote(rest.strip(), _LONGEST_LINE)
    words = split_words(text)
    if words.operators or words.open_quote:
        return f"{{shell: {line}}}"
    return f"{{command: {shorten(program)}, args: {args}}}" if rest else f"command: {shorten(program)}"


def schedules(text: str) -> str | None:
    kind = _kind_of(text)
    return kind and f'write it like this: schedules: [{{{kind}: "{shorten(text.strip())}"}}]'


def schedule(text: str) -> str | None:
    kind = _kind_of(text)
    return kind and f'write it like this: - {kind}: "{shorten(text.strip())}"'


def _kind_of(text: str) -> str | None:
    return next((kind for kind in KINDS if expression_problem(kind, text.strip(), "UTC") is None), None)


def resource_id(key: str) -> Callable[[str], str | None]:
    """For the id or the ARN of an existing resource in AWS."""

    def suggest(text: str) -> str | None:
        resource = text.strip() if key == "alerts" else text.strip().lower()
        if matches(_RESOURCES[key], resource):
            return _did_you_mean(resource)
        if key == "alerts" and re.fullmatch(r"[A-Za-z0-9_-]+", resource):
            return f"write the whole ARN: arn:aws:sns:REGION:ACCOUNT:{resource}"
        return _other_resource(resource)

    return suggest


def alert(text: str) -> str | None:
    """For a recipient of alerts: one with the scheme that it lacks, or has in other words."""
    value = re.sub(r"^<(.*)>$", r"\1", text.strip())
    rest = re.sub(r"^(e?mail|mailto|http|https|webhook|slack|teams|sns)(://|:\s*)", "", value, flags=re.IGNORECASE)
    guesses = (
        value,
        rest,
        f"mailto:{rest}",
        f"https://{rest}" if "/" in rest and "." in rest.partition("/")[0] else "",
        f"secretsmanager:{value}" if ":secretsmanager:" in value else "",
        re.sub(r"^arn:[a-z-]+:ssm:.*:parameter/", "ssm:/", value),
    )
    if guess := next((each for each in guesses if matches(patterns.ALERT, each)), None):
        return _did_you_mean(guess)
    if stored := re.fullmatch(r"(teams\+)?ssm:([\w.-]+)", value):
        return _did_you_mean(f"{stored[1] or ''}ssm:/{stored[2]}")
    if value.startswith("#"):
        return "write the URL of a webhook that posts to it: https://hooks.slack.com/services/..."
    name = re.fullmatch(r"(?:sns:)?([A-Za-z0-9_-]+)", value)
    return name and f"write the whole ARN: arn:aws:sns:REGION:ACCOUNT:{name[1]}"


def list_of_alerts(text: str) -> str | None:
    """For a list of recipients given as a text."""
    items = _WORD.findall(text)
    guesses = [each if matches(patterns.ALERT, each) else f"mailto:{each}" for each in items]
    fits = all(matches(patterns.ALERT, each) for each in guesses)
    return f"write it as a list: alerts: [{', '.join(guesses if fits else items)}]" if items else None


def _other_resource(text: str) -> str | None:
    other = next((key for key, pattern in _RESOURCES.items() if matches(pattern, text)), None)
    return other and f"that belongs to `{other}`"


def cluster(text: str) -> str | None:
    value = text.strip()
    return _did_you_mean(value) if matches(patterns.CLUSTER, value) else _other_resource(value)


def bucket(text: str) -> str | None:
    name = _BUCKET_SCHEME.sub("", text.strip().lower()).partition("/")[0].replace("_", "-").strip("-.")
    return _did_you_mean(name) if is_bucket(name) else None


def policy(text: str) -> str:
    value = text.strip()
    if matches(patterns.POLICY_ARN, value):
        return _did_you_mean(value)
    if other := re.search(r":(role|user|group)/", value):
        return f"that is the ARN of a {other[1]}; a policy's is like {POLICY}"
    name = value.removeprefix("aws:policy/").rpartition("/")[2]
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9+=,.@_-]*", name):
        own = f"arn:aws:iam::ACCOUNT:policy/{name}"
        return f"if it is one of AWS's own: arn:aws:iam::aws:policy/{name}; if it is yours: {own}"
    return f"for example: {POLICY}"


def statement_id(text: str) -> str | None:
    value = re.sub("[^A-Za-z0-9]", "", text)
    return _did_you_mean(value) if matches(patterns.SID, value) else None


def action(text: str) -> str | None:
    service, colon, name = text.strip().partition(":")
    choices = (text.strip(), f"{service.lower()}:{name}" if colon else f"{service.lower()}:*")
    value = next((each for each in choices if matches(patterns.ACTION, each)), None)
    return value and _did_you_mean(value)


def resource(text: str) -> str | None:
    value = text.strip()
    if matches(patterns.RESOURCE, value):
        return _did_you_mean(value)
    path = value.removeprefix("s3://")
    return _did_you_mean(f"arn:aws:s3:::{shorten(path, 80)}") if path not in {value, ""} else None
