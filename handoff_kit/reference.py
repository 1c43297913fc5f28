"""The reference of the project file, made from the models; `python -m handoff_kit.reference` rewrites it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_kit.project import Deploy, Image, Keep, Params, Project, Schedule, Stage, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

BEGIN = "<!-- reference -->"
END = "<!-- /reference -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "project-file.md"

_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./>=-]*|[0-9]+(d|GB)")
_WRITTEN = {
    "description": "text",
    "vars": "mapping: name to text",
    "envs": "mapping: name to text; or a list of `key` and `value`",
    "venvs": "mapping: name to a list of requirements",
    "commands": "list of stages",
    "state": "`all`, `singer` or `none`",
    "meter": "`rows`, `bytes` or `off`",
    "overlap": "`fail`, `skip` or `wait`",
    "command": "text",
    "shell": "text",
    "args": "text, or a list of words",
    "venv": "name or path",
    "installs": "list of texts",
    "image": "mapping",
    "base": "name of an image",
    "packages": "list of Debian packages",
    "build_packages": "list of Debian packages",
    "steps": "list of lines for `sh`",
    "platform": "`linux/amd64` or `linux/arm64`",
    "store": "`aws` or `none`",
    "services": "list of names",
    "exclude": "list of patterns",
    "include": "list of patterns",
    "keep": "mapping",
    "runs": "days, or `forever`",
    "artifacts": "days, or `forever`",
    "states": "number",
    "params": "mapping",
    "tier": "`standard` or `advanced`",
    "deploy": "mapping",
    "cpu": "number",
    "memory": "MiB, or GB",
    "storage": "GiB",
    "architecture": "`x86_64` or `arm64`",
    "spot": "`true` or `false`",
    "log_retention": "days, or `forever`",
    "stop_timeout": "seconds",
    "tags": "mapping: name to text",
    "policies": "list of ARNs and statements",
    "vpc": "id",
    "subnets": "list of ids",
    "security_groups": "list of ids",
    "public_ip": "`true` or `false`",
    "cluster": "name or ARN",
    "bucket": "name",
    "alerts": "ARN",
    "Sid": "letters and digits",
    "Effect": "`Allow` or `Deny`",
    "Action": "text, or a list of texts",
    "Resource": "text, or a list of texts",
    "Condition": "mapping: operator to a mapping of key to text, or to a list of texts",
    "schedules": "list of schedules",
    "name": "text",
    "cron": "text",
    "rate": "text",
    "at": "text",
    "timezone": "name of a time zone",
    "data": "mapping: name to text",
    "enabled": "`true` or `false`",
    "window": "minutes",
}
_DEFAULTS = {
    "commands": "required",
    "state": "`singer` or `all`",
    "command": "one of `command` and `shell`",
    "shell": "one of the two",
    "image": "the defaults of its keys",
    "platform": "the builder's own",
    "keep": "the defaults of its keys",
    "runs": "`90d`",
    "artifacts": "`30d`",
    "params": "the defaults of its keys",
    "deploy": "the defaults of its keys",
    "memory": "the least that goes with `cpu`",
    "architecture": "that of `platform`, else `x86_64`",
    "spot": "`false`",
    "public_ip": "`true`",
    "log_retention": "`90d`",
    **dict.fromkeys(("subnets", "security_groups"), "the shared ones"),
    **dict.fromkeys(("cluster", "bucket", "alerts"), "the shared one"),
    "Action": "required",
    "Resource": "required",
    "cron": "one of `cron`, `rate` and `at`",
    "rate": "one of the three",
    "at": "one of the three",
    "enabled": "`true`",
    "window": "`0`",
}


def reference() -> str:
    """Every key with its type, default, meaning and an example, in Markdown."""
    parts = [
        *_section("At the left margin", Project),
        *_section("Of a stage, under `commands`", Stage),
        *_section("Of `image`", Image),
        *_section("Of `keep`", Keep),
        *_section("Of `params`", Params),
        *_section("Of `deploy`", Deploy),
        *_section("Of a statement, under `policies`", Statement),
        *_section("Of a schedule, under `schedules`", Schedule),
    ]
    return "\n".join(parts)


def current(page: str) -> str:
    """A page with the reference between its markers brought up to date."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"### {title}", "", "| key | written as | default |", "|---|---|---|")
    keys = {info.alias or name: info for name, info in model.model_fields.items()}
    for key, info in keys.items():
        yield f"| `{key}` | {_WRITTEN[key]} | {_default(key, info)} |"
    yield ""
    for key, info in keys.items():
        yield from (f"**`{key}`**: {info.description}", "", "```yaml", *_examples(key, info), "```", "")


def _default(key: str, info: FieldInfo) -> str:
    return _DEFAULTS.get(key) or (f"`{info.default}`" if info.default and not info.default_factory else "none")


def _examples(key: str, info: FieldInfo) -> Iterator[str]:
    for number, example in enumerate(info.examples or ()):
        yield from ["# or"] * bool(number)
        yield f"{key}: {_flow(example)}"


def _flow(value: Any) -> str:  # noqa: ANN401  # whatever an example holds
    """A value as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


def rewrite(page: Path = PAGE) -> None:
    """Bring the reference in the docs up to date."""
    page.write_text(current(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
