"""Inputs: the texts of the corpus, changed by chance in their structure and in their bytes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fuzz.corpus import TOKENS

from handoff_kit.scheduling.expression import KINDS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from fuzz.corpus import Corpus

    from handoff_kit.project.yaml_reader import Data

PROJECT = "fuzzed"
MOST_BYTES = 20_000
SAMPLE_DATA = '{"start_at": "2026-01-01T00:00:00Z", "duration_days": 3, "base": "EUR", "list": [1, 2.50, null, "x"]}'
SAMPLE_CONFIG = (
    '{"user": "me", "password": "hunter2-and-more", "keys": [{"name": "token", "value": "abc123def456"}], "port": 5432}',
    '{"a": "\\ud800abcdef"}',
    "[default]\nuser = me\npassword = 'it''s a secret'\nurl = postgresql://me:p%40ss@db.example.com/x\n",
    "host:5432:db:user:pass\\:word\n",
    "id,password\n1,first-secret\n2,second-secret\n",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
    "tokens:\n  - abcdefgh1234\n  - !x {b: 'c'}\n",
)


class Mutator:
    """Changes of texts and of data, drawn by one generator."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self.corpus, self.rng = corpus, rng

    def token(self) -> str:
        source = self.rng.choice((TOKENS, TOKENS, self.corpus.words, self.corpus.keys))
        return self.rng.choice(source)

    def text(self, text: str, other: str = "") -> bytes:
        """A text with one to six pieces removed, repeated, replaced, inserted, or changed in a byte."""
        data = text.encode("utf-8", "surrogatepass")
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3, 6))):
            start = self.rng.randrange(len(data) + 1)
            end = min(len(data), start + self.rng.choice((0, 1, 1, 4, 20, 200)))
            piece = data[start:end]
            match self.rng.randrange(7):
                case 0:
                    piece = b""
                case 1:
                    piece *= self.rng.choice((2, 3, 50, 2000)) if len(piece) < 10 else 2
                case 2:
                    piece = bytes([self.rng.randrange(256)])
                case 3 if other:
                    at = self.rng.randrange(len(other))
                    piece = other[at : at + self.rng.choice((5, 50, 500))].encode("utf-8", "surrogatepass")
                case 4:
                    data, piece = data[:start], b""
                    end = start
                case _:
                    piece = self.token().encode("utf-8", "surrogatepass")
            data = (data[:start] + piece + data[end:])[:MOST_BYTES]
        return data

    def tree(self, tree: dict[str, Data]) -> dict[str, Data]:
        """Data with one to five parts removed, replaced, moved or added."""
        root: dict[str, Data] = json.loads(json.dumps(tree))
        for _ in range(self.rng.choice((0, 0, 1, 1, 1, 2, 5))):
            parent = self._container(root)
            if isinstance(parent, dict):
                key = self.rng.choice([*parent, *parent, self.rng.choice(self.corpus.keys), self.token()])
                if self.rng.random() < 0.2 and key in parent:
                    del parent[key]
                else:
                    parent[key] = self._other(key) if self.rng.random() < 0.5 else self._value(parent.get(key))
            else:
                at = self.rng.randrange(len(parent) + 1)
                parent[at : at + self.rng.randrange(2)] = [
                    self._value(parent[at] if at < len(parent) else None)
                ] * self.rng.choice((0, 1, 1, 2, 30))
        return root

    def _container(self, root: dict[str, Data]) -> dict[str, Data] | list[Data]:
        found: dict[str, Data] | list[Data] = root
        while self.rng.random() < 0.75:
            items = found.values() if isinstance(found, dict) else found
            inner = [item for item in items if isinstance(item, (dict, list))]
            if not inner:
                break
            found = self.rng.choice(inner)
        return found

    def _other(self, key: str) -> Data:
        """What another project file has at this key."""
        found: Data = json.loads(json.dumps(self.rng.choice(self.corpus.values.get(key) or [self.token()])))
        return found

    def _value(self, value: Data) -> Data:
        match self.rng.randrange(8):
            case 0:
                return None
            case 1:
                return [value]
            case 2:
                return {self.token(): value}
            case 3:
                donor: Data = json.loads(json.dumps(self._container(self.rng.choice(self.corpus.trees))))
                return donor
            case 4 if isinstance(value, str):
                return self.text(value).decode("utf-8", "surrogateescape")
            case _:
                return self.token()

    def yaml(self, data: Data) -> str:
        """Data as YAML, each text plain or quoted by chance, each container in blocks or in brackets by chance."""
        return "".join(f"{line}\n" for line in self._lines(data))

    def _lines(self, data: Data) -> list[str]:
        if not isinstance(data, (dict, list)) or not data or self.rng.random() < 0.1:
            return [self._flow(data)]
        lines = []
        pairs = data.items() if isinstance(data, dict) else (("", item) for item in data)
        for key, value in pairs:
            head = f"{self._flow(key)}:" if isinstance(data, dict) else "-"
            inner = self._lines(value)
            if isinstance(value, (dict, list)) and value and len(inner) > 0 and inner[0][:1] not in "[{":
                lines += [head, *(f"  {line}" for line in inner)]
            else:
                lines += [f"{head} {inner[0]}", *(f"  {line}" for line in inner[1:])]
        return lines

    def _flow(self, data: Data) -> str:
        if isinstance(data, dict):
            return "{" + ", ".join(f"{self._flow(key)}: {self._flow(value)}" for key, value in data.items()) + "}"
        if isinstance(data, list):
            return "[" + ", ".join(map(self._flow, data)) + "]"
        if data is None:
            return self.rng.choice(("", "~", "null"))
        if self.rng.random() < (0.6 if re.fullmatch(r"[\w./][\w ./@<>=+-]*", data) else 0.02) and "\n" not in data:
            return data
        return json.dumps(data, ensure_ascii=self.rng.random() < 0.5)


def make_project(mutator: Mutator) -> dict[str, bytes]:
    rng, corpus = mutator.rng, mutator.corpus
    if rng.random() < 0.6:
        tree = rng.choice(corpus.trees)
        if rng.random() < 0.7:  # most mutations of a file with problems end early
            tree = {**rng.choice(corpus.valid), **rng.choice(corpus.valid)}
        text = mutator.yaml(mutator.tree(tree))
        parts = {"project.yml": mutator.text(text) if rng.random() < 0.1 else text.encode("utf-8", "surrogatepass")}
    else:
        parts = {"project.yml": mutator.text(rng.choice(corpus.projects), rng.choice(corpus.projects))}
    if rng.random() < 0.1:
        parts |= make_config(mutator)
    return parts


def make_config(mutator: Mutator) -> dict[str, bytes]:
    rng = mutator.rng
    names = (
        "x.json",
        "credentials",
        ".env",
        "deep/er/tap.yaml",
        "password",
        "a.csv",
        "tokens.toml",
        ".pgpass",
        "ü.ini",
    )
    return {
        f".local/{name}": mutator.text(rng.choice(SAMPLE_CONFIG)) for name in rng.sample(names, rng.choice((1, 1, 2)))
    }


def make_functions(mutator: Mutator) -> dict[str, bytes]:
    return {
        "impl.py": mutator.text(
            mutator.rng.choice(mutator.corpus.functions), mutator.rng.choice(mutator.corpus.functions)
        )
    }


def make_expression(mutator: Mutator) -> dict[str, bytes]:
    """A time and its zone; most keep their form, since a mutated one is refused early."""
    rng = mutator.rng
    kind = rng.choice(KINDS)
    values = [str(rng.choice((0, 1, 2, 5, 15, 28, 29, 30, 31, 59, 60, 99, 366, 1970, 2024, 2199))) for _ in range(12)]
    item = (
        "{}",
        "{}-{}",
        "*/{}",
        "{}/{}",
        "*",
        "{},{}",
        "?",
        "{}L",
        "{}W",
        "{}#{}",
        "L",
        "MON-FRI",
        "SUN,{}",
        "JAN-{}/2",
    )
    text = " ".join(rng.choice(item).format(*rng.sample(values, 2)) for _ in range(rng.choice((5, 5, 6, 6, 4, 7))))
    if kind == "rate":
        text = f"{rng.choice((*values, '9' * 400, '1.5', '0', '9' * 5000, '.'))} {rng.choice(('minutes', 'hour', 'd', 'weeks', 'months', '', 'x'))}"
    elif kind == "at":
        text = f"{rng.choice(('9999', '0001', '2027', '0000'))}-{rng.choice(('01', '12', '03'))}-{rng.choice(('01', '31', '28'))}"
        text += (
            rng.choice(("T", " ", "t"))
            + rng.choice(("00:00:00", "23:59:59", "02:30", "2"))
            + rng.choice(("", "", "Z", "-23:59", "+14:00", ".5"))
        )
    elif rng.random() < 0.3:
        text = rng.choice(
            ("0 2 * * 1-5", "@daily", "0 9 ? * MON#2 2027-2199", "*/15 8-18 L * ?", "0 0 29 2 *", "every 5 minutes")
        )
    zone = rng.choice(
        ("UTC", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "Africa/Monrovia")
    )
    mutated = {kind: text.encode() if rng.random() < 0.6 else mutator.text(text), "timezone": zone.encode()}
    return mutated if rng.random() < 0.9 else {**mutated, "timezone": mutator.text(zone)}


def make_data(mutator: Mutator) -> dict[str, bytes]:
    names = (
        "start_at",
        "end_at",
        "scheduled_at",
        "start_offset_days",
        "duration_days",
        "run_id",
        "base",
        "env",
        "token",
    )
    if mutator.rng.random() < 0.3:
        return {"data": mutator.text(SAMPLE_DATA)}
    pairs = {
        mutator.rng.choice(names): mutator.rng.choice(
            (mutator.token(), 1, -5000000, 10**300, 1.5, True, None, [1], {"a": "\ud800"})
        )
        for _ in range(3)
    }
    return {"data": json.dumps(pairs).encode() if mutator.rng.random() < 0.8 else mutator.text(json.dumps(pairs))}


def make_params(mutator: Mutator) -> dict[str, bytes]:
    """A params document with a part of any other type."""
    stages = [
        {"name": "a", "argv": ["echo", "{{ today }}"]},
        {"name": "b", "shell": "cat | wc", "envs": {"X": "{{ base }}"}, "venv": "venv/x"},
    ]
    pipeline = {
        "format": 1,
        "project": PROJECT,
        "environment": "dev",
        "vars": {"base": "EUR"},
        "envs": {"TZ": "UTC"},
        "stages": stages,
    }
    document: dict[str, Any] = {
        "format": 1,
        "pipeline": {**pipeline, "state": "all", "meter": "rows"},
        "files": [{"name": "x.json", "value": mutator.rng.choice(SAMPLE_CONFIG)}],
    }
    if mutator.rng.random() < 0.7:
        document = mutator.tree(document)
        # texts become numbers and so on, as JSON has them
        for parent in list(_containers(document)):
            for key in list(parent) if isinstance(parent, dict) else range(len(parent)):
                if mutator.rng.random() < 0.03:
                    parent[key] = mutator.rng.choice(
                        (1, -1, 1.5, 10**400, True, None, [], {}, "\ud800", "\0", "", [[]], 2)
                    )
    text = json.dumps(document, ensure_ascii=mutator.rng.random() < 0.8)
    return {"params": mutator.text(text) if mutator.rng.random() < 0.5 else text.encode("utf-8", "surrogatepass")}


def _containers(data: Any) -> Iterator[Any]:
    if isinstance(data, (dict, list)):
        yield data
        for item in data.values() if isinstance(data, dict) else data:
            yield from _containers(item)
