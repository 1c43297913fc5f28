"""How a task runs: its processor, its log, how it ends; and what nothing fills before it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults import keep
from handoff_kit.faults.fault import Fault, label
from handoff_kit.forms import FOREVER, MAX_STOP, MIN_STOP, RETENTIONS
from handoff_runtime.variables import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_FLAG = "true or false"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "deploy": (("a mapping", "write it like this: deploy: {cpu: 1024, memory: 2GB}"),),
    "architecture": (("x86_64 or arm64", "arm64 is cheaper; x86_64 runs what is built for no other"),),
    "spot": ((_FLAG, "write it like this: spot: true"),),
    "public_ip": ((_FLAG, "write it like this: public_ip: false"),),
    "log_retention": ((f"days that CloudWatch Logs knows, or {FOREVER}", "write it like this: log_retention: 90d"),),
    "stop_timeout": ((f"a number of seconds, {MIN_STOP} to {MAX_STOP}", "write it like this: stop_timeout: 30"),),
}
_ARCHITECTURES = {
    **dict.fromkeys(("aarch64", "arm", "arm64/v8", "armv8", "graviton", "linux/arm64", "linux/aarch64"), "arm64"),
    **dict.fromkeys(("amd64", "intel", "x64", "x86", "x86-64", "linux/amd64", "linux/x86_64"), "x86_64"),
}
_PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "arm64"}
_YES = ("1", "y", "t", "enabled", "spot", "fargate_spot")
_NO = ("0", "n", "f", "disabled", "never", "fargate")
_DURATION = re.compile(r"([0-9]{1,9})\s*([a-z]*)")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
}


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where something of `deploy` belongs."""
    text = found.strip().lower()
    match trail:
        case ("deploy", "architecture") if meant := _ARCHITECTURES.get(text):
            return f"did you mean `{meant}`?"
        case ("deploy", "spot" | "public_ip") | ("schedules", int(), "enabled"):
            return _flag(text)
        case ("deploy", "log_retention"):
            return _retention(text)
        case ("deploy", "stop_timeout"):
            return _stop(text)
    return None


def unfilled(outline: Outline) -> Iterator[Fault]:
    """Placeholders, which only a run fills."""
    for trail, text, on_key in _written(outline):
        if found := PLACEHOLDER.search(text):
            message = f"{label(trail)} holds {found.group()}, which nothing fills before a run"
            hint = "write the value itself; placeholders are filled when the pipeline runs"
            yield Fault(trail, message, hint, on_key=on_key)


def processors(outline: Outline) -> Iterator[Fault]:
    """An architecture that is not what the image is built for."""
    architecture, platform = outline.deploy().get("architecture"), outline.image().get("platform")
    built = _PLATFORMS.get(platform) if isinstance(platform, str) else None
    if built and architecture in _PLATFORMS.values() and architecture != built:
        message = f"`architecture` is `{architecture}`, but the image is built for {platform}; expected `{built}`"
        hint = f"write architecture: {built}, or take `platform` out of image"
        yield Fault(("deploy", "architecture"), message, hint)


def _written(outline: Outline) -> Iterator[tuple[Trail, str, bool]]:
    """Every text and every name of a key under `deploy` and `schedules`, but for the data of runs."""
    for trail in outline.source.marks:
        if trail[:1] in {("deploy",), ("schedules",)} and trail[2:3] != ("data",):
            value = outline.value(trail)
            if isinstance(trail[-1], str):
                yield trail, trail[-1], True
            if isinstance(value, str):
                yield trail, value, False


def _flag(text: str) -> str | None:
    meant = "true" if text in _YES else "false" if text in _NO else None
    return f"did you mean `{meant}`?" if meant else None


def _retention(text: str) -> str | None:
    meant = keep.meant_days(text)
    if meant is None or isinstance(meant, str):
        return meant and f"did you mean `{meant}`?"
    if meant in RETENTIONS:
        return f"did you mean `{meant}d`?"
    less = [days for days in RETENTIONS if days < meant]
    more = [days for days in RETENTIONS if days > meant]
    if not less:
        return f"the shortest is {more[0]}d"
    return f"the nearest are {less[-1]}d and {f'{more[0]}d' if more else FOREVER}"


def _stop(text: str) -> str | None:
    found = _DURATION.fullmatch(text)
    if not found or found[2] not in _SECONDS:
        return None
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > MAX_STOP:
        return f"the longest is {MAX_STOP}: Fargate waits no longer"
    return f"did you mean `{seconds}`?" if seconds >= MIN_STOP else f"the shortest is {MIN_STOP}"
