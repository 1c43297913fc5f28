"""The params document: the pipeline, and the sensitive config of `.local`, one version together."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from handoff_kit.errors import ProjectError, translate_runtime_errors
from handoff_kit.paths import EDITOR_FILES, ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Project, Stage
from handoff_kit.project.patterns import COLLECTOR_STATS
from handoff_kit.project.retention import on_ladder
from handoff_kit.steps import WriteFile
from handoff_kit.text import plural, span
from handoff_runtime import exact_json, functions, state
from handoff_runtime.aws.references import Reference, references_in
from handoff_runtime.errors import HandoffError
from handoff_runtime.params import ConfigFile, parse_params
from handoff_runtime.pipeline import stage_name
from handoff_runtime.placeholders import PLACEHOLDER
from handoff_runtime.retention import Keep
from handoff_runtime.terminal import safe_name
from handoff_runtime.workspace import STATE

FORMAT = 1
RESERVED = ("run", "default", "show_commands")
LEFT_OUT = (".DS_Store", ".gitkeep", ".gitignore", *EDITOR_FILES)

_ORIGINAL_SCRIPTS = frozenset({"scripts/python/collector_stats.py", "impl/collector_stats.py"})
_SHELL_SYNTAX = frozenset({"!", "case", "exec", "export", "for", "if", "set", "trap", "until", "while"})
_HALVES = re.compile("[\ud800-\udfff]")
_SHELL_WORD = re.compile(r"[^\s'\"(){}|&;<>`]+")


@dataclass(frozen=True)
class MergedDocument:
    """The document a push stores, and the names of stored files that are absent locally: kept or removed."""

    document: Mapping[str, Any]
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def merge(local: Mapping[str, Any], stored: Mapping[str, Any], remove: Collection[str] = ()) -> MergedDocument:
    """The local document with the stored files that are absent locally, except those named in `remove`.

    Files, objects with "name" and "value", are not in git: a push keeps those of other machines.
    """
    files = {item["name"]: item for item in local.get("files", ())}
    absent = {item["name"]: item for item in stored.get("files", ()) if item["name"] not in files}
    kept = {name: item for name, item in absent.items() if name not in remove}
    merged = sorted({**files, **kept}.values(), key=lambda item: item["name"].split("/"))
    document = {**local, "files": merged} if kept or "files" in local else local
    return MergedDocument(document, tuple(kept), tuple(name for name in absent if name in remove))


def with_keep(document: Mapping[str, Any], keep: Keep | None) -> dict[str, Any]:
    """The document with another `keep`; None is that of a document which has none."""
    pipeline = {name: value for name, value in document["pipeline"].items() if name != "keep"}
    return {**document, "pipeline": pipeline if keep is None else {**pipeline, "keep": keep._asdict()}}


def with_success_within(document: Mapping[str, Any], seconds: int | None) -> dict[str, Any]:
    """The document with another `expect.success_within`; None takes it out."""
    expect = {name: value for name, value in document["pipeline"].get("expect", {}).items() if name != "success_within"}
    expect = expect if seconds is None else {"success_within": seconds, **expect}
    pipeline = {name: value for name, value in document["pipeline"].items() if name != "expect"}
    return {**document, "pipeline": {**pipeline, **({"expect": expect} if expect else {})}}


def item_names(document: Mapping[str, Any]) -> frozenset[str]:
    """The names of the files in a document."""
    return frozenset(item["name"] for item in document.get("files", ()))


def document_references(document: Mapping[str, Any]) -> frozenset[Reference]:
    """What the files of a document refer to in Parameter Store and Secrets Manager."""
    return references_in(ConfigFile(item["name"], item["value"]) for item in document.get("files", ()))


def load_params_document(paths: ProjectPaths, environment: str) -> dict[str, Any]:
    """The params document of a project, read from its directory."""
    return params_document(paths, load_project(paths.file, paths.display_path), environment)


def params_document(paths: ProjectPaths, project: Project, environment: str) -> dict[str, Any]:
    pipeline = render_pipeline(paths, project, environment)
    return {"format": FORMAT, "pipeline": pipeline, "files": config_files(paths)}


def config_files(paths: ProjectPaths) -> list[dict[str, str]]:
    """The files of `.local` by name, as the params document holds them."""
    config = sorted(_config_files(paths, paths.local)) if os.path.lexists(paths.local) else []
    return [{"name": path.relative_to(paths.local).as_posix(), "value": _read_text(paths, path)} for path in config]


def is_left_out(name: str) -> bool:
    """Whether a file of this name is left out of config and files."""
    return any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def _config_files(paths: ProjectPaths, directory: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """The files below a directory of `.local`, links followed; ProjectError for what is neither file nor directory."""
    place = os.path.realpath(directory)
    if place in above:
        raise _config_error(paths, directory, "found a link to a directory that it is in, expected none", remove=True)
    try:
        children = [(path, path.is_dir(), path.is_file()) for path in directory.iterdir()]
    except OSError as error:
        raise _config_error(paths, directory, f"{error.strerror}, expected a readable directory") from None
    for path, is_directory, is_file in children:
        if is_left_out(path.name):
            continue
        if is_directory:
            yield from _config_files(paths, path, (*above, place))
        elif is_file:
            yield path
        else:
            found = f"a link to {path.readlink()}, which leads nowhere" if path.is_symlink() else "a pipe or a device"
            raise _config_error(paths, path, f"found {found}, expected a text file", remove=True)


def _config_error(paths: ProjectPaths, path: Path, problem: str, *, remove: bool = False) -> ProjectError:
    place = path.relative_to(paths.root).as_posix()
    return ProjectError(f"{safe_name(place)}: {problem}", f"remove it: rm {shlex.quote(place)}" if remove else None)


def render_pipeline(paths: ProjectPaths, project: Project, environment: str) -> dict[str, Any]:
    return pipeline_document(project, paths.name, environment, lambda path: (paths.directory / path).exists())


def to_json(params: Mapping[str, Any]) -> str:
    """The document as text, byte for byte the same for equal documents; half a character makes it ASCII."""
    text = exact_json.dumps(params, indent=2, ensure_ascii=False) + "\n"
    return text if not _HALVES.search(text) else exact_json.dumps(params, indent=2) + "\n"


def function_names(paths: ProjectPaths) -> tuple[str, ...]:
    """The project's own functions, which run-local --command calls."""
    try:
        return functions.function_names(str(paths.directory / functions.IMPL))
    except HandoffError as error:
        raise ProjectError(f"projects/{paths.name}/{error.message}", error.hint) from None


def check_functions(paths: ProjectPaths) -> None:
    """Refuse functions in impl.py that a built-in command's name would hide."""
    hidden = [name for name in function_names(paths) if name in RESERVED]
    if hidden:
        raise ProjectError(
            f"projects/{paths.name}/{functions.IMPL}: found a function {hidden[0]!r}, the name of a built-in command",
            f"call it otherwise; the built-in ones are {', '.join(RESERVED)}",
        )


def _read_text(paths: ProjectPaths, path: Path) -> str:
    display_path = path.relative_to(paths.root).as_posix()
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{display_path}: found a byte that is no UTF-8 (at {error.start}), expected a text file",
            f"put what is not text, or not secret, into projects/{paths.name}/files/",
        ) from None
    except OSError as error:
        raise ProjectError(f"{display_path}: {error.strerror}, expected a file one can read") from None


def plan_pull(
    paths: ProjectPaths, files: Sequence[ConfigFile], command: str, *, force: bool
) -> tuple[tuple[WriteFile, ...], tuple[str, ...]]:
    """The steps that write stored config files to `.local`, and the names of those that are equal there already.

    ProjectError that names every obstacle, before anything is written; `command` is the one that overwrites.
    """
    equal = tuple(file.name for file in files if _is_equal(paths, file))
    different = [file for file in files if file.name not in equal]
    obstacles = [(file.name, _write_obstacle(paths, file)) for file in different]
    if texts := [f"{_display_path(paths, name)}: {obstacle}" for name, obstacle in obstacles if obstacle]:
        raise ProjectError("; ".join(texts), f"move it away, then: {command}")
    if differing := [file.name for file in different if (paths.local / file.name).exists() and not force]:
        names = ", ".join(_display_path(paths, name) for name in differing)
        raise ProjectError(
            f"{names}: differs from the stored one; nothing is written", f"to overwrite: {command} --force"
        )
    return tuple(WriteFile(paths.local / file.name, file.value, 0o600, 0o700) for file in different), equal


def _is_equal(paths: ProjectPaths, file: ConfigFile) -> bool:
    path = paths.local / file.name
    try:
        return path.is_file() and path.read_bytes() == file.value.encode("utf-8", "surrogatepass")
    except OSError:
        return False


def _write_obstacle(paths: ProjectPaths, file: ConfigFile) -> str:
    """Why a file cannot be written below `.local`; empty if it can."""
    path = paths.local / file.name
    parents = [paths.local / parent for parent in path.relative_to(paths.local).parents]
    if link := next((each for each in (path, *parents) if each != paths.local and each.is_symlink()), None):
        return f"{_display_path(paths, link.relative_to(paths.local).as_posix())} is a symbolic link"
    if parent := next((each for each in parents if each.exists() and not each.is_dir()), None):
        return f"{parent.relative_to(paths.root).as_posix()} is not a directory"
    if path.exists() and not path.is_file():
        return "is not a file"
    try:
        file.value.encode()
    except UnicodeEncodeError:
        return "the stored text is not UTF-8"
    return ""


def _display_path(paths: ProjectPaths, name: str) -> str:
    return (paths.local / name).relative_to(paths.root).as_posix()


def pipeline_document(project: Project, name: str, environment: str, has_file: Callable[[str], bool]) -> dict[str, Any]:
    """The document of a project; `has_file`: whether a path exists inside the project."""
    stage_names: list[str] = []
    stages = []
    for stage in project.stages:
        action: dict[str, Any] = {"argv": [stage.command, *stage.args], "venv": stage.venv}
        kind = _basename(stage)
        if _is_collector_stats(stage, has_file):
            action, kind = {"builtin": COLLECTOR_STATS, "venv": None}, COLLECTOR_STATS
        elif stage.shell is not None:
            action = {"shell": stage.shell, "venv": stage.venv}
        stage_names.append(stage_name(kind, stage_names))
        stages.append({"name": stage_names[-1], **action, "envs": dict(stage.envs)})
    return {
        "format": FORMAT,
        "project": name,
        "environment": environment,
        "vars": dict(project.vars),
        "envs": dict(project.envs),
        "state": state_mode(project),
        "meter": project.meter,
        "overlap": project.overlap,
        "keep": on_ladder(project.keep)._asdict(),
        **({"expect": expect} if (expect := project.expect.model_dump(exclude_none=True)) else {}),
        "stages": stages,
    }


def describe_expect(project: Project) -> str:
    """What a run is expected to do, as it was understood; empty where nothing is expected."""
    within, rows = project.expect.success_within, project.expect.rows_at_least
    what = "record" if state_mode(project) == state.SINGER and len(project.stages) > 1 else "row"
    verb, where = ("passes", "the last stage") if len(project.stages) > 1 else ("writes", "its stdout")
    parts = (
        f"notify when no run succeeds for {span(within)}" if within else "",
        f"fail a run that {verb} fewer than {plural(rows, what)} to {where}" if rows else "",
    )
    return f"expect: {'; '.join(filter(None, parts))}" if any(parts) else ""


def state_mode(project: Project) -> str:
    """`state` of the project file; without it, `singer` if a stage reads the state file, else `all`."""
    return project.state or (state.SINGER if _reader_of_state(project) else state.ALL)


def state_choice(project: Project) -> str:
    """The default mode and its reason, for a project file without `state`; empty with it."""
    if project.state:
        return ""
    reader = _reader_of_state(project)
    why = f"stage {_basename(reader)} is given {STATE}" if reader else f"no stage is given {STATE}"
    return f"state: {state_mode(project)}, since {why} and project.yml names no `state`"


def _reader_of_state(project: Project) -> Stage | None:
    """The first stage that reads the state file, with placeholders filled from their defaults."""

    def fill(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: project.vars.get(match[1], match[0]), text)

    for stage in project.stages:
        words = [stage.shell] if stage.shell is not None else [stage.command or "", *stage.args]
        envs = {name: fill(text) for name, text in {**project.envs, **stage.envs}.items()}
        if state.reads_state([fill(word) for word in words], envs):
            return stage
    return None


def _is_collector_stats(stage: Stage, has_file: Callable[[str], bool]) -> bool:
    """Whether a stage runs the built-in: by its name, or by the original's path to it where no file has that path."""
    if stage.command is None or stage.args:
        return False
    path = str(PurePosixPath(stage.command))
    return path == COLLECTOR_STATS or (path in _ORIGINAL_SCRIPTS and not has_file(path))


def _basename(stage: Stage) -> str:
    word = stage.command or next((word for word in _SHELL_WORD.findall(stage.shell or "") if "=" not in word), "shell")
    return "shell" if word in _SHELL_SYNTAX else PurePosixPath(word).name or "shell"


def read_params_file(path: Path, paths: ProjectPaths) -> dict[str, Any]:
    """The params document of a file; ProjectError for that of another project."""
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = f"write one: invoke params --project {paths.name} --output {shlex.quote(path.name)}"
        raise ProjectError(f"--params: {path.name}: {error.strerror}, expected a params document", hint) from None
    with translate_runtime_errors():
        params = parse_params(content, f"--params: {path.name}")
    if (name := params.pipeline.project) != paths.name:
        message = f"--params: {path.name}: found the params of project {name!r}, expected those of {paths.name!r}"
        raise ProjectError(message, f"name its project: --project {name}")
    return dict(params.document)
