"""The reference of the project file, made from the models; `python -m handoff_kit.reference` rewrites it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_kit.project import Image, Keep, Params, Project, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

BEGIN = "<!-- reference -->"
END = "<!-- /reference -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "project-yml.md"

_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./>=-]*|[0-9]+d")
_WRITTEN = {
    "description": "text",
    "vars": "mapping: name to text",
    "envs": "mapping: name to text; or a list of `key` and `value`",
    "venvs": "mapping: name to a list of requirements",
    "commands": "list of stages",
    "state": "`all` or `singer`",
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
    "keep": "mapping",
    "runs": "days, or `forever`",
    "artifacts": "days, or `forever`",
    "states": "number",
    "params": "mapping",
    "tier": "`standard` or `advanced`",
}
_DEFAULTS = {
    "commands": "required",
    "command": "one of `command` and `shell`",
    "shell": "one of the two",
    "image": "the defaults of its keys",
    "platform": "the builder's own",
    "keep": "the defaults of its keys",
    "runs": "`90d`",
    "artifacts": "`30d`",
    "params": "the defaults of its keys",
}


def reference() -> str:
    """Every key with its type, default, meaning and an example, in Markdown."""
    parts = [
        *_section("At the left margin", Project),
        *_section("Of a stage, under `commands`", Stage),
        *_section("Of `image`", Image),
        *_section("Of `keep`", Keep),
        *_section("Of `params`", Params),
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
