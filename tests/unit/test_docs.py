"""The docs name everything there is, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff_kit.project import reference
from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.fargate_sizes import SIZES
from handoff_kit.project.fields import EnvItem
from handoff_kit.project.model import Image, Keep, Params, Project, Stage
from handoff_kit.project.schedule_settings import Schedule

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])


def text(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def tasks() -> list[str]:
    """The names invoke gives to the tasks, read from the collection itself."""
    from invoke.collection import Collection  # noqa: PLC0415

    import tasks as module  # noqa: PLC0415  # the top level is no package

    return sorted(Collection.from_module(module).task_names)


def known() -> set[str]:
    """The same, and the short names that some of them have."""
    from invoke.collection import Collection  # noqa: PLC0415

    import tasks as module  # noqa: PLC0415

    names = Collection.from_module(module).task_names
    return {*names, *(alias for aliases in names.values() for alias in aliases)}


def flags(task: str) -> list[str]:
    from invoke.collection import Collection  # noqa: PLC0415

    import tasks as module  # noqa: PLC0415

    arguments = Collection.from_module(module)[task].get_arguments()
    return sorted(f"--{argument.name.replace('_', '-')}" for argument in arguments)


@pytest.mark.parametrize("task", tasks())
def test_readme_tells_every_task(task: str) -> None:
    assert f"| `invoke {task}" in text("README.md")


def test_readme_tells_no_other_task() -> None:
    assert sorted(re.findall(r"^\| `invoke ([\w.-]+)", text("README.md"), re.MULTILINE)) == tasks()


def test_readme_tells_the_flags_of_run_local() -> None:
    told = text("README.md", "docs/project-yml.md", "docs/running.md", "docs/image.md")
    assert [flag for flag in flags("run-local") if flag not in told and flag != "--environment"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_pages_name_existing_tasks_and_flags(page: Path) -> None:
    unknown = []
    for line in re.findall(
        r"^\s*(?:uv run )?invoke (?:--dry )?([^\n#`]*)", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        task, *words = line.split()
        of_task = flags(task) if task in known() else []
        unknown += [word for word in words if word.startswith("--") and word not in of_task]
        unknown += [] if of_task else [task]
    assert unknown == []


@pytest.mark.parametrize(
    "model",
    [Project, Stage, EnvItem, Image, Keep, Params, Deploy, Statement, Schedule],
    ids=lambda model: model.__name__,
)
def test_reference_tells_every_key(model: type[BaseModel]) -> None:
    page = text("docs/project-yml.md")
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_reference_is_current() -> None:
    assert reference.current(text("docs/project-yml.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_exit_codes_are_told() -> None:
    from handoff_kit import errors as kit  # noqa: PLC0415
    from handoff_runtime import errors as runtime  # noqa: PLC0415

    codes = {runtime.UsageError.exit_code, runtime.PipelineError.exit_code, runtime.StoreError.exit_code}
    told = set(re.findall(r"^\| (\d+) \|", text("docs/running.md"), re.MULTILINE))
    assert {str(code) for code in codes | {kit.ProjectError.exit_code}} <= told


def test_the_sizes_of_fargate_are_told() -> None:
    rows = re.findall(r"^\| (\d+) \| [\d¼½]+ \| (.*) \|$", text("docs/project-yml.md"), re.MULTILINE)
    assert {int(cpu): written_sizes(memory) for cpu, memory in rows} == SIZES


def written_sizes(told: str) -> tuple[int, ...]:
    """The sizes that a row of the table means, in MiB."""
    if span := re.fullmatch(r"(\d+)GB to (\d+)GB, in steps of (\d+)GB", told):
        first, last, step = map(int, span.groups())
        return tuple(size * 1024 for size in range(first, last + 1, step))
    return tuple(int(word[:-2]) * 1024 if word.endswith("GB") else int(word) for word in told.split(", "))
