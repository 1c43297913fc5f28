"""Which texts of a run are secret: decided by where a text comes from, the key it has there, and its form.

- A file of `.local` is sensitive: each value is secret, unless its key or its form is harmless.
- The environment, data, `vars` and the words of a command are not: a value is secret where its key says so.
- Whatever its source, a text with the form of a credential (the password in a URL, `AKIA...`, a JSON web token) is.

JSON is parsed; everything else (YAML, TOML, INI, dotenv, XML, .pgpass, .netrc, JSON with comments) is read line by line
by one tolerant reader of keys and values, and what has no key, by token. A reading too many hides too much of one file
at worst; the table of docs/concepts/masking.md is what counts.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SECRET, HARMLESS, UNKNOWN = "secret", "harmless", "unknown"

SHORTEST = 4  # a shorter value would turn half of every log into stars
SHORTEST_NUMBER = 6  # the same, of a number whose key says nothing
SHORTEST_TOKEN = 8
DEEPEST = 5  # JSON in a text in JSON
BLANK = "\ufeff \t\r\n\f\v\0"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Parts of a key that say what it holds, wherever they are in it; and words of it that do.
STRONG = (
    "password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "privatekey", "apikey",
    "accesskey", "accountkey", "webhook", "authorization", "bearer",
)  # fmt: skip
WEAK = _words("pass pwd pw auth sig signature pin otp hook salt psk cookie jwt")
KEYS = _words("key keys")
# Keys whose value may be a common word (`auth: oauth2`), or a path (`private_key: /keys/id_rsa`, PWD).
MAY_BE_WORD = KEYS | _words("auth sig signature hook cookie")
MAY_BE_PATH = MAY_BE_WORD | _words("credential privatekey pwd")
NO_CREDENTIAL = _words("""
    primary partition sort foreign replication public join unique row routing object cluster bookmark order group merge
    natural surrogate hash range valid dedup s3
""")
# First and last words of a key that make it speak *about* a secret: max_tokens, token_type, private_key_path.
ABOUT_FIRST = _words("max min num count use has is enable disable allow no require")
ABOUT_LAST = _words("""
    file path dir directory url uri endpoint type name names method mode ttl expiry expires lifetime length size limit
    count column columns field fields prefix suffix enabled required version region host port user username format
    scheme algorithm provider property properties timeout interval schema table sock server in at on
""")
HARMLESS_LAST = ABOUT_LAST | _words("""
    hosts hostname servers ports email database databases db dbname schemas tables stream streams bucket level date time
    start end zone timezone encoding charset delimiter separator quotechar warehouse role dataset location site domain
    account project environment env catalog dialect driver engine protocol locale language currency country city unit
    units seconds minutes days frequency batch window max min retries workers threads rows records pattern glob regex
    extension compression replication topic queue index branch owner repo repository org organization team description
    title label agent sslmode plugin executable command variant selected select
""")
WORDS = _words("""
    true false null none yes no on off auto default main master public private local dev test staging prod production
    debug info notice warn warning error critical fatal trace verbose quiet silent failed success succeeded ok
    utf-8 utf8 ascii latin-1 json jsonl csv tsv parquet avro xml yaml toml text gzip zip bzip2 zstd snappy binary raw
    postgres postgresql mysql sqlite sqlserver oracle snowflake bigquery redshift duckdb mongodb kafka http https ftp
    sftp ssh tcp udp basic bearer oauth oauth2 digest apikey password token header query body user users admin root
    guest readonly require prefer verify-full verify-ca disable enable append replace overwrite upsert insert update
    merge full incremental full_table log_based hour hourly day daily week weekly month monthly year yearly
    service_account authorized_user client_credentials authorization_code refresh_token
""")
SCHEMES = _words("bearer basic token apikey digest")

# Patterns are texts: `re` compiles and keeps the few that a run needs, since all of them would cost 60 ms.
# In both tables one of the marks must be in a text before its pattern is tried.
DIGITS = tuple("0123456789")
OUR_PLACES = r"(\./)?\.(artifacts|env)(/.*)?"
REFERENCE = r"(ssm|secretsmanager):\S+"
VARIABLE = r"\$(\w+|\{[^}]*\}|\([^)]*\)?.*)|\{\{.*\}\}|<[\w -]+>|-----(BEGIN|END) [A-Z ]+-----|%[\w()]+%?"
PATH = (
    r"(~|\.{0,2})(/([a-z0-9@%_.=-]+|[A-Z][a-z]+|[A-Z_]+))+/?"
    r"|[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]+)*\.[a-z][a-z0-9]{1,7}(\.gz)?"
)
HOST = (
    r"([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)+"
    r"([a-z]{2}|com|org|net|edu|gov|app|cloud|dev|info|int|internal|lan|local|io)\.?(:[0-9]{1,5})?"
)
HARMLESS_FORMS = (
    (DIGITS, r"[0-9]{4}-[0-9]{2}(-[0-9]{2}([T ][0-9:.]{4,15} ?(Z|[A-Z]{3}|[+-][0-9:]{4,5})?)?)?"),  # a date, a time
    (DIGITS, r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?"),
    (DIGITS, r"[0-9.,]+ ?(%|[a-zA-Z]{1,7})|[0-9]{1,5}|[0-9]+(\.[0-9]+){1,3}(:[0-9]+)?"),  # an amount, a version, an IP
    (("*",), r"[-0-9*/,? ]+"),  # cron
    (("localhost",), r"localhost(:[0-9]+)?"),
    (
        (".",),
        HOST,
    ),
    (("/", "."), PATH),
    (("://",), r"(?i)[a-z][a-z0-9+.-]{1,20}://[^\s@]*"),
    (("@",), r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    (("$", "{", "<", "-----", "%"), VARIABLE),
    ((":",), REFERENCE),
    ((".artifacts", ".env"), OUR_PLACES),
)
FORMS = (
    ("a key of AWS", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a token of GitHub", ("gh", "github_"), r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a token of GitLab", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("a token of Slack", ("xox",), r"\bxox[a-z]-[A-Za-z0-9-]{8,}"),
    ("a token of Slack", ("hooks.slack.com",), r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{16,}"),
    ("a key of Google", ("AIza",), r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("a key of Stripe", ("k_live_", "k_test_"), r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("a token of a package index", ("npm_", "pypi-"), r"\b(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    ("a token of an AI service", ("sk-", "hf_"), r"\b(?:sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,})"),
    ("a JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    ("an authorization header", ("Basic ", "Bearer "), r"(?<=\bBasic )\S{12,}|(?<=\bBearer )\S{12,}"),
    ("a URL with a password", ("://",), r"(?<=://)[^\s/:@\"'<>]*:[^\s/\"'<>]+(?=@)"),
)

KEY = r"(?<![\w.$])(?<![\w.$]-)(?P<key>[A-Za-z_$][\w.$-]*)"
PAIR = (
    rf"""["']?{KEY}["']?\s*(?P<sep>:?=>?(?![=~])|:(?=\s|$|["'\[{{])|(?<=["']):(?!//))\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'|(?!["'\[{])[^\s,;&}\]][^,;&}\]]*?"""
    r"""(?=\s{1,8}["']?[\w.-]{1,64}["']?\s{0,8}=|[,;&}\]]|$)|)"""
)
ELEMENT = rf"<{KEY}[^<>]*>\s*(?:<!\[CDATA\[)?(?P<value>[^<>]+?)(?:\]\]>)?\s*<"
SPACED = r"""(?i)\b(?P<key>password|passwd|token|secret|passphrase)\s+(?P<value>[^\s=:{\["']\S*)"""
OPENED = (
    rf"""(?:-\s+)?["']?{KEY}["']?\s*(?::\s*(?:[|>][-+0-9]*|\[|\{{|&\w+)?|=\s*(?:\[|\{{|\"{{3}}|'{{3}}))"""
    r"""\s*(?:\s#.*)?"""
)
MARKUP = r"""\[{1,2}[\w. "'-]+\]{1,2}|[{}\[\](),;]+|</?[\w:.-]+/?>|-{3}|\.{3}|"{3}|'{3}"""
COMMENT = r"(?:^|\s+)(?:[#;]|//|<!--)(?:\s.*)?$"
PGPASS = r"(?:(?:[^:\\\s]|\\.)+:){4}(?P<value>\S.*)"
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&"))


def level(key: str) -> str:
    """What a key says of its value: SECRET, HARMLESS, or UNKNOWN."""
    words = _split(key)
    if not words:
        return UNKNOWN
    if _part(words):
        return UNKNOWN if words[0] in ABOUT_FIRST or words[-1] in ABOUT_LAST else SECRET
    return HARMLESS if words[-1] in HARMLESS_LAST else UNKNOWN


def _split(key: str) -> list[str]:
    """The words of a key, however it joins them: api_key, apiKey, API-KEY."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", key)]


def secret_part(key: str) -> str | None:
    """The part of a key that makes it secret, for a message."""
    return _part(_split(key)) if level(key) == SECRET else None


def _part(words: list[str]) -> str | None:
    return _strong(words) or _weak(words)


def _strong(words: list[str]) -> str | None:
    joined = "".join(words)
    return next((part for part in STRONG if part in joined), None) if NO_CREDENTIAL.isdisjoint(words) else None


def _weak(words: list[str]) -> str | None:
    """A word that may also mean something else; `key` by itself says nothing."""
    known = WEAK | KEYS if len(words) > 1 and NO_CREDENTIAL.isdisjoint(words) else WEAK
    return next((word for word in words if word in known), None)


def is_harmless(text: str) -> bool:
    """Whether a text has a form that no secret has: a common word, a time, a host, a path, a URL without password."""
    text = text.strip("\"' ")
    if text.lower() in WORDS:
        return True
    return any(any(mark in text for mark in marks) and re.fullmatch(form, text) for marks, form in HARMLESS_FORMS)


def credentials(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each credential that a text holds by its form; of a URL it is `user:password`."""
    for kind, marks, form in FORMS:
        if any(mark in text for mark in marks):
            for match in re.finditer(form, text):
                yield kind, match[0]


def in_file(name: str, text: str) -> Iterator[str]:
    """The secrets of a file of `.local`; what has no key in it has the file's name for one."""
    key = name.rpartition("/")[2].strip(".").partition(".")[0]
    text = text.strip(BLANK)
    found = _parsed(text)
    yield from _in_lines(key, text, sensitive=True, depth=0) if found is None else _in_tree(key, found, sensitive=True)


def in_environment(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The secrets among variables, by their names and forms."""
    for name, value in variables:
        if len(value) >= SHORTEST:
            yield from _in_text(name, value, sensitive=False, depth=0)


def in_data(data: Mapping[str, object]) -> Iterator[str]:
    """The secrets in the data of a run."""
    yield from _in_tree("", data, sensitive=False)


def in_words(words: Iterable[str]) -> Iterator[str]:
    """The secrets among the words of a command: `--password VALUE`, `--api-key=VALUE`, a URL, a header."""
    flag = ""
    for word in words:
        if flag and not word.startswith("-"):
            yield from _in_text(flag, word, sensitive=False, depth=0)
        name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        flag = name.lstrip("-") if name and _strong(_split(name)) else ""
        yield from _in_text(flag, value if equals or not name else "", sensitive=False, depth=0)
        flag = "" if equals else flag


def _in_tree(key: str, value: object, *, sensitive: bool, depth: int = 0) -> Iterator[str]:
    """The secrets of a JSON value; what is below a secret key is as sensitive as a file of `.local`."""
    if isinstance(value, dict):
        for name, item in value.items():
            below = sensitive or level(str(name)) == SECRET
            yield from _in_tree(str(name), item, sensitive=below, depth=depth)
    elif isinstance(value, list):
        for item in value:
            yield from _in_tree(key, item, sensitive=sensitive, depth=depth)
    elif isinstance(value, str):
        yield from _in_text(key, value, sensitive=sensitive, depth=depth)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        shortest = SHORTEST if level(key) == SECRET else SHORTEST_NUMBER if sensitive else 0
        if shortest and len(str(value)) >= shortest and level(key) != HARMLESS:
            yield str(value)


def _in_text(key: str, text: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of one text: of the JSON or the lines it holds, of its parts, or all of it."""
    text = text.strip(BLANK)
    said = level(key)
    if "PRIVATE KEY-----" in text:
        key, said = "private_key", SECRET
    below = sensitive or said == SECRET
    if depth < DEEPEST and text[:1] in ("{", "["):
        found = _parsed(text)
        if found is not None:
            yield from _in_tree(key, found, sensitive=below, depth=depth + 1)
            return
    if "\n" in text or "\r" in text:
        yield from _in_lines(key, text, sensitive=below, depth=depth + 1)
        return
    yield from _parts(text)
    if said == SECRET:
        yield from _whole(key, text)
    elif sensitive and said == UNKNOWN and not is_harmless(text):
        yield from _worth(text)
    if said != SECRET and depth < DEEPEST and ("=" in text or ":" in text) and _may_name_secret(text):
        yield from _in_pairs(text, sensitive=False, depth=depth)


def _may_name_secret(text: str) -> bool:
    text = text.lower().replace("_", "").replace("-", "")
    return any(part in text for part in (*STRONG, *WEAK, *KEYS))


def _parsed(text: str) -> object | None:
    try:
        return json.loads(text)  # type: ignore[no-any-return]  # JSON holds anything
    except (ValueError, RecursionError):
        return None


def _parts(text: str) -> Iterator[str]:
    """The parts of a text with the form of a credential; of `user:password` the password, as it is and decoded."""
    for _, found in credentials(text):
        _, _, password = found.partition(":")
        yield from _worth(password or found)
        if "%" in password:
            yield from _worth(_unquoted(password))


def _whole(key: str, text: str) -> Iterator[str]:
    """All of a text whose key says it is secret, and what comes behind `Bearer`; the name of a variable is none."""
    part = _part(_split(key))
    if (part in MAY_BE_WORD and text.lower() in WORDS) or (part in MAY_BE_PATH and re.fullmatch(PATH, text)):
        return
    if re.fullmatch(VARIABLE, text) or re.fullmatch(REFERENCE, text):
        return
    yield from _worth(text)
    first, _, rest = text.partition(" ")
    if first.lower() in SCHEMES:
        yield from _worth(rest)
    if "://" in text:
        parts = re.split(r"[/?&=#]", text.partition("://")[2])[1:]
        yield from (part for part in parts if len(part) >= SHORTEST_TOKEN and not (part.isalpha() and part.islower()))


def _worth(text: str) -> Iterator[str]:
    text = text.strip()
    if len(text) >= SHORTEST and text.lower() not in ("true", "false", "null", "none"):
        yield text


def _in_lines(key: str, text: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of several lines; one deeper than a key without a value, or an item of its list, is its value."""
    outer = [(-1, key)]
    for line in re.split(r"[\r\n]+", text):
        bare = line.strip()
        if not bare or re.fullmatch(MARKUP, bare):
            continue
        if bare[0] in "{[" and (found := _parsed(bare.rstrip(","))) is not None:
            yield from _in_tree(key, found, sensitive=sensitive, depth=depth)
            continue
        indent = len(line) - len(line.lstrip())
        while len(outer) > 1 and (outer[-1][0] > indent or (outer[-1][0] == indent and bare[0] not in "-]}")):
            outer.pop()
        if opened := re.fullmatch(OPENED, bare):
            outer.append((indent, opened["key"]))
        elif _has_value(bare):
            yield from _in_pairs(bare, sensitive=sensitive, depth=depth)
        else:
            yield from _in_item(outer[-1][1], bare, sensitive=sensitive, depth=depth)


def _has_value(line: str) -> bool:
    """Whether a line holds a key and its value."""
    return any(match["value"] for match in re.finditer(PAIR, line)) or any(
        re.search(form, line) for form in (ELEMENT, SPACED)
    )


def _in_item(key: str, line: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of a line without a key: an item of a list, a line of a block, or free text."""
    if match := re.fullmatch(PGPASS, line):
        yield from _worth(match["value"].replace("\\:", ":").replace("\\\\", "\\"))
        return
    item = line[2:].strip() if line.startswith("- ") else line
    for reading in dict.fromkeys(_readings(item)):
        yield from _in_text(key, reading, sensitive=sensitive, depth=depth)
    if sensitive and ":" in item and " " not in item and "://" not in item:
        yield from _in_text(key, item.rpartition(":")[2], sensitive=sensitive, depth=depth)
    if sensitive and " " in item:
        words = [word.strip("\"'`,;()[]{}<>") for word in item.split()]
        yield from (word for word in words if _looks_random(word))


def _looks_random(word: str) -> bool:
    """Whether a word of free text may be a credential: long, and of letters and digits."""
    mixed = any(letter.isdigit() for letter in word) and any(letter.isalpha() for letter in word)
    return len(word) >= SHORTEST_TOKEN and mixed and not is_harmless(word)


def _in_pairs(line: str, *, sensitive: bool, depth: int) -> Iterator[str]:
    """The secrets of the keys and values in a line, in whatever format."""
    for match in re.finditer(PAIR, line):
        key, value = match["key"], match["value"]
        for reading in dict.fromkeys(_readings(value)):
            yield from _in_text(key, reading, sensitive=sensitive, depth=depth + 1)
        if value and value[0] not in "'\"" and level(key) == SECRET:  # all of the line behind the key may be its value
            yield from (secret for text in _readings(line[match.start("value") :]) for secret in _whole(key, text))
    for form in (ELEMENT, SPACED):
        for match in re.finditer(form, line):
            yield from _in_text(match["key"], _without_entities(match["value"]), sensitive=sensitive, depth=depth + 1)


def _readings(text: str) -> Iterator[str]:
    """What a value may be: as it is written, without a comment behind it, without quotes, without escapes."""
    text = text.strip()
    bare = re.sub(COMMENT, "", text).rstrip(",").rstrip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        inner = bare[1:-1]
        yield inner
        yield inner.replace("''", "'") if bare[0] == "'" else _unescaped(inner)
    else:
        yield text
        yield bare
        yield bare.strip("\"'")
    if "&" in bare:
        yield _without_entities(bare.strip("\"'"))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    found = _parsed(f'"{text}"')
    return found if isinstance(found, str) else re.sub(r"\\(.)", r"\1", text)


def _without_entities(text: str) -> str:
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return text


def _unquoted(text: str) -> str:
    """Without percent-encoding (RFC 3986)."""
    data = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), text.encode("utf-8", "surrogateescape")
    )
    return data.decode("utf-8", "surrogateescape")
