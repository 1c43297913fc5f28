"""What is hidden of a secret, and what stays readable."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from handoff_runtime.mask import Mask, mask
from handoff_runtime.store import ConfigFile


def of(text: str, public: tuple[str, ...] = ()) -> Mask:
    return mask([ConfigFile("config", text)], [], public)


@pytest.mark.parametrize(
    ("config", "log", "expected"),
    [
        pytest.param('{"password": "hunter22"}', "pw=hunter22.", "pw=***.", id="JSON text"),
        pytest.param('{"a": [{"b": "deep-one"}]}', "deep-one", "***", id="nested"),
        pytest.param('{"pin": 123456}', "123456", "***", id="a long number"),
        pytest.param('{"port": 5432, "ok": true, "x": "true"}', "5432 true", "5432 true", id="short and common"),
        pytest.param('{"a": "abc"}', "abc", "abc", id="too short"),
        pytest.param("API=tok_12345\n", "use tok_12345", "use ***", id="KEY=value"),
        pytest.param('key: "s3cret x"\n', "s3cret x", "***", id="key: value, in quotes"),
        pytest.param("export A='x y z w'\n", "x y z w", "***", id="export"),
        pytest.param("-----BEGIN KEY-----\nMIIabc\nDEFghi\n", "a DEFghi\nMIIabc", "a ***\n***", id="lines of a key"),
        pytest.param('{"k": "-----BEGIN\\nMIIabc\\n"}', "MIIabc", "***", id="lines of a text in JSON"),
        pytest.param('{"a": "longer-secret", "b": "secret"}', "longer-secret secret", "*** ***", id="longest first"),
        pytest.param("just text here", "just text here", "***", id="a plain line"),
    ],
)
def test_text(config: str, log: str, expected: str) -> None:
    hidden = of(config)
    assert (hidden.text(log), hidden.bytes(log.encode())) == (expected, expected.encode())


@pytest.mark.parametrize("secret", ['pa"ss\\word', "pÄss wörd/ü&<>", "a b+c%d/e", "tab\tbed"])
def test_forms(secret: str) -> None:
    hidden = of(json.dumps({"password": secret}))
    forms = [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
    ]
    assert [hidden.text(form) for form in forms] == ["***"] * len(forms)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("DB_PASSWORD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("GITHUB_TOKEN", True),
        ("apikey", True),
        ("HOME", False),
        ("TZ", False),
    ],
)
def test_environment(name: str, hidden: bool) -> None:  # noqa: FBT001  # a table's column
    shown = mask([], [(name, "some-value")]).text("some-value")
    assert shown == ("***" if hidden else "some-value")


def test_names_of_ours_stay_readable() -> None:
    hidden = of('{"stream": "elements", "path": ".artifacts/out", "token": "elements-key"}', ("elements",))
    assert hidden.text("elements .artifacts/out elements-key") == "elements .artifacts/out ***"


def test_values_of_a_record() -> None:
    value = {"secret-a": ["secret-a", 1, None, True], "n": 987654}
    assert of('{"a": "secret-a", "n": 987654}').value(value) == {"***": ["***", 1, None, True], "n": "***"}
