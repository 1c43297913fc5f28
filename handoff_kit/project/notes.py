"""Notes on a valid project: what probably means something else than its author intended.

A rule reads the project file as its author wrote it, or the config of `.local`, and yields notes. Nothing is refused
for a note, so a rule is silent where the value could be meant.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.project.params_document import state_mode
from handoff_kit.project.patterns import COLLECTOR_STATS, INVISIBLE
from handoff_kit.project.problem import Problem, quote, shorten
from handoff_kit.project.retention import DAYS, STATES, on_ladder
from handoff_kit.project.shell_words import split_words
from handoff_kit.project.validation.fault import Fault, label
from handoff_kit.project.validation.keys import env_mappings, env_paths
from handoff_kit.project.validation.stages import MOST_OF_A_LINE, lookalike
from handoff_kit.project.yaml_reader import KeyPath, YamlFile, read_yaml
from handoff_kit.text import did_you_mean
from handoff_runtime.aws.references import parse_reference
from handoff_runtime.errors import StoreError
from handoff_runtime.params import encode_params, required_tier
from handoff_runtime.placeholders import PLACEHOLDER
from handoff_runtime.state import SINGER

_ALIKE = 0.85
_WINDOW = {"start_offset_days": "-7", "duration_days": "7"}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-=?+][^{}]*)?\}|(?:^|:)\$([A-Za-z_][A-Za-z0-9_]*)(?=[/:]|$)")
_REFERENCE = re.compile(r"\s*(ssm:/|secretsmanager:\w)[^\s,]*\s*")
_COPY = re.compile(r"(?<![\w./~-])(?:\./)?\.env/(config|files)/(\w[\w./@+-]*)(?![\w./@+*?\[{$-])")
_WRITTEN = re.compile(r"(>|\btee(\s+-a)?|\s-o|--output[= ])\s*$")
_ORIGINS = {"config": ".local", "files": "files"}
_TOO_MUCH = {
    "AdministratorAccess": "allows the task everything in the account",
    "IAMFullAccess": "allows the task to give itself every permission",
}
_BUILTINS = ("end_at", "environment", "project", "run_id", "scheduled_at", "start_at", "today", "yesterday")
_JSON = "correct it; for another format, choose a name that does not end in .json"
_REFERENCES = "write ssm:/path or secretsmanager:name#key, without placeholders, at the top of the JSON object"
_PLACEHOLDERS = "write the value itself; placeholders are filled in commands, args, shell lines and envs"
_PERMISSIONS = 'name what it needs: {Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKET/*"}'


class CheckedProject(NamedTuple):
    """A project, its params document, and the environment; `values` are the texts of envs, vars and data."""

    paths: ProjectPaths
    project: Project
    document: Mapping[str, Any]
    environ: Mapping[str, str]
    source: YamlFile
    values: tuple[tuple[KeyPath, str], ...]


Rule: TypeAlias = Callable[[CheckedProject], Iterator[Fault]]


def find_notes(
    paths: ProjectPaths, project: Project, document: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Problem, ...]:
    """All notes: on the project file, in its order, then on the config and the size of the params document."""
    source = read_yaml(paths.file, paths.display_path)
    checked = CheckedProject(paths, project, document, environ, source, tuple(_values(source)))
    faults = [fault for rule in _RULES for fault in rule(checked)]
    return (*sorted({fault.locate(source) for fault in faults}), *_config_notes(checked), *_size_notes(checked))


def _values(source: YamlFile) -> Iterator[tuple[KeyPath, str]]:
    """Values of envs, vars and data."""
    parents = [("vars",), *env_paths(source), *((*key_path, "data") for key_path, _ in source.mappings("schedules"))]
    found = [(*parent, name) for parent in parents for name in source.mapping(*parent)]
    for key_path in (*found, *((*item, "value") for item, _ in env_mappings(source))):
        yield from source.texts(*key_path)


def _words(source: YamlFile) -> Iterator[tuple[KeyPath, str]]:
    """The texts of commands, args and shell lines."""
    for key_path, _ in source.mappings("commands"):
        for key in ("command", "args", "shell"):
            yield from source.texts(*key_path, key)


def cut_values(checked: CheckedProject) -> Iterator[Fault]:
    """Values that YAML cuts at a comment."""
    for key_path, _ in (*_words(checked.source), *checked.values):
        # a comment has more blanks around its sign, as a rule; a colour or the name of a channel has none after it
        if re.match(r" #[^\s#]", comment := checked.source.comment(key_path)):
            message = f"YAML takes {quote(comment.strip())} for a comment, so {label(key_path)} ends before it"
            yield Fault(key_path, message, "put the whole value into quotes; or write a blank after the # of a comment")


def lookalikes(checked: CheckedProject) -> Iterator[Fault]:
    """Characters that look like others, or cannot be seen."""
    for key_path, text in _words(checked.source):
        if key_path[-1] == "shell":
            words = split_words(text)
            for offset in (
                words.lookalikes[:MOST_OF_A_LINE] if not any("<<" in sign for _, sign in words.operators) else ()
            ):
                if not re.search(r"(^|\s)#", text[:offset].rpartition("\n")[2]):
                    yield lookalike(key_path, "shell", text, offset)
        elif isinstance(key_path[-1], int):
            ends = {0, len(text) - 1}
            yield from (lookalike(key_path, "args", text, at) for at in split_words(text).lookalikes if at in ends)
    for key_path, text in checked.values:
        if found := re.search(f"^[{INVISIBLE}]|[{INVISIBLE}]$", text):
            message = f"{label(key_path)} begins or ends with U+{ord(found.group()):04X}, which cannot be seen"
            yield Fault(key_path, message, "type the value again")


def shell_variables(checked: CheckedProject) -> Iterator[Fault]:
    """`$NAME` where no shell fills it."""
    has_shell = any(stage.shell for stage in checked.project.stages)
    for key_path, text in checked.values:
        if (found := _VARIABLE.search(text)) and not (has_shell and "envs" not in key_path):
            message = f"{label(key_path)} holds {found.group().lstrip(':')}, which no shell fills"
            name = found[1] or found[2]
            hint = f"{{{{ {name} }}}} is filled from data or vars; a secret belongs into a file of .local"
            yield Fault(key_path, message, hint)


def ineffective_windows(checked: CheckedProject) -> Iterator[Fault]:
    """A time window in `vars`, where it moves none."""
    for name, example in _WINDOW.items():
        if name in checked.project.vars and name not in _placeholders(checked):
            hint = f'give it to a run: --var {name}={example}; or to a schedule: data: {{{name}: "{example}"}}'
            yield Fault(("vars", name), f"`{name}` in `vars` moves no time window; only data do", hint, on_key=True)


def unfilled_schedules(checked: CheckedProject) -> Iterator[Fault]:
    """Schedules that give no value for a placeholder."""
    used = _placeholders(checked) - {*_BUILTINS, *checked.project.vars, *checked.project.envs}
    for number, schedule in enumerate(checked.project.schedules):
        for name in sorted(used - schedule.data.keys()) if schedule.enabled else ():
            message = f"{label(('schedules', number))} gives no value for {{{{ {name} }}}}, so its runs fail at once"
            yield Fault(("schedules", number), message, f'add data: {{{name}: "..."}}; or a default for all runs: vars')


def _placeholders(checked: CheckedProject) -> set[str]:
    """The names that a run needs values for."""
    envs = (text for key_path, text in checked.values if "envs" in key_path)
    texts = (*(text for _, text in _words(checked.source)), *envs)
    return {found[1] for text in texts for found in PLACEHOLDER.finditer(text)}


def unknown_programs(checked: CheckedProject) -> Iterator[Fault]:
    """A misspelt `collector_stats`."""
    directory, path = checked.paths.directory, checked.environ.get("PATH")
    for number, (stage, rendered) in enumerate(
        zip(checked.project.stages, checked.document["pipeline"]["stages"], strict=True)
    ):
        command = stage.command or ""
        name = PurePosixPath(command).stem.lower().replace("-", "_")
        if "builtin" in rendered or SequenceMatcher(None, name, COLLECTOR_STATS).ratio() < _ALIKE:
            continue
        candidates = (directory / command, directory / (stage.venv or "") / "bin" / command)
        if not (any(each.is_file() for each in candidates) or shutil.which(command, path=path)):
            message = f"found no program {shorten(command)} in the project, its venv or on PATH"
            yield Fault(("commands", number, "command"), message, f"did you mean `{COLLECTOR_STATS}`?")


def missing_config(checked: CheckedProject) -> Iterator[Fault]:
    """Files of `.env` that nothing brings there."""
    paths, faults, written = checked.paths, list[tuple[str, Fault]](), set[str]()
    for key_path, text in (*_words(checked.source), *checked.values):
        for found in _COPY.finditer(text):
            kind, name = found[1], found[2]
            origin = paths.directory / _ORIGINS[kind]
            shown = f"projects/{paths.name}/{_ORIGINS[kind]}/{name}"
            if _WRITTEN.search(text, max(0, found.start() - 20), found.start()):
                written.add(shown)
            elif not os.path.exists(origin / name):  # noqa: PTH110  # Path.exists raises for a name that is too long
                message = f"{label(key_path)} names {found.group()}, but there is no {shown}"
                names = [path.relative_to(origin).as_posix() for path in origin.rglob("*") if path.is_file()]
                nearest = did_you_mean(name, names)
                hint = f"did you mean `.env/{kind}/{nearest}`?" if nearest else f"create it: {shown}"
                if kind == "config" and not nearest:
                    hint += f"; or fetch the stored one: invoke params.pull --project {paths.name}"
                faults.append((shown, Fault(key_path, message, hint, offset=found.start())))
    yield from (fault for shown, fault in faults if shown not in written)


def broad_policies(checked: CheckedProject) -> Iterator[Fault]:
    """Permissions for everything in the account."""
    for number, policy in enumerate(checked.project.deploy.policies):
        key_path = ("deploy", "policies", number)
        if isinstance(policy, str):
            owner, _, name = policy.partition(":policy/")  # arn:PARTITION:iam::aws
            if owner.endswith(":aws") and name in _TOO_MUCH:
                yield Fault(key_path, f"this policy {_TOO_MUCH[name]}", _PERMISSIONS)
        elif policy.Effect == "Allow" and "*" in policy.Action and "*" in policy.Resource and not policy.Condition:
            yield Fault(key_path, "this statement allows the task everything in the account", _PERMISSIONS)


def open_webhooks(checked: CheckedProject) -> Iterator[Fault]:
    """URLs of webhooks in the project file: everyone who has one can post messages."""
    for key_path, text in checked.source.texts("alerts"):
        if text.startswith("https://"):
            message = f"{label(key_path)} is readable by everyone who has the repository, and lets them post messages"
            yield Fault(
                key_path, message, "store the URL in a secret, and name that: secretsmanager:NAME, or ssm:/NAME"
            )


def literal_references(checked: CheckedProject) -> Iterator[Fault]:
    """References to secrets where nothing resolves them."""
    words = [(key_path, text) for key_path, text in _words(checked.source) if isinstance(key_path[-1], int)]
    for key_path, text in (*checked.values, *words):
        if _is_like_reference(text):
            message = f"{label(key_path)} is the text {shorten(text)}: secrets are filled in config only"
            hint = f"""write it into a file of projects/{checked.paths.name}/.local, as {{"NAME": "ssm:/path"}}"""
            yield Fault(key_path, message, hint)


def rounded_retention(checked: CheckedProject) -> Iterator[Fault]:
    """Values of `keep` between two lifecycle rules of the bucket."""
    declared, used = checked.project.keep, on_ladder(checked.project.keep)
    for name, ladder in (("runs", DAYS), ("artifacts", DAYS), ("states", STATES)):
        value, step = getattr(declared, name), getattr(used, name)
        if value != step:
            message = f"the bucket has no rule for {label(('keep', name))}: {value}, and takes the next one, {step}"
            yield Fault(("keep", name), message, f"its rules: {', '.join(map(str, ladder))}")


def states_as_rows(checked: CheckedProject) -> Iterator[Fault]:
    """`rows_at_least` of a single stage whose output is a state."""
    is_single = len(checked.project.stages) == 1 and state_mode(checked.project) == SINGER
    if checked.project.expect.rows_at_least and is_single:
        message = (
            "`rows_at_least` counts what the only stage writes to its stdout, which with `state: singer` is states"
        )
        hint = "make tap and target two stages, so that the records between them are counted"
        yield Fault(("expect", "rows_at_least"), message, hint, on_key=True)


_RULES: tuple[Rule, ...] = (
    rounded_retention,
    states_as_rows,
    cut_values,
    lookalikes,
    shell_variables,
    ineffective_windows,
    unfilled_schedules,
    unknown_programs,
    missing_config,
    broad_policies,
    literal_references,
    open_webhooks,
)


def _config_notes(checked: CheckedProject) -> Iterator[Problem]:
    """JSON of `.local` that is none, and references and placeholders in it that stay texts."""
    names = {*_BUILTINS, *checked.project.vars, *checked.project.envs}
    for file in checked.document["files"]:
        shown, text = f"projects/{checked.paths.name}/.local/{file['name']}", str(file["value"])
        if not file["name"].lower().endswith(".json") or parse_reference(text):
            continue
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            if not _is_json_lines(text):
                yield Problem(shown, error.lineno, error.colno, f"this is no JSON: {error.msg.lower()}", _JSON)
            continue
        except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
            continue
        for value, at_top in _texts(data):
            problem = ("", "")
            if _is_like_reference(value) and not (at_top and parse_reference(value)):
                problem = f"{shorten(value)} stays a text, which is no secret's name", _REFERENCES
            elif (found := PLACEHOLDER.search(value)) and found[1] in names:
                problem = f"{found.group()} stays a text: nothing fills placeholders in config", _PLACEHOLDERS
            if problem[0]:
                at = max(0, text.find(json.dumps(value, ensure_ascii=False)))
                yield Problem(shown, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), *problem)


def _size_notes(checked: CheckedProject) -> Iterator[Problem]:
    try:
        required_tier(
            checked.document, encode_params(checked.document), advanced=checked.project.params.tier == "advanced"
        )
    except StoreError as error:
        message = f"too much for a run on AWS: {error.message}"
        yield Problem(f"projects/{checked.paths.name}", 0, 0, message, error.hint or "")


def _is_json_lines(text: str) -> bool:
    """Whether every line is a JSON object, as a Singer tap writes them."""
    try:
        return {type(json.loads(line)) for line in text.splitlines() if line.strip()} == {dict}
    except (ValueError, RecursionError):
        return False


def _is_like_reference(text: str) -> bool:
    return bool(_REFERENCE.fullmatch(PLACEHOLDER.sub("x", text)))


def _texts(data: object) -> Iterator[tuple[str, bool]]:
    """Every text in a JSON value of any depth, from first to last, and whether it is at the top of an object."""
    rest = [(data, 0 if isinstance(data, dict) else 1)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, str):
            yield value, depth == 1
        elif isinstance(value, (dict, list)):
            items = list(value.values()) if isinstance(value, dict) else value
            rest += [(item, depth + 1) for item in reversed(items)]
