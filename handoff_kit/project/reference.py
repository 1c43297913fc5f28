"""The reference of the project file, made from the models; `python -m handoff_kit.project.reference` rewrites it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.fields import Declaration, declaration_of
from handoff_kit.project.model import Image, Keep, Params, Project, Stage
from handoff_kit.project.schedule_settings import Schedule

BEGIN = "<!-- reference -->"
END = "<!-- /reference -->"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "project-file.md"

_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./>=-]*|[0-9]+(d|GB)")


def reference() -> str:
    """Every key with its form, default, meaning and examples, in Markdown."""
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


def update_page(page: str) -> str:
    """The page's text with a new reference between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"### {title}", "", "| key | written as | default |", "|---|---|---|")
    keys = {info.alias or name: info for name, info in model.model_fields.items()}
    for name, declared in declaration_of(model).keys.items():
        yield f"| `{name}` | {declared.key.written} | {_default(declared, keys[name])} |"
    yield ""
    for name, info in keys.items():
        examples = [f"{name}: {_flow(example)}" for example in info.examples or ()]
        yield from (f"**`{name}`**: {info.description}", "", "```yaml", "\n# or\n".join(examples), "```", "")


def _default(declared: Declaration, info: FieldInfo) -> str:
    if declared.key.default or info.is_required():
        return declared.key.default or "required"
    is_nothing = info.default in {None, "", ()} or info.default_factory
    return "none" if is_nothing else f"`{json.dumps(info.default).strip(chr(34))}`"


def _flow(value: Any) -> str:  # noqa: ANN401  # whatever an example holds
    """A value as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


if __name__ == "__main__":
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
