"""The docs name everything there is, and nothing that is not. UPDATE_GOLDENS=1 writes docs/reference/tasks.md."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.sources import SOURCES, literals_of

import handoff_kit
import handoff_runtime
from handoff_kit.project import reference
from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.fargate_sizes import SIZES
from handoff_kit.project.fields import EnvItem
from handoff_kit.project.model import Image, Keep, Params, Project, Stage
from handoff_kit.project.schedule_settings import Schedule
from handoff_runtime.errors import HandoffError
from handoff_runtime.supervisor.outcome import EXIT_UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoke.collection import Collection
    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
PROJECT_FILE = "docs/reference/project-file.md"
TASKS = ROOT / "docs/reference/tasks.md"
BEGIN, END = "<!-- tasks -->\n", "<!-- /tasks -->"
MOVED = (ROOT / "handoff_kit" / "apply.py").exists()


def text(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def collection() -> Collection:
    from invoke.collection import Collection  # noqa: PLC0415

    import tasks as module  # noqa: PLC0415  # the top level is no package

    return Collection.from_module(module)


def known() -> set[str]:
    """The names of all tasks, and the short ones that some have."""
    names = collection().task_names
    return {*names, *(alias for aliases in names.values() for alias in aliases)}


def flags(task: str) -> list[str]:
    return sorted(f"--{argument.name.replace('_', '-')}" for argument in collection()[task].get_arguments())


# tasks


def tasks_reference() -> str:
    """Every task with its options, as `invoke TASK --help` describes them."""
    names, options = collection().task_names, {task.name: task.help_tuples() for task in collection().to_contexts()}
    lines = ["", "| task | purpose |", "|---|---|"]
    lines += [f"| [`{name}`](#{slug(name)}) | {_cell(_doc(name))} |" for name in sorted(names)]
    for name, aliases in sorted(names.items()):
        lines += ["", f"### `{name}`", "", *(f"Short name: `{alias}`.\n" for alias in aliases), _doc(name), ""]
        lines += ["| option | description |", "|---|---|"]
        lines += [f"| `{option}` | {_cell(description or '')} |" for option, description in options[name]]
    return "\n".join([*lines, "", ""])


def _doc(task: str) -> str:
    return " ".join((collection()[task].__doc__ or "").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def test_the_reference_of_tasks_is_current() -> None:
    page = TASKS.read_text(encoding="utf-8")
    current = page[: page.index(BEGIN) + len(BEGIN)] + tasks_reference() + page[page.index(END) :]
    if os.environ.get("UPDATE_GOLDENS"):
        TASKS.write_text(current, encoding="utf-8")
    assert TASKS.read_text(encoding="utf-8") == current


def test_readme_names_every_task_and_no_other() -> None:
    table = re.search(r"^\| to \| use \|\n(.*?)\n\n", text("README.md"), re.MULTILINE | re.DOTALL)
    assert table
    assert sorted(re.findall(r"`([a-z][\w.-]*)`", table[1])) == sorted(collection().task_names)


def test_docs_explain_the_options_of_run_local() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES if page != TASKS)
    assert [flag for flag in flags("run-local") if flag not in pages and flag != "--environment"] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_pages_name_existing_tasks_and_flags(page: Path) -> None:
    unknown = []
    for line in re.findall(
        r"^\s*(?:\$ )?(?:uv run )?invoke (?:--dry )?([^\n#`|>;]*)", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        task, *words = line.split()
        of_task = flags(task) if task in known() else []
        unknown += [word for word in words if word.startswith("--") and word not in of_task]
        unknown += [] if of_task else [task]
    assert unknown == []


# the project file


@pytest.mark.parametrize(
    "model",
    [Project, Stage, EnvItem, Image, Keep, Params, Deploy, Statement, Schedule],
    ids=lambda model: model.__name__,
)
def test_reference_names_every_key(model: type[BaseModel]) -> None:
    page = text(PROJECT_FILE)
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_reference_is_current() -> None:
    assert reference.update_page(text(PROJECT_FILE)) == text(PROJECT_FILE)


def test_the_sizes_of_fargate_are_listed() -> None:
    rows = re.findall(r"^\| (\d+) \| [\d¼½]+ \| (.*) \|$", text(PROJECT_FILE), re.MULTILINE)
    assert {int(cpu): sizes_in(memory) for cpu, memory in rows} == SIZES


def sizes_in(cell: str) -> tuple[int, ...]:
    """The sizes that a row of the table means, in MiB."""
    if span := re.fullmatch(r"(\d+)GB to (\d+)GB, in steps of (\d+)GB", cell):
        first, last, step = map(int, span.groups())
        return tuple(size * 1024 for size in range(first, last + 1, step))
    return tuple(int(word[:-2]) * 1024 if word.endswith("GB") else int(word) for word in cell.split(", "))


# exit codes


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    """Besides those of errors: 126 and 127 as POSIX shells have them, 130 for Ctrl-C."""
    table = text("docs/reference/exit-codes.md").partition("\n## ")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert codes == {0, EXIT_UNREAD, 126, 127, 130, *codes_of_errors()}


def codes_of_errors() -> set[int]:
    for package in (handoff_kit, handoff_runtime):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", "start")):
                importlib.import_module(module.name)
    return {kind.exit_code for kind in subclasses(HandoffError)}


def subclasses(kind: type[HandoffError]) -> Iterator[type[HandoffError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


# messages


def test_results_and_messages_in_tables_are_those_of_the_code() -> None:
    """Words in capitals and `...` in such a cell are in the place of values."""
    cells = re.findall(
        r"^\| `([a-zO][^`]*)` \|", text("docs/reference/exit-codes.md").partition("\n## ")[2], re.MULTILINE
    )
    cells += re.findall(r"^\| `(found none [^`]*)` \|", text("docs/concepts/images.md"), re.MULTILINE)
    fragments = [
        part.strip() for cell in cells for part in re.split(r"\b[A-Z_]{3,}\b|\bN\b|\.\.\.|: ", cell) if part.strip()
    ]
    literals = "\n".join(found for path in SOURCES for found in literals_of(path))
    assert len(cells) > 10
    assert [fragment for fragment in fragments if fragment not in literals] == []


# links


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    plain = re.sub(r"`|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_in_pages_lead_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_every_page_of_the_docs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", text("README.md")))
    assert linked == {name_of(page) for page in ROOT.glob("docs/**/*.md")}


def test_pages_that_the_code_names_exist() -> None:
    sources = [
        *ROOT.glob("handoff_*/**/*.py"),
        *ROOT.glob("*.j2"),
        *ROOT.glob("templates/*"),
        *ROOT.glob("tests/**/*.py"),
    ]
    named = {name for path in sources for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text(encoding="utf-8"))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.skipif(not MOVED, reason="the files have not moved to the layout that these pages describe")
def test_files_and_packages_that_the_pages_for_contributors_name_exist() -> None:
    pages = text("docs/how-a-deploy-flows.md", "CONTRIBUTING.md")
    named = re.findall(r"`((?:handoff_kit|handoff_runtime)/[\w/.]+)`", pages)
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_package_is_in_the_table_for_contributors() -> None:
    if not MOVED:
        pytest.skip("the files have not moved to the layout that this page describes")
    table = text("CONTRIBUTING.md").partition("## Packages")[2].partition("## Rules")[0]
    packages = {
        f"{init.parent.relative_to(ROOT).parts[0]}/{init.parent.name}/" for init in ROOT.glob("handoff_*/*/__init__.py")
    }
    assert {package for package in packages if f"`{package}`" not in table} == set()
