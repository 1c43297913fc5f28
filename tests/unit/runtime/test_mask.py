"""Secrets: which texts are, and in which forms they are hidden."""

from __future__ import annotations

import json

import pytest

from handoff_runtime.masking import Mask, build_mask, mask_for_run
from handoff_runtime.params import ConfigFile, Params
from handoff_runtime.pipeline import Pipeline, Stage


def hiding(*texts: str, environ: dict[str, str] | None = None) -> Mask:
    files = [ConfigFile(f"{index}.json", text) for index, text in enumerate(texts)]
    return build_mask(files, (environ or {}).items())


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        pytest.param('{"a": "secret1", "b": [{"c": "secret2"}]}', {"secret1", "secret2"}, id="leaves of JSON"),
        pytest.param('"secret"', {"secret"}, id="a JSON text"),
        pytest.param('{"secret": "key"}', set(), id="keys are none"),
        pytest.param('{"a": "abc", "b": true, "c": null, "d": 12345, "e": "True"}', set(), id="too short to hide"),
        pytest.param('{"a": 123456, "b": -1.5e10}', {"123456", "-1.5e10", "-15000000000.0"}, id="long numbers"),
        pytest.param('{"a": 1234567.10}', {"1234567.10", "1234567.1"}, id="a number in the forms it is written in"),
        pytest.param('{"a": "line one\\n\\n  line two\\n}"}', {"line one", "line two"}, id="lines of a text"),
        pytest.param("KEY=value1\n", {"value1"}, id="assigned"),
        pytest.param("export KEY='value1'\n", {"value1"}, id="exported"),
        pytest.param("key: value1\r\n", {"value1"}, id="YAML"),
        pytest.param('  "key": "value1",\n', {"value1"}, id="broken JSON"),
        pytest.param("-----BEGIN KEY-----\nabcdef\n", {"abcdef"}, id="PEM"),
        pytest.param("", set(), id="empty"),
        pytest.param("[" * 5000, set(), id="too deep"),
    ],
)
def test_the_values_of_a_file_are_secret(text: str, secrets: set[str]) -> None:
    found = hiding(text)
    assert {form for form in found.forms if "%" not in form and "+" not in form and "\\" not in form} == secrets


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("github_token", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("MY_API_KEY", True),
        ("APIKEY", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("PATH", False),
        ("KEYBOARD", False),
        ("USER", False),
    ],
)
def test_an_environment_variable_is_secret_by_its_name(name: str, secret: bool) -> None:  # noqa: FBT001
    assert hiding(environ={name: "value-1"}).mask_text("<value-1>") == ("<***>" if secret else "<value-1>")


FORMS = [
    pytest.param("plain", "plain", id="as it is"),
    pytest.param('a"b\\c/d', '{"k": "a\\"b\\\\c/d"}', id="in JSON"),
    pytest.param("schlüssel", '"schl\\u00fcssel"', id="in ASCII JSON"),
    pytest.param("a<b>&c", '"a\\u003cb\\u003e\\u0026c"', id="in JSON of Go"),
    pytest.param("a/b+c d=", "a%2Fb%2Bc%20d%3D", id="in a URL"),
    pytest.param("a/b+c d=", "a/b%2Bc%20d%3D", id="in the path of a URL"),
    pytest.param("a/b+c d=", "a%2Fb%2Bc+d%3D", id="in a form"),
    pytest.param("a/b+c d=", "a%2fb%2bc%20d%3d", id="in small letters"),
    pytest.param("tab\tbed", '"tab\\tbed"', id="with a tab"),
    pytest.param('it\'s "so"\\', repr({"k": 'it\'s "so"\\'}), id="as Python shows it"),
]


@pytest.mark.parametrize(("secret", "expected"), FORMS)
def test_a_secret_is_hidden_in_every_form(secret: str, expected: str) -> None:
    hidden = hiding(json.dumps(secret))
    texts = hidden.mask_text(f"x{expected}y{expected}"), hidden.mask_lines(f"x{expected}y{expected}".encode()).decode()
    assert texts[0] == texts[1]
    assert "***" in texts[0]
    assert not any(part in texts[0] for part in ("plain", "a/b", "a%2", "\\c", "schl", "\\u003", "so"))


def test_letters_of_a_secret_are_not_changed_with_its_code() -> None:
    assert hiding('"Secret"').mask_text("secret Secret") == "secret ***"


def test_the_longest_is_hidden_first() -> None:
    assert hiding('["secret", "secret-and-more"]').mask_text("secret-and-more secret") == "*** ***"


def test_the_longest_form_is_known_in_bytes() -> None:
    assert (hiding('"éééé"').longest, hiding().longest) == (28, 0)


def test_values_are_hidden_in_texts_keys_and_numbers() -> None:
    hidden = hiding('{"a": "secret", "n": 1234567}')
    value = {"a secret": ["secret", ("x", None, True, 1234567, 12.5)], "n": 5}
    assert hidden.mask_value(value) == {"a ***": ["***", ["x", None, True, "***", 12.5]], "n": 5}


def test_names_of_a_run_stay_readable() -> None:
    stage = Stage("tap-x", ("tap-x",), "tap-x", None, {"MY_TOKEN": "token-1"})
    pipeline = Pipeline("sample", "production", {}, {"A_SECRET": "secret-1"}, "all", "rows", (stage,))
    words = ["sample", "production", "tap-x", ".artifacts/out", "./.env/config/a.json", "other"]
    params = Params(pipeline, (ConfigFile("a.json", json.dumps(words)),), {})
    hidden = mask_for_run(params, pipeline, {"MY_PASSWORD": "password-1"}, {"api_key": "data-1"})
    assert hidden.mask_text(" ".join([*words, "token-1", "secret-1", "password-1", "data-1"])) == (
        "sample production tap-x .artifacts/out ./.env/config/a.json *** *** *** *** ***"
    )
