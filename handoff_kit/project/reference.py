"""The reference of the project file, made from the models; `python -m handoff_kit.project.reference` rewrites it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.fields import declaration_of, to_flow
from handoff_kit.project.model import Expect, Image, Keep, Params, Project, Stage
from handoff_kit.project.schedule_settings import Schedule

BEGIN = "<!-- reference -->"
END = "<!-- /reference -->"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "project-file.md"


def reference() -> str:
    """Every key with its form, default, meaning and examples, in Markdown."""
    parts = [
        *_section("At the left margin", Project),
        *_section("Of a stage, under `commands`", Stage),
        *_section("Of `image`", Image),
        *_section("Of `keep`", Keep),
        *_section("Of `expect`", Expect),
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
        info, default = keys[name], declared.key.default_text
        if not default and info.is_required():
            default = "required"
        elif not default:
            is_nothing = info.default in {None, "", ()} or info.default_factory
            default = "none" if is_nothing else f"`{json.dumps(info.default).strip(chr(34))}`"
        yield f"| `{name}` | {declared.key.written} | {default} |"
    yield ""
    for name, info in keys.items():
        examples = [f"{name}: {to_flow(example)}" for example in info.examples or ()]
        yield from (f"**`{name}`**: {info.description}", "", "```yaml", "\n# or\n".join(examples), "```", "")


if __name__ == "__main__":
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
