"""Hints that lead somewhere: what they say to write is accepted, and none repeats a credential."""

from __future__ import annotations

import pytest
from doubles.project_text import problems_of_file

STAGE = "commands: [{command: a}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"env: {{}}\n{STAGE}", "`env` is not a known key | did you mean `envs`?", id="env"),
        pytest.param(
            "commands:\n- command: a\n  env: {A: b}",
            "`env` is not a known key of stage 1 | did you mean `envs`?",
            id="env of a stage",
        ),
        pytest.param(
            f"environment: {{}}\n{STAGE}", "`environment` is not a known key | did you mean `envs`?", id="environment"
        ),
        pytest.param(
            f"variables: {{}}\n{STAGE}", "`variables` is not a known key | did you mean `vars`?", id="variables"
        ),
        pytest.param("stages: []", "`stages` is not a known key | did you mean `commands`?", id="stages"),
        pytest.param(
            "commands:\n- {command: a, arguments: b}",
            "`arguments` is not a known key of stage 1 | did you mean `args`?",
            id="arguments",
        ),
        pytest.param(
            "commands:\n- {run: a}", "`run` is not a known key of stage 1 | did you mean `shell`?", id="a line to run"
        ),
        pytest.param(
            f"vars: {{a: [1, 2]}}\n{STAGE}",
            '`a` is a list, expected a text | write it as one text: a: "1, 2"',
            id="a list in vars",
        ),
        pytest.param(
            f"vars: {{a: [{{b: 1}}]}}\n{STAGE}",
            """`a` is a list, expected a text | write it as one text: a: '[{"b": "1"}]'""",
            id="mappings in vars",
        ),
        pytest.param(
            f"envs: {{A: {{b: c}}}}\n{STAGE}",
            """`A` is a mapping, expected a text | write it as one text: A: '{"b": "c"}'""",
            id="a mapping in envs",
        ),
    ],
)
def test_a_key_or_value_that_others_have(text: str, expected: str) -> None:
    assert problems_of_file(text)[0].partition(": ")[2] == expected


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        pytest.param("cat", "command: cat", id="a program"),
        pytest.param("cat data.txt", '{command: cat, args: "data.txt"}', id="a program with args"),
        pytest.param("""echo "a b" c""", """{command: echo, args: '"a b" c'}""", id="quoted words"),
        pytest.param("cat a | wc -l", '{shell: "cat a | wc -l"}', id="a pipe"),
        pytest.param(
            f"tap --config {'x' * 60} --catalog y",
            f'{{command: tap, args: "--config {"x" * 60} --catalog y"}}',
            id="a long line",
        ),
    ],
)
def test_a_command_given_as_a_text(line: str, stage: str) -> None:
    written = {f"commands:\n- {line}": f"- {stage}", f"commands: {line}": f"commands: [{stage}]"}
    for text, expected in written.items():
        assert [found.rpartition(" | write it like this: ")[2] for found in problems_of_file(text)] == [expected]
        assert problems_of_file(expected if expected.startswith("c") else f"commands:\n{expected}") == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("git+https://example.com/a/tap-x", "tap-x @ git+https://example.com/a/tap-x"),
        ("git+https://me:hunter2@example.com/a/tap-x.git@v1", "tap-x @ git+https://example.com/a/tap-x.git@v1"),
        ("git+https://hunter2@example.com/tap-x.git@b/c", "tap-x @ git+https://example.com/tap-x.git@b/c"),
        ("git+ssh://git@example.com/a/tap-x.git#egg=my-tap", "my-tap @ git+ssh://git@example.com/a/tap-x.git"),
        ("git+ssh://me:hunter2@example.com/a/tap-x.git", "tap-x @ git+ssh://me@example.com/a/tap-x.git"),
        ("https://example.com/tap-x.zip?raw=true", "tap-x @ https://example.com/tap-x.zip?raw=true"),
        ("git@example.com:a/tap-x.git", "tap-x @ git+ssh://git@example.com/a/tap-x.git"),
        ("example.com/a/tap-x", "tap-x @ git+https://example.com/a/tap-x"),
        (
            "git+https://example.com/all#egg=b&subdirectory=taps/b",
            "b @ git+https://example.com/all#subdirectory=taps/b",
        ),
        (
            "https://example.com/tap_x-1.0-py3-none-any.whl?token=hunter2",
            "tap_x @ https://example.com/tap_x-1.0-py3-none-any.whl",
        ),
        ("https://example.com/tap-x-1.0.tar.gz", "tap-x @ https://example.com/tap-x-1.0.tar.gz"),
        ("tap_x-1.0-py3-none-any.whl", "tap_x @ ./tap_x-1.0-py3-none-any.whl"),
        ("./plugins/tap-x/", "tap-x @ ./plugins/tap-x/"),
        ("plugins/tap-x", "tap-x @ ./plugins/tap-x"),
        ("../tap-x", "tap-x @ ../tap-x"),
        ("/opt/tap-x", "tap-x @ /opt/tap-x"),
        ("file:///opt/tap-x", "tap-x @ file:///opt/tap-x"),
        ("-e ./tap-x", "tap-x @ ./tap-x"),
        (
            f"plugins/{'x' * 100_000}",
            f"{'x' * 100_000} @ ./plugins/{'x' * 100_000}",
        ),  # minutes, if each letter began a search
        (".", "NAME @ ."),
    ],
)
def test_an_address_without_a_name(written: str, meant: str) -> None:
    found = problems_of_file(f"venvs: {{tap: ['{written}']}}\n{STAGE}")
    assert [line.partition(" names no package, expected NAME @ and its address | ")[2] for line in found] == [
        f"write it like this: {meant}"
    ]
    assert "hunter2" not in found[0]
    assert problems_of_file(f"venvs: {{tap: ['{meant}']}}\n{STAGE}") == []
    stage = "commands:\n- command: a\n  venv: ./venv/a\n  installs:\n  - "
    if " " not in written:
        line = f"pip install '{meant}'"
        assert [text.partition(" | ")[2] for text in problems_of_file(f"{stage}pip install {written}")] == [
            f"write it like this: {line}"
        ]
        assert problems_of_file(f"{stage}{line}") == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            "a @ git+https://me:hunter2@example.com/a",
            "found a credential in the address git+https://***@example.com/a, expected none",
        ),
        (
            "a @ git+https://hunter2@example.com/a",
            "found a credential in the address git+https://***@example.com/a, expected none",
        ),
        (
            "a @ https://example.com/a.zip?token=hunter2",
            "found a credential in the address https://example.com/a.zip?***, expected none",
        ),
        (
            "--index-url https://hunter2@example.com/s",
            "found the pip option --index-url https://***@example.com/s, expected a",
        ),
        (
            "a b https://example.com/?token=hunter2",
            "`a b https://example.com/?***` is not a requirement, expected a package",
        ),
    ],
)
def test_a_credential_is_refused_and_not_repeated(written: str, shown: str) -> None:
    (found,) = problems_of_file(f"venvs: {{tap: ['{written}']}}\n{STAGE}")
    assert found.partition(": ")[2].startswith(shown)
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "requirement",
    [
        "a @ git+ssh://me@example.com/tap-token@v1",
        "a @ https://example.com:8080/a.zip?raw=true&ref=password-rules",
        "a @ git+https://${TOKEN}@example.com/a",
        "password-rules==1.2.3",
        "tap-token[s3]>=1; python_version < '4'",
    ],
)
def test_what_is_no_credential_is_accepted(requirement: str) -> None:
    assert problems_of_file(f'venvs: {{tap: ["{requirement}"]}}\n{STAGE}') == []


def test_a_venv_by_its_name_alone_is_that_of_its_installs() -> None:
    stages = ["{command: a, venv: proc_01, installs: [pip install x]}", "{command: b, venv: proc_01}"]
    assert problems_of_file(f"commands: [{', '.join(stages)}]") == []
    assert problems_of_file("commands: [{command: a, venv: 'a b', installs: [pip install x]}]") == [
        "1:31: the venv `a b` is not declared, expected a name from venvs or a path | "
        "declare it at the left margin: venvs: {tap: [PACKAGE]}; or name your own: ./venv/tap"
    ]
