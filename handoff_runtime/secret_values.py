"""Which texts of a run are secret: decided by where a text comes from, the key it has there, and its form.

- A file of `.local` is sensitive: each value is secret, unless its key or its form is harmless.
- The environment, data, `vars` and the words of a command are not: a value is secret where its key says so.
- Whatever its source, a text with the form of a credential (the password in a URL, `AKIA...`, a JSON web token) is.

JSON is parsed, and CSV. Everything else (YAML, TOML, INI, dotenv, XML, .pgpass, .netrc, JSON with comments) is read
line by line by one tolerant reader of keys and values, and what has no key, by token. A reading too many hides too much
of one file at worst; the table of docs/concepts/masking.md is what counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from handoff_runtime import exact_json
from handoff_runtime.secret_rules import (
    A_DSN,
    AN_ORACLE_URL,
    HARMLESS,
    PLURALS,
    SCHEMES,
    SECRET,
    UNKNOWN,
    find_credentials,
    is_harmless,
    is_placeholder,
    may_name_secret,
    secrecy,
    split,
)

SHORTEST = 4  # a shorter value would turn half of every log into stars
SHORTEST_NUMBER = 6  # the same, of a number whose key says nothing; of a part of a value
SHORTEST_TOKEN = 8
DEEPEST = 5  # JSON in a text in JSON
LONGEST_REST = 1024  # of a line behind a key, which may all be its value
BLANK = "\ufeff \t\r\n\f\v\0"
USER_FLAGS = ("-u", "-U", "--user", "--proxy-user", "--userpwd")

KEY = r"(?<![\w.$])(?<![\w.$]-)(?P<key>[A-Za-z_$][\w.$-]{0,255})"  # bounded: after `--` a key may begin within a word
# key: value, key=value, "key": "value", several in a line
PAIR = (
    rf"""["']?{KEY}["']?\s*(?::?=>?(?![=~])|:(?=\s|$|["'\[{{])|(?<=["']):(?!//))\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'|(?!["'\[{])[^\s,;&}\]][^,;&}\]]*?"""
    r"""(?=\s{1,8}["']?[\w.-]{1,64}["']?\s{0,8}=|[,;&}\]]|$)|)"""
)
# key and value that fill a line
LINE = r"""(?:export\s+|-\s+)?["']?(?P<key>[A-Za-z_$][\w.$-]*)["']?\s*(?:=|:(?=\s))\s*(?P<value>\S.*)"""
ARRAY = r"""(?:-\s+)?["']?(?P<key>[A-Za-z_$][\w.$-]*)["']?\s*[:=]\s*\[(?P<items>[^{}]*)\],?\s*(?:\s#.*)?"""
ITEM = r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s,'\"][^,]*"""
BRACED = rf"{KEY}\s*=\s*\{{(?P<value>(?:[^{{}}]|\}}\}})*)\}}(?=;|$)"  # ODBC
ELEMENT = (
    rf"<{KEY}(?:\s[^<>]*?\b(?:name|key)=[\"'](?P<named>[^\"'<>]*)[\"'])?[^<>]*>"
    r"(?:\s{0,64}<!\[CDATA\[(?P<cdata>[^\]]*)\]\]>|(?P<value>[^<>]+)<)"
)
# .netrc, .my.cnf and the like: a line that begins so, or holds nothing else
SPACED = (
    r"""(?i)^(?:(?:machine|default|login|account)\b[^#]*\s|[\w.-]*[._-])?(?P<key>password|passwd|token|secret|passphrase)"""
    r"""\s+(?P<value>"[^"]*"|\S+)(?=\s*$|\s+(?:account|machine|login|macdef)\s)"""
)
OPTION = r"""(?<![\w-])--?(?P<key>[A-Za-z][\w.-]*)\s+(?P<value>"[^"]*"|'[^']*'|[^\s-]\S*)"""
# key: whose value begins on the next line
OPENED = (
    rf"""(?:-\s+)?["']?{KEY}["']?\s*(?::\s*(?:(?:![\w!]*\s*)?[|>][-+0-9]*|\[|\{{|&\w+)?|=\s*(?:\[|\{{|\"{{3}}|'{{3}}))"""
    r"""\s*(?:\s#.*)?"""
)
SECTION = r"""\[{1,2}(?P<key>[\w. "'-]+)\]{1,2}"""
MARKUP = r"""[{}\[\](),;]+|</?[\w:.-]+/?>|-{3}|\.{3}|"{3}|'{3}"""
TAGS = r"(?:(?:&|!{1,2})[\w.:/-]+\s+)*"  # of YAML
COMMENT = r"(?:^|(?<!\s)\s{1,64})(?:[#;]|//|<!--)(?:\s.*)?$"
PGPASS = r"(?:(?:[^:\\\s]|\\.)+:){4}(?P<value>\S.*)"
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&"))
# Where a PEM text on one line has its line ends: as `\n`, or as blanks.
PEM_ENDS = (
    r"(?<=-----)\s*\\n|\\n(?=[A-Za-z0-9+/=-])|(?<=[A-Za-z0-9+/=]) (?=[A-Za-z0-9+/=]{8})|(?<=KEY-----) | (?=-----END)"
)


def in_file(name: str, text: str) -> Iterator[str]:
    """The secrets of a file of `.local`; what has no key in it has the file's name for one."""
    key = name if secrecy(name) == SECRET else name.rpartition("/")[2].strip(".").partition(".")[0]
    key = "" if secrecy(key) == HARMLESS else key
    text = text.strip(BLANK)
    if secrecy(key) == SECRET and "\n" not in text and text[:1] not in ("{", "["):
        yield from _in_secret_value(key, text)
    secrets = _in_json(key, text, sensitive=True, depth=0)
    yield from _in_lines(key, text, sensitive=True, depth=0) if secrets is None else secrets


def in_environment(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The secrets among variables, by their names and forms."""
    for name, value in variables:
        if len(value) >= SHORTEST:
            yield from _in_text(name, value, sensitive=False, depth=0)


def in_data(data: Mapping[str, object]) -> Iterator[str]:
    """The secrets in the data of a run."""
    yield from _in_tree("", data, sensitive=False, depth=0)


def in_words(words: Iterable[str]) -> Iterator[str]:
    """The secrets among the words of a command: `--password VALUE`, `--api-key=VALUE`, `-u USER:VALUE`, a URL."""
    flag = before = ""
    for word in words:
        if before in USER_FLAGS or word.startswith("-u"):
            user, _, password = word.removeprefix("-u").partition(":")
            if user and not password.startswith("//") and not password.isdecimal():  # a URL, a uid:gid
                yield from _if_long_enough(password)
        if flag and not re.match(r"--?[a-z][a-z-]*(=|$)", word):
            yield from _in_text(flag, word, sensitive=False, depth=0)
        name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        flag = name.lstrip("-") if secrecy(name) == SECRET else ""
        yield from _in_text(flag, value if equals or not name else "", sensitive=False, depth=0)
        flag, before = "" if equals else flag, word


def _in_json(key: str, text: str, *, sensitive: bool, depth: int) -> list[str] | None:
    """The secrets of a text that is JSON; None where it is none, or nested deeper than can be read."""
    try:
        return list(_in_tree(key, exact_json.loads(text), sensitive=sensitive, depth=depth))
    except (ValueError, RecursionError):
        return None


def _in_tree(key: str, value: object, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of a JSON value; what is below a secret key is as sensitive as a file of `.local`."""
    if isinstance(value, dict):
        named = next((value[name] for name in ("name", "Name", "key", "Key") if isinstance(value.get(name), str)), "")
        if secrecy(named) == SECRET:
            held = (value[name] for name in ("value", "Value") if name in value)
            yield from (secret for each in held for secret in _in_tree(named, each, sensitive=sensitive, depth=depth))
        is_plural = bool(PLURALS.intersection(split(key)[-1:]))
        for name, item in value.items():
            below = sensitive or secrecy(str(name)) == SECRET
            its = key if is_plural and not isinstance(item, (dict, list)) else str(name)
            yield from _in_tree(its, item, sensitive=below, depth=depth)
    elif isinstance(value, list):
        for item in value:
            yield from _in_tree(key, item, sensitive=sensitive, depth=depth)
    elif isinstance(value, str):
        yield from _in_text(key, value, sensitive=sensitive, depth=depth)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        said = secrecy(key)
        for text in {str(value), str(value + 0)}:  # as the file has it, and as a program in Python prints it
            unnamed = sensitive and said == UNKNOWN and len(text) >= SHORTEST_NUMBER
            if len(text) >= SHORTEST and (said == SECRET or unnamed):
                yield text


def _in_text(key: str, text: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of one text: of the JSON or the lines it holds, of its parts, or all of it."""
    text = text.strip(BLANK)
    if "PRIVATE KEY" in text:
        key = "private_key"
        text = text if "\n" in text else re.sub(PEM_ENDS, "\n", text)
    said = secrecy(key)
    below = sensitive or said == SECRET
    if depth < DEEPEST and text[:1] in ("{", "["):
        secrets = _in_json(key, text, sensitive=below, depth=depth + 1)
        if secrets is not None:
            yield from secrets
            return
    if "\n" in text or "\r" in text:
        yield from _in_lines(key, text, sensitive=below, depth=depth + 1)
        return
    yield from _in_credentials(text)
    if said == SECRET:
        yield from _in_secret_value(key, text)
        return
    if sensitive and said == UNKNOWN and not is_harmless(text):
        yield from _if_long_enough(text)
    if depth < DEEPEST and any(mark in text for mark in "=:-") and may_name_secret(text):
        yield from _in_pairs(text, sensitive=False, depth=depth)


def _in_credentials(text: str) -> Iterator[str]:
    """The parts of a text with the form of a credential; of `user:password` the password, as it is and decoded."""
    for kind, found in find_credentials(text):
        separator = ":" if ":" in found else "/" if kind in (A_DSN, AN_ORACLE_URL) else "\0"
        _, _, password = found.partition(separator)
        yield from _if_long_enough(password or found)
        if not password:
            yield from (part for part in found.split("/")[1:] if len(part) >= SHORTEST_NUMBER)
        if "%" in password:  # without percent-encoding (RFC 3986)
            code = re.compile(rb"%([0-9A-Fa-f]{2})")
            plain = code.sub(lambda found: bytes([int(found[1], 16)]), as_bytes(password))
            yield from _if_long_enough(plain.decode("utf-8", "surrogateescape"))


def _in_secret_value(key: str, text: str) -> Iterator[str]:
    """All of a text whose key says it is secret, and what comes behind `Bearer` or `user:`, or is a part of a URL."""
    if is_placeholder(key, text):
        return
    yield from _if_long_enough(text)
    user, _, password = text.partition(":")
    if len(password) >= SHORTEST_NUMBER and not password.startswith(("//", " ")) and re.fullmatch(r"[\w.@+-]+", user):
        yield password
    first, _, rest = text.partition(" ")
    if first.lower() in SCHEMES:
        yield from _if_long_enough(rest)
    if "://" in text:
        parts = re.split(r"[/?&=#]", text.partition("://")[2])[1:]
        yield from (part for part in parts if len(part) >= SHORTEST_TOKEN and not (part.isalpha() and part.islower()))


def _if_long_enough(text: str) -> Iterator[str]:
    text = text.strip()
    if len(text) >= SHORTEST and text.lower() not in ("true", "false", "null", "none"):
        yield text


def _in_lines(key: str, text: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of several lines; one deeper than a key without a value, or an item of its list, is its value."""
    lines = re.split(r"[\r\n]+", text)
    if table := _table(lines):
        for name, value in table:
            yield from _in_text(name, value, sensitive=sensitive, depth=depth)
        return
    outer = [(-1, key)]
    for line in lines:
        bare = line.strip()
        if not bare or re.fullmatch(MARKUP, bare):
            continue
        indent = len(line) - len(line.lstrip())
        while len(outer) > 1 and (outer[-1][0] > indent or (outer[-1][0] == indent and bare[0] not in "-]}")):
            outer.pop()
        if section := re.fullmatch(SECTION, bare):
            outer = [(-1, section["key"] if secrecy(section["key"]) == SECRET else key)]
        elif opened := re.fullmatch(OPENED, bare):
            outer.append((indent, opened["key"]))
        else:
            yield from _in_line(outer, bare, sensitive=sensitive, depth=depth)


def _in_line(outer: list[tuple[int, str]], line: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of one line, below the keys that are open."""
    key = outer[-1][1]
    if line[0] in "{[":
        secrets = _in_json(key, line.rstrip(","), sensitive=sensitive, depth=depth)
        if secrets is not None:
            yield from secrets
            return
    if sensitive and (row := re.fullmatch(PGPASS, line)):
        yield from _if_long_enough(row["value"].replace("\\:", ":").replace("\\\\", "\\"))
        return
    plural = next((name for _, name in outer if PLURALS.intersection(split(name)[-1:])), "")
    if plural and (whole := re.fullmatch(LINE, line)):
        for reading in _readings(whole["value"]):
            yield from _in_text(plural, reading, sensitive=True, depth=depth)
    if array := re.fullmatch(ARRAY, line):
        for item in re.findall(ITEM, array["items"]):
            for reading in _readings(item):
                yield from _in_text(array["key"], reading, sensitive=sensitive, depth=depth)
    elif _has_value(line):
        yield from _in_pairs(line, sensitive=sensitive, depth=depth)
    else:
        yield from _in_item(key, line, sensitive=sensitive, depth=depth)


def _table(lines: list[str]) -> list[tuple[str, str]]:
    """The cells of a CSV file, each with the name of its column; nothing where the first line is no header."""
    separator = next((mark for mark in (",", ";", "\t") if mark in lines[0]), "")
    header = [name.strip(" \"'") for name in lines[0].split(separator)] if separator else []
    if len(lines) == 1 or not header or not all(re.fullmatch(r"[A-Za-z][\w ().-]*", name) for name in header):
        return []
    import csv

    rows = [row for row in csv.reader(lines[1:], delimiter=separator) if row]
    if any(len(row) != len(header) for row in rows):
        return []
    return [cell for row in rows for cell in zip(header, row, strict=True)]


def _has_value(line: str) -> bool:
    """Whether a line holds a key and its value."""
    if (whole := re.fullmatch(LINE, line)) and secrecy(whole["key"]) == SECRET:
        return True
    if any(match["value"] for match in re.finditer(PAIR, line)):
        return True
    return any(re.search(form, line) for form in (ELEMENT, SPACED))


def _in_item(key: str, line: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of a line without a key: an item of a list, a line of a block, or free text."""
    item = line[2:].strip() if line.startswith("- ") else line
    for reading in _readings(item):
        yield from _in_text(key, reading, sensitive=sensitive, depth=depth)
    if sensitive and ":" in item and " " not in item and "://" not in item:
        yield from _in_text(key, item.rpartition(":")[2], sensitive=sensitive, depth=depth)
    if sensitive and " " in item:
        for word in (word.strip("\"'`,;()[]{}<>") for word in item.split()):
            mixed = any(letter.isdigit() for letter in word) and any(letter.isalpha() for letter in word)
            if len(word) >= SHORTEST_TOKEN and mixed and not is_harmless(word):  # as random as a credential
                yield word


def _in_pairs(line: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of the keys and values in a line, in whatever format."""
    if (whole := re.fullmatch(LINE, line)) and secrecy(whole["key"]) == SECRET:
        yield from (secret for text in _readings(whole["value"]) for secret in _in_secret_value(whole["key"], text))
    for match in re.finditer(PAIR, line):
        key, value = match["key"], match["value"]
        for reading in _readings(value):
            yield from _in_text(key, reading, sensitive=sensitive, depth=depth + 1)
        if value and value[0] not in "'\"" and secrecy(key) == SECRET:
            yield from _in_rest(key, line[match.start("value") : match.start("value") + LONGEST_REST + 1])
    for match in re.finditer(OPTION, line):
        if secrecy(match["key"]) == SECRET:
            yield from _in_secret_value(match["key"], match["value"].strip("\"'"))
    for match in re.finditer(BRACED, line):
        yield from _in_text(match["key"], match["value"].replace("}}", "}"), sensitive=sensitive, depth=depth + 1)
    for match in re.finditer(ELEMENT, line):
        text = match["cdata"] or _without_entities(match["value"] or "")
        yield from _in_text(match["named"] or match["key"], text, sensitive=sensitive, depth=depth + 1)
    for match in re.finditer(SPACED, line):
        yield from _in_text(match["key"], match["value"].strip('"'), sensitive=sensitive, depth=depth + 1)


def _in_rest(key: str, rest: str) -> Iterator[str]:
    """What else the unquoted value of a secret key may be: its first word, or all of a line that is not too long."""
    first = rest.split(maxsplit=1)[0]
    if len(first) >= SHORTEST_NUMBER:
        yield from (secret for text in _readings(first) for secret in _in_secret_value(key, text))
    if len(rest) <= LONGEST_REST:
        yield from (secret for text in _readings(rest) for secret in _in_secret_value(key, text))


def _readings(text: str) -> dict[str, None]:
    """What a value may be: as it is written; without tags, comment, quotes, escapes; each once."""
    text = text.strip()
    found: dict[str, None] = {}
    for each in (text, re.sub(TAGS, "", text, count=1)):
        bare = re.sub(COMMENT, "", each).rstrip(",").rstrip()
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
            tripled = len(bare) > len("''''''") and bare[:3] == bare[-3:] == bare[0] * 3
            inner = bare[3:-3] if tripled else bare[1:-1]
            readings = [inner, inner.replace("''", "'") if bare[0] == "'" else _unescaped(inner)]
        else:
            readings = [each, bare, bare.strip("\"'")]
            if "\\" in bare:
                readings += [re.sub(r"\\([^u])", r"\1", bare), _unescaped(bare)]
        if "&" in bare:
            readings.append(_without_entities(bare.strip("\"'")))
        found |= dict.fromkeys(readings)
    return found


def _unescaped(text: str) -> str:
    """Without backslashes, as JSON, YAML, TOML or a properties file means them."""
    text = re.sub(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))", lambda code: chr(int(code[1] or code[2], 16)), text)
    plain = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda code: plain.get(code[1], code[1]), text)


def _without_entities(text: str) -> str:
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return text


def as_bytes(text: str) -> bytes:
    """The text as a program writes it; half a character, which JSON may hold, as the config file has it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
