"""Rules for stages and venvs: commands, args, names of variables, requirements."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from handoff_kit.project.fields import EnvItem, as_directory, requirements_of, venv_name_of
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import COLLECTOR_STATS, INVISIBLE, VENV_NAME, is_name, matches
from handoff_kit.project.problem import describe_value, quote, shorten
from handoff_kit.project.shell_words import JSON, split_words
from handoff_kit.project.validation.fault import Fault, duplicate, label
from handoff_kit.project.validation.keys import env_mappings, env_paths, is_misspelt
from handoff_kit.project.yaml_reader import KeyPath, YamlFile
from handoff_kit.text import did_you_mean
from handoff_runtime import secret_values
from handoff_runtime.placeholders import PLACEHOLDER

_SMALLEST = 'write it like this: commands: [{command: echo, args: "hello"}]'
_AS_SHELL = "shell: in place of command and args"
_AN_ENV = "an environment variable's name"
_AS_ITEM = "write it like this: - {key: TZ, value: UTC}"
_NO_VENVS = (".env", ".local", ".artifacts", "files")
MOST_OF_A_LINE = 20  # faults of one kind; the place of each is looked for from the line's start
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_LINE_END = re.compile(r"\\+([ \t]*)\n")
_PLAIN = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[a-z0-9,_-]+\])?(?:(?:==|>=|<=|~=|!=|<|>)[0-9]+(?:\.[0-9]+)*(?:,|$))*"
)
_LONGEST_LINE = 200
_ADDRESS = re.compile(
    r"(?:(?:-e|--editable)[ =]\s*)?(?P<address>(?:[a-z]+\+)?(?:https?|ssh|git|file)://\S+|file:\S+|\.{1,2}|[^\s@:]*/[^\s:]*"
    r"|(?P<user>[\w.-]+@[\w-]+(?:\.[\w-]+)+):(?!/)\S+|(?P<file>[^\s@:]+\.(?:whl|tar\.gz|zip)))"
)


def incomplete_stages(source: YamlFile) -> Iterator[Fault]:
    """Stages without command and shell, with both, or with args that have no effect."""
    for key_path, stage in source.mappings("commands"):
        if "command" in stage and "shell" in stage:
            hint = "keep shell for a line with pipes or redirections, command for one program"
            yield Fault(
                (*key_path, "shell"), "found both `command` and `shell`, expected one of them", hint, on_key=True
            )
        elif "shell" in stage and "args" in stage:
            message = "found `args` beside `shell`, which takes none"
            yield Fault((*key_path, "args"), message, "write them into the shell line", on_key=True)
        elif not {"command", "shell"} & stage.keys() and not is_misspelt(stage, key_path, "command", "shell"):
            message = f"{label(key_path)} has neither `command` nor `shell`, expected one of them"
            hint = "write it like this: - command: cat"
            if key_path[1] and stage.keys() and stage.keys() <= PROJECT_FILE.at(key_path).keys.keys():
                hint = f"the dash begins a new stage; write `{next(iter(stage))}:` without it, under the command above"
            yield Fault(key_path, message, hint)
        elif stage.get("command") == COLLECTOR_STATS and stage.get("args"):
            message = f"`{COLLECTOR_STATS}` is built in and takes no args"
            yield Fault((*key_path, "args"), message, "take the line out", on_key=True)


def missing_stages(source: YamlFile) -> Iterator[Fault]:
    """A file without stages."""
    data = source.mapping()
    if "commands" not in data and not is_misspelt(data, (), "commands"):
        yield Fault((), "there is no `commands`, expected the stages of the pipeline", _SMALLEST)
    elif data.get("commands") == []:
        yield Fault(("commands",), "`commands` is an empty list, expected at least one stage", _SMALLEST)


def unquoted_operators(source: YamlFile) -> Iterator[Fault]:
    """Unquoted operators of a shell in `args`, and quotes that are never closed."""
    for stage_path, stage in source.mappings("commands"):
        line, key_path = stage.get("args"), (*stage_path, "args")
        if not isinstance(line, str) or "shell" in stage:
            continue
        words = split_words(line)
        for offset, text in words.operators[:MOST_OF_A_LINE]:
            yield Fault(key_path, *_operator_problem(text), offset=offset)
        if words.open_quote:
            offset, sign = words.open_quote
            other = "'" if sign == '"' else '"'
            message = f"the quote {sign} in `args` is never closed, expected whole words"
            hint = f"close it, or write the word as an item: args: [{other}...{other}]"
            if comment := source.comment(key_path):
                hint = f"YAML takes {quote(comment.strip())} for a comment; put all of `args` into quotes"
            elif sign == "\\":
                message, hint = "a backslash ends `args`, expected whole words", "take it out, or put it into quotes"
            yield Fault(key_path, message, hint, offset=offset)


def cut_shell_lines(source: YamlFile) -> Iterator[Fault]:
    """Lines for the shell whose quotes YAML cut at a `#`."""
    for key_path, line in _stage_texts(source, "shell"):
        if (comment := source.comment(key_path)) and split_words(line).open_quote:
            message = f"YAML takes {quote(comment.strip())} for a comment, inside the quotes of `shell`"
            yield Fault(key_path, message, "write the line below a sign: shell: |")


def lookalikes(source: YamlFile) -> Iterator[Fault]:
    """Unquoted characters in `command` and `args` that look like a blank, a dash or a quote."""
    for key in ("command", "args"):
        for key_path, text in _stage_texts(source, key):
            words = split_words(text if key_path[-1] == key else "")
            yield from (lookalike(key_path, key, text, offset) for offset in words.lookalikes[:MOST_OF_A_LINE])


def lookalike(key_path: KeyPath, key: str, text: str, offset: int) -> Fault:
    """The fault of a character that looks like another."""
    sign = text[offset]
    looks = "a blank" if re.match(f"[{INVISIBLE}]", sign) else "a dash" if sign in _DASHES else "a quote"
    name = unicodedata.name(sign, "a character").lower()
    message = f"found U+{ord(sign):04X} ({name}) in `{key}`, which looks like {looks} and is none"
    hint = "type it again on the keyboard"
    if key_path[-1] in {"args", "shell"}:
        hint += ", or put it into quotes to mean it"
    return Fault(key_path, message, hint, offset=offset)


def backslashes_at_line_ends(source: YamlFile) -> Iterator[Fault]:
    """Backslashes that end a line and keep a blank: YAML has joined the lines, or a blank follows on the line."""
    for key in ("args", "shell"):
        for key_path, line in _stage_texts(source, key):
            words = split_words(line if key_path[-1] == key else "")
            for offset in words.escaped_blanks[:MOST_OF_A_LINE]:
                if found := _LINE_END.match(source.text, source.index(key_path, offset)):
                    message = f"the backslash at this line's end puts a blank into a word of `{key}`"
                    hint = "take out the blank after it" if found[1] else "take it out: YAML joins these lines"
                    yield Fault(key_path, message, hint, offset=offset)


def _operator_problem(text: str) -> tuple[str, str]:
    if text == JSON:
        hint = """write it as one item of a list: args: [--config, '{"a": 1}']"""
        return "found JSON without quotes around it in `args`, which takes its own quotes off", hint
    message = f"found an unquoted {shorten(text)} in `args`, which means nothing without a shell"
    if text.startswith("{"):
        return message, f"write the words one by one, or quote it to mean the characters themselves: '{shorten(text)}'"
    if name := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text):
        filled = f"{{{{ {name[1]} }}}} is filled from data, vars or envs"
        return message, f"{filled}; for the shell's own, write {_AS_SHELL}"
    return message, f"write {_AS_SHELL}, or quote it to mean the character itself: '{shorten(text)}'"


def command_lines(source: YamlFile) -> Iterator[Fault]:
    """Commands that are more than the name of a program."""
    for key_path, value in _stage_texts(source, "command"):
        bare = PLACEHOLDER.sub("x", value)
        if any(text not in "*?" for _, text in split_words(bare).operators):
            hint = f"write it as a line for the shell: - shell: {quote(value, _LONGEST_LINE)}"
            yield Fault(key_path, f"`command` holds a shell's signs: {shorten(value)}; expected one program", hint)
        elif re.search(r"\s", bare.strip()):
            program, _, rest = value.strip().partition(" ")
            hint = f"put the rest into args: command: {program}, args: {quote(rest.strip(), _LONGEST_LINE)}"
            yield Fault(key_path, f"`command` is more than one word: {shorten(value)}; expected one program", hint)


def var_names(source: YamlFile) -> Iterator[Fault]:
    """Names under `vars` that are invalid for placeholders."""
    for name in source.mapping("vars"):
        yield from bad_name(("vars", name), name, "a placeholder's name", on_key=True)


def env_names(source: YamlFile) -> Iterator[Fault]:
    """Invalid names in the mapping form of `envs`, and items of its list form that are no mappings."""
    for key_path in env_paths(source):
        envs = source.find(*key_path)
        for name in source.mapping(*key_path):
            yield from bad_name((*key_path, name), name, _AN_ENV, on_key=True)
        for number, item in enumerate(envs if isinstance(envs, list) else ()):
            if not isinstance(item, dict):
                message = f"item {number + 1} of `envs` is {describe_value(item)}, expected a key and a value"
                yield Fault((*key_path, number), message, _AS_ITEM)


def env_items(source: YamlFile) -> Iterator[Fault]:
    """Items in the list form of `envs`: without key or value, with an invalid name, or repeated."""
    known = EnvItem.model_fields
    first: dict[tuple[KeyPath, str], KeyPath] = {}
    for key_path, item in env_mappings(source):
        for key in known:
            if key not in item and item.keys() <= known.keys():
                yield Fault(key_path, f"{label(key_path)} has no `{key}`, expected both key and value", _AS_ITEM)
            elif not isinstance(value := item.get(key, ""), str):
                yield Fault(
                    (*key_path, key), f"`{key}` is {describe_value(value)}, expected a text", "put it into quotes"
                )
        if isinstance(name := item.get("key"), str):
            yield from bad_name((*key_path, "key"), name, _AN_ENV, on_key=False)
            if (earlier := first.setdefault((key_path[:-1], name), key_path)) != key_path:
                yield duplicate(source, (*key_path, "key"), earlier, f"`{name}`")


def bad_name(key_path: KeyPath, name: str, what: str, *, on_key: bool) -> Iterator[Fault]:
    """An invalid name; `what` describes a valid one."""
    if is_name(name):
        return
    legal = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    hint = f"for example: {legal}" if is_name(legal) else "for example: base_2"
    message = f"`{shorten(name)}` is not {what}, expected letters, digits and _, not beginning with a digit"
    yield Fault(key_path, message, hint, on_key=on_key)


def declared_venvs(source: YamlFile) -> Iterator[Fault]:
    """Names and requirements under `venvs`."""
    for name, requirements in source.mapping("venvs").items():
        if not matches(VENV_NAME, name):
            message = f"`{shorten(name)}` is not a venv's name, expected letters, digits, _, . and -"
            yield Fault(("venvs", name), message, "for example: venvs: {tap: [tap-jsonl]}", on_key=True)
        if requirements == []:
            hint = "name at least one requirement, or take this venv out"
            yield Fault(("venvs", name), f"`{name}` is an empty list, expected requirements", hint)
        for key_path, word in source.texts("venvs", name):
            yield from bad_requirement(key_path, word)


def stage_venvs(source: YamlFile) -> Iterator[Fault]:
    """Venvs of stages that are undeclared, or invalid paths; `installs` declares the venv of its stage."""
    filled = [stage["venv"] for _, stage in source.mappings("commands") if stage.get("installs") and "venv" in stage]
    known = (*source.mapping("venvs"), *(name for name in filled if isinstance(name, str) and matches(VENV_NAME, name)))
    for key_path, value in _stage_texts(source, "venv"):
        if "/" in value:
            yield from _bad_path(key_path, value)
        elif value not in known:
            expected = f"one of {', '.join(known)}," if known else "a name from venvs"
            name = value if matches(VENV_NAME, value) else "tap"
            hint = f"declare it at the left margin: venvs: {{{name}: [PACKAGE]}}; or name your own: ./venv/{name}"
            if suggestion := did_you_mean(value, known):
                hint = f"did you mean `{suggestion}`?"
            yield Fault(key_path, f"the venv `{shorten(value)}` is not declared, expected {expected} or a path", hint)


def installs(source: YamlFile) -> Iterator[Fault]:
    """Invalid `installs`, and those whose venv has other requirements."""
    declared = {f"venv/{name}": name for name in source.mapping("venvs")}
    for stage_path, stage in source.mappings("commands"):
        key_path, directory = (*stage_path, "installs"), as_directory(stage.get("venv"))
        if not stage.get("installs"):
            continue
        if "venv" not in stage:
            hint = "name the venv on this stage too: venv: ./venv/proc_01"
            yield Fault(
                key_path, "found `installs` without `venv`, expected the venv to install into", hint, on_key=True
            )
        elif isinstance(directory, str) and directory in declared:
            message = f"`installs` and `venvs` both say what goes into {directory}, expected one of them"
            yield Fault(key_path, message, f"move the packages to venvs: {declared[directory]}: [...]", on_key=True)
        for line_path, line in source.texts(*key_path):
            yield from bad_install(line_path, line)


def clashing_venvs(source: YamlFile) -> Iterator[Fault]:
    """Two directories whose venvs would have one name, and so one lock."""
    first = {name: f"venv/{name}" for name in source.mapping("venvs")}
    for key_path, stage in source.mappings("commands"):
        directory = as_directory(stage.get("venv"))
        if isinstance(directory, str) and stage.get("installs"):
            name = venv_name_of(directory)
            if first.setdefault(name, directory) != directory:
                message = f"{directory} and {first[name]} would both be the venv `{name}`, expected different names"
                example = directory if "/" in directory else f"./{directory}"
                yield Fault((*key_path, "venv"), message, f"for example: venv: {example}_2")


def _stage_texts(source: YamlFile, key: str) -> Iterator[tuple[KeyPath, str]]:
    return (found for key_path, _ in source.mappings("commands") for found in source.texts(*key_path, key))


def _bad_path(key_path: KeyPath, value: str) -> Iterator[Fault]:
    path = PurePosixPath(value)
    message = f"`venv` is {shorten(value)}, expected"
    example = f"for example: venv: ./venv/{venv_name_of(value) or 'tap'}"
    if path.is_absolute() or ".." in path.parts or value.startswith("~") or not path.parts:
        yield Fault(key_path, f"{message} a path inside the project", example)
    elif path.parts[0] in _NO_VENVS:
        yield Fault(key_path, f"{message} a path outside of {', '.join(_NO_VENVS[:-1])} and {_NO_VENVS[-1]}", example)
    elif not venv_name_of(value):
        yield Fault(key_path, f"{message} a path that ends in a name", example)
    elif not all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in path.parts):
        yield Fault(key_path, f"{message} a path of letters, digits, _, . and -", "for example: venv: ./venv/tap")


def bad_requirement(key_path: KeyPath, word: str, line: str = "{}") -> Iterator[Fault]:
    """A text that is not a requirement, or one with a password, which a committed lock would hold; `line` holds it."""
    address = _ADDRESS.fullmatch(word.strip())
    if address and (address["user"] or address["file"] or not _is_requirement(word)):  # `git@host:path` looks like one
        message = f"`{shorten(word)}` names no package, expected NAME @ and its address"
        yield Fault(key_path, message, f"write it like this: {line.format(_direct_reference(address))}")
    elif word.lstrip().startswith("-"):
        message = f"found the pip option {shorten(word)}, expected a requirement"
        yield Fault(key_path, message, "name packages only: tap-jsonl, or tap-jsonl>=1.2")
    elif not _is_requirement(word):
        message = f"`{shorten(word)}` is not a requirement, expected a package as pip writes it"
        yield Fault(key_path, message, 'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"')
    elif "://" in word and _without_credentials(word) != word:
        message = f"found a credential in the address {shorten(word.rpartition(' ')[2], 80)}, expected none"
        yield Fault(key_path, message, "let git ask for it: a credential helper, or an ssh address")


def bad_install(key_path: KeyPath, line: str) -> Iterator[Fault]:
    """A line that is not `pip install` with requirements only."""
    words = requirements_of(line)
    if not words:
        message = f"`{shorten(line)}` installs nothing we know, expected pip install and packages"
        yield Fault(key_path, message, "for example: pip install tap-jsonl")
    elif option := next((word for word in words if word.startswith("-")), None):
        message = f"found the pip option {option}, expected only packages after pip install"
        hint = "declare the venv at the left margin: venvs: {tap: [tap-jsonl]}; its lock pins versions"
        yield Fault(key_path, message, hint)
    else:
        for word in words:
            yield from bad_requirement(key_path, word, "pip install '{}'")


def _direct_reference(found: re.Match[str]) -> str:
    """`NAME @ ADDRESS` for an address alone, without credentials.

    The name is guessed: `egg` of the fragment, or the last part of the path without version and ending.
    """
    address, _, fragment = found["address"].partition("#")
    address = _without_credentials(address)
    if found["user"]:
        address = f"git+ssh://{found['user']}/{address.partition(':')[2]}"
    elif "://" not in address and not re.match(r"[./]|file:", address):
        address = f"git+https://{address}" if re.match(r"[\w-]+(\.[\w-]+)+/", address) else f"./{address}"
    folder = re.search(r"subdirectory=([^&]+)", fragment)
    path = folder[1] if folder else re.sub(r"\A.*?://[^/]*|[@?].*", "", address)
    egg = re.search(r"egg=([\w.-]+)", fragment)
    name = egg[1] if egg else re.split(r"\.git$|\.whl$|\.tar\b|\.zip$|-\d", path.rstrip("/").rpartition("/")[2])[0]
    name = name if matches(VENV_NAME, name) else "NAME"
    return f"{name} @ {address}" + (f"#{folder[0]}" if folder else "")


def _without_credentials(address: str) -> str:
    """A URL without password, a query with a secret, and the user of https: that is a token, or else a variable."""
    bare = re.sub(r"(https?://)(?!\$\{\w+\}@)[^/@\s]*@|(://[^/@:\s]*):[^/@\s]*(?=@)", r"\1\2", address)
    return bare.partition("?")[0] if any(secret_values.in_words([bare.rpartition("?")[2]])) else bare


def _is_requirement(word: str) -> bool:
    if _PLAIN.fullmatch(word) and not word.endswith(","):
        return True
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # 50 ms that few files need

    try:
        Requirement(word)
    except InvalidRequirement:
        return False
    return True


def uncounted_rows(source: YamlFile) -> Iterator[Fault]:
    """`rows_at_least` where the meter counts no rows."""
    key_path, meter = ("expect", "rows_at_least"), source.find("meter")
    if source.find(*key_path) is not None and meter in ("bytes", "off"):
        message = f"found `rows_at_least` beside `meter: {meter}`, which counts no rows"
        yield Fault(
            key_path, message, "take `meter` out, then rows are counted; or take `rows_at_least` out", on_key=True
        )
