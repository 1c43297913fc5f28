"""The Dockerfile of a project: whole ones held against goldens and hadolint, and every way a template can be wrong.

UPDATE_GOLDENS=1 writes the goldens anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.errors import RenderError
from handoff_kit.image import dockerfile
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project

if TYPE_CHECKING:
    from handoff_kit.project.model import Project

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden/dockerfile"
TEMPLATE = ROOT / "Dockerfile.j2"
HADOLINT = Path(sys.executable).with_name("hadolint")
GOLDENS = ("word-count", "elements", "everything")
INSTRUCTIONS = {"ARG", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
STEPS = (
    r"""printf '%s\n' "it's $HOME" > /etc/quoted""",
    "set -u\nln -s /usr/bin/mawk /usr/local/bin/awk\n# a comment\ncat <<EOF\n${PATH}\nEOF\n",
    "echo 'Grüße, 東京 \u2028' C:\\dir\\ `date` $(date)",
    r'printf "\$HOME\t%s" # [not a list]',
)
# read rightly by every builder, but not by hadolint, whose strings do not end behind an escaped backslash
ODD_STEPS = ("echo \\", 'printf "\\\\"', "\x7f\x0c\x0b\x85 ; true", '["a", "b"]', "\n\n", '"""\'')
EVERYTHING = """
venvs:
  tap: [tap-jsonl, "b>=2"]
  git: ["tap-git @ git+https://example.com/tap-git@v1"]
  local: ["my-tap @ ./my-tap", "other @ file:parts/other"]
commands:
  - {command: tap-jsonl, venv: tap}
  - {command: proc, venv: ./venv/proc_01, installs: [pip install six]}
image:
  base: registry.example.com:5000/team/python:3.12-slim
  packages: [jq, libpq5:arm64, postgresql-client=15+248]
  build_packages: [gcc, g++, git]
  platform: linux/arm64
  store: none
  exclude: [notebooks]
"""
SERVICED = """
commands: [{command: "true"}]
image: {services: [dynamodb, s3]}
"""


def made(root: Path, text: str, template: str | None = None, own: str | None = None) -> ProjectPaths:
    """A checkout with one project; its template is ours unless another is given."""
    paths = ProjectPaths("shop", root)
    paths.directory.mkdir(parents=True)
    paths.file.write_text(text, encoding="utf-8")
    (root / "Dockerfile.j2").write_text(TEMPLATE.read_text() if template is None else template, encoding="utf-8")
    if own is not None:
        (paths.directory / "Dockerfile.j2").write_text(own, encoding="utf-8")
    return paths


def rendered(paths: ProjectPaths, **image: Any) -> str:
    return dockerfile.render_dockerfile(paths, project_of(paths, **image))


def project_of(paths: ProjectPaths, **image: Any) -> Project:
    loaded = load_project(paths.file, paths.display_path)
    return loaded.model_copy(update={"image": loaded.image.model_copy(update=image)})


@pytest.fixture
def everything(tmp_path: Path) -> str:
    return rendered(made(tmp_path, EVERYTHING), steps=STEPS)


@pytest.fixture(params=GOLDENS)
def golden(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A name, and what is rendered of it."""
    name: str = request.param
    if name == "everything":
        return name, request.getfixturevalue(name)
    return name, rendered(ProjectPaths(name, ROOT))


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction and its arguments; what is rendered has each on a line of its own."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    return [(first, rest) for first, _, rest in (line.partition(" ") for line in lines)]


def argvs(text: str, instruction: str) -> list[list[str]]:
    """The words of each exec form of an instruction."""
    found = [re.sub(r"^--\S+ ", "", rest) for first, rest in instructions(text) if first == instruction]
    return [json.loads(rest) for rest in found if rest.startswith("[")]


# what is rendered


def test_what_is_rendered(golden: tuple[str, str]) -> None:
    name, text = golden
    unversioned = re.sub(r'handoff\.version="[^"]+"', 'handoff.version="VERSION"', text)
    path = GOLDEN / f"{name}.Dockerfile"
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unversioned, encoding="utf-8")
    assert unversioned == path.read_text(encoding="utf-8")


def test_hadolint_finds_nothing(golden: tuple[str, str], tmp_path: Path) -> None:
    argv = (HADOLINT, "--no-color", "--failure-threshold", "style", "-")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    found = subprocess.run(argv, input=golden[1].encode(), capture_output=True, cwd=tmp_path, env=bare, check=False)
    assert (found.stdout.decode(), found.stderr.decode(), found.returncode) == ("", "", 0)


def test_hadolint_is_told_of_two_rules_alone_and_the_template_says_why() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert re.findall(r"hadolint .*ignore=(.*)", text) == ["DL3008,DL3059"]
    before = text.partition("# hadolint global")[0]
    assert set(re.findall(r"DL\d+", before)) == {"DL3008", "DL3059"}


def test_only_known_instructions_in_any_builder_s_grammar(golden: tuple[str, str]) -> None:
    """No heredoc, no `# syntax` line, no flag of RUN, no continued line: the old builder and podman read it too."""
    _, text = golden
    assert {first for first, _ in instructions(text)} <= INSTRUCTIONS
    assert instructions(text)[0][0] == "FROM"
    assert not re.search(r"^# *(syntax|escape|check) *=", text, re.MULTILINE)
    assert not re.search(r"^RUN (?!\[)", text, re.MULTILINE)
    assert not re.search(r"[\\ \t]$", text, re.MULTILINE)
    assert text.endswith("]\n")
    assert "\n\n\n" not in text


def test_every_stage_that_is_copied_from_is_there(golden: tuple[str, str]) -> None:
    stages = [rest.split(" AS ")[1] for first, rest in instructions(golden[1]) if first == "FROM" and " AS " in rest]
    copied = re.findall(r"--from=(\S+)", golden[1])
    assert sorted(stages) == sorted({"builder", *copied})


def test_exec_forms_are_the_exact_words(everything: str) -> None:
    install = ["/builder/uv/bin/uv", "pip", "install", "--compile-bytecode", "--python"]
    make = ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python"]
    apt_get = ["sh", "-c", dockerfile._APT_GET, "apt-get"]  # noqa: SLF001  # the shell's line, whose words follow
    runs = argvs(everything, "RUN")
    assert [argv for argv in runs if argv[0] == "sh"] == [
        [*apt_get, "gcc", "g++", "git"],
        [*apt_get, "jq", "libpq5:arm64", "postgresql-client=15+248"],
        *(["sh", "-e", "-c", step] for step in STEPS),
    ]
    assert [argv for argv in runs if "venv/" in " ".join(argv)] == [
        [*make, "venv/tap"],
        [*install, "venv/tap", "--require-hashes", "-r", "/builder/tap.txt"],
        [*make, "venv/git"],
        [*install, "venv/git", "-r", "/builder/git.txt"],
        [*make, "venv/local"],
        [*install, "venv/local", "-r", "/builder/local.txt"],
        [*make, "venv/proc_01"],
        [*install, "venv/proc_01", "--require-hashes", "-r", "/builder/proc_01.txt"],
    ]


def test_what_is_copied(everything: str) -> None:
    assert argvs(everything, "COPY") == [
        ["locks/tap.txt", "/builder/tap.txt"],
        ["locks/git.txt", "/builder/git.txt"],
        ["locks/local.txt", "/builder/local.txt"],
        ["project/my-tap", "/app/my-tap"],
        ["project/parts/other", "/app/parts/other"],
        ["locks/proc_01.txt", "/builder/proc_01.txt"],
        *([f"/app/venv/{name}"] * 2 for name in ("tap", "git", "local", "proc_01")),
    ]


@pytest.mark.parametrize("step", [*STEPS, *ODD_STEPS])
def test_a_step_is_what_the_shell_gets(tmp_path: Path, step: str) -> None:
    """What is rendered, read as Docker reads it, is the author's line to the byte."""
    text = rendered(made(tmp_path, SERVICED), steps=(step,))
    [argv] = [argv for argv in argvs(text, "RUN") if argv[0] == "sh"]
    assert argv == ["sh", "-e", "-c", step]


def test_packages_reach_apt_get_as_words(tmp_path: Path) -> None:
    """Whatever a package is called: the shell takes it as a word, never as its own."""
    names = ["a;b", "$(c)", "d e", "-f"]
    text = rendered(made(tmp_path, SERVICED), packages=tuple(names))
    [argv] = [argv for argv in argvs(text, "RUN") if argv[0] == "sh"]
    fake = tmp_path / "bin/apt-get"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{fake.parent}:{os.environ['PATH']}"}
    script = argv[2].partition(" && rm ")[0]
    done = subprocess.run(["sh", "-c", script, *argv[3:]], env=environment, capture_output=True, text=True, check=True)
    message = "<update><install><--yes><--no-install-recommends>"
    assert done.stdout == message + "".join(f"<{name}>" for name in names)


def test_services_are_those_of_the_runtime_and_the_project_s_each_once(tmp_path: Path) -> None:
    kept = [argv for argv in argvs(rendered(made(tmp_path, SERVICED)), "RUN") if "keep" in argv]
    services = ["dynamodb", "s3", "secretsmanager", "signin", "ssm", "sso", "sso-oidc", "sts"]
    assert kept == [["/opt/handoff/bin/python", "/builder/fill.py", "keep", *services]]


def test_without_a_store_no_boto3(everything: str) -> None:
    assert not [argv for argv in argvs(everything, "RUN") if "keep" in argv or "/builder/boto3.txt" in argv]


def test_the_project_file_changes_nothing_but_what_it_says_of_the_image(tmp_path: Path) -> None:
    first = rendered(made(tmp_path / "a", "commands: [{command: a}]\n"))
    second = rendered(made(tmp_path / "b", "description: x\nvars: {a: b}\ncommands: [{shell: b}]\nmeter: 'off'\n"))
    assert first == second


def test_the_address_of_an_index_is_named_never_written(everything: str) -> None:
    found = [word for first, rest in instructions(everything) if first == "ARG" for word in rest.split()]
    assert found == [
        *(f'{name}="{default}"' for name, default in dockerfile.INDEX_SETTINGS.items()),
        "REVISION",
        "CONTEXT",
        "BASE",
    ]
    stages = everything.split("\nFROM ")
    assert [stage for stage in stages[2:] if "_INDEX" in stage] == []


# a project's own template

EXTENDS = '{% extends "Dockerfile.j2" %}\n'


def test_a_template_that_only_extends_ours_renders_the_same(tmp_path: Path) -> None:
    plain = rendered(made(tmp_path / "a", EVERYTHING), steps=STEPS)
    assert rendered(made(tmp_path / "b", EVERYTHING, own=EXTENDS), steps=STEPS) == plain


@pytest.mark.parametrize(
    ("block", "before"),
    [
        pytest.param("builder", "# The runtime in an environment of its own", id="builder"),
        pytest.param("runtime", "FROM builder AS venv-1", id="runtime"),
        pytest.param("venvs", "FROM registry.example.com:5000/team/python:3.12-slim\nRUN", id="venvs"),
        pytest.param("packages", 'RUN ["sh", "-e"', id="packages"),
        pytest.param("steps", "WORKDIR /app\nCOPY --chown", id="steps"),
        pytest.param("project", 'ENV PATH="/opt/', id="project"),
        pytest.param("last", 'ENV PATH="/opt/', id="last"),
    ],
)
def test_a_block_is_added_to(tmp_path: Path, block: str, before: str) -> None:
    """`super()` keeps ours; what is added stands on lines of its own, right behind it."""
    own = f'{EXTENDS}{{% block {block} %}}{{{{ super() }}}}\nRUN ["added", "{{{{ project }}}}"]\n{{% endblock %}}\n'
    plain = rendered(made(tmp_path / "a", EVERYTHING), steps=STEPS)
    text = rendered(made(tmp_path / "b", EVERYTHING, own=own), steps=STEPS)
    lines = text.split("\n")
    assert lines.count('RUN ["added", "shop"]') == 1
    without = [line for line in lines if line and line != 'RUN ["added", "shop"]']
    assert without == [line for line in plain.split("\n") if line]
    assert re.sub(r"\s+", " ", text.split('RUN ["added", "shop"]')[1]).strip().startswith(re.sub(r"\s+", " ", before))


@pytest.mark.parametrize("block", ["builder", "runtime", "venvs", "packages", "steps", "project", "last"])
def test_a_block_is_replaced(tmp_path: Path, block: str) -> None:
    """By what stands in it; nothing of ours is left of it."""
    own = f'{EXTENDS}{{% block {block} %}}RUN ["added"]\n{{% endblock %}}'
    plain = rendered(made(tmp_path / "a", EVERYTHING), steps=STEPS).split("\n")
    found = rendered(made(tmp_path / "b", EVERYTHING, own=own), steps=STEPS).split("\n")
    assert found.count('RUN ["added"]') == 1
    assert set(found) - set(plain) == {'RUN ["added"]'}
    assert {"builder": 6, "runtime": 5, "venvs": 18, "packages": 1, "steps": 4, "project": 1, "last": 0}[block] == len(
        [line for line in set(plain) - set(found) if not line.startswith("#")]
    )


def test_a_template_of_its_own_need_not_extend_ours(tmp_path: Path) -> None:
    own = 'FROM {{ image.base }}\nENTRYPOINT {{ ["a", image.base] | tojson }}\n\n'
    assert rendered(made(tmp_path, SERVICED, own=own)) == (
        'FROM python:3.11-slim\nENTRYPOINT ["a", "python:3.11-slim"]\n'
    )


def test_json_is_docker_s_not_html_s(tmp_path: Path) -> None:
    own = """RUN {{ ["<a & 'b'>", "ü"] | tojson }}"""
    assert rendered(made(tmp_path, SERVICED, own=own)) == """RUN ["<a & 'b'>", "ü"]\n"""


# templates that are wrong

HINT = "\nhint: docs/concepts/images.md lists the blocks and values"
OWN = "projects/shop/Dockerfile.j2"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param("FROM {{ bse }}\n", ":1: 'bse' is undefined", id="unknown value"),
        pytest.param("FROM a\n\nRUN {{ image.bse }}", ":3: *has no attribute 'bse'", id="unknown attribute"),
        pytest.param(
            EXTENDS + "{% block last %}\n{{ tag }}\n{% endblock %}", ":3: 'tag' is undefined", id="in a block"
        ),
        pytest.param(
            EXTENDS + "{% block nobody %}{{ super() }}{% endblock %}", None, id="a block of none, which is never filled"
        ),
        pytest.param("FROM a\n{% if %}", ":2: Expected an expression, got 'end of statement block'", id="syntax"),
        pytest.param("FROM a\n{% block x %}\nRUN b\n", ":*Unexpected end of template.*", id="no end of a block"),
        pytest.param("{{ 'a\n", ':1: unexpected char "\'" at 3', id="no end of a text"),
        pytest.param("\n\n{{ a | tojsn }}", ":3: No filter named 'tojsn'.", id="unknown filter"),
        pytest.param('{% extends "base.j2" %}', ":1: found no template base.j2", id="extends what is not there"),
        pytest.param('FROM a\n{% include "x.j2" %}', ":2: found no template x.j2", id="includes what is not there"),
        pytest.param("FROM a\n{{ [image] | tojson }}", ":2: Object of type Image is not JSON *", id="no JSON"),
        pytest.param("{{ 1 + 'a' }}", ":1: unsupported operand type*", id="TypeError"),
        pytest.param("\n{{ 1 // 0 }}", ":2: *by zero", id="division by zero"),
        pytest.param("\n{{ 'a' | int(1, 2, 3) }}", ":2: *positional arguments*", id="a filter misused"),
        pytest.param("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", ":1: maximum recursion*", id="without end"),
        pytest.param("\n{{ venvs[7].name }}", ":2: *list object has no element 7", id="no such element"),
        pytest.param("\n{{ apt_get() }}", ":2: *missing 1 required positional argument*", id="a call without words"),
    ],
)
def test_a_project_s_own_template_that_is_wrong(tmp_path: Path, own: str, expected: str | None) -> None:
    paths = made(tmp_path, SERVICED, own=own)
    if expected is None:
        assert rendered(paths)
    else:
        assert_told(paths, OWN + expected)


def test_our_template_that_is_wrong(tmp_path: Path) -> None:
    assert_told(made(tmp_path / "a", SERVICED, template="\nFROM {{ x }}"), "Dockerfile.j2:2: 'x' is undefined")
    assert_told(made(tmp_path / "b", SERVICED, template="\n\n{% if"), "Dockerfile.j2:3: unexpected *")


def test_our_template_is_blamed_for_its_own_also_where_a_project_extends_it(tmp_path: Path) -> None:
    ours = "FROM a\n{% block b %}\n{{ x }}{% endblock %}"
    assert_told(made(tmp_path / "a", SERVICED, ours, EXTENDS), "Dockerfile.j2:3: 'x' is undefined")
    assert_told(made(tmp_path / "b", SERVICED, "a\n{% if", EXTENDS), "Dockerfile.j2:2: unexpected *")


def test_no_template_at_all(tmp_path: Path) -> None:
    paths = made(tmp_path, SERVICED)
    (tmp_path / "Dockerfile.j2").unlink()
    assert_told(paths, "Dockerfile.j2: found no template Dockerfile.j2")


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    paths = made(tmp_path / "a", SERVICED)
    (paths.directory / "Dockerfile.j2").write_bytes(b"FROM \xff\n")
    assert_told(paths, OWN + ": found bytes that are not UTF-8, expected a template")
    ours = made(tmp_path / "b", SERVICED)
    (ours.root / "Dockerfile.j2").write_bytes(b"FROM \xff\n")
    assert_told(ours, "Dockerfile.j2: found bytes that are not UTF-8, expected a template")


def test_a_template_one_may_not_read() -> None:
    """Root may read everything: for this long we are not root, in a directory that everyone can look into."""
    root = Path(tempfile.mkdtemp(prefix="handoff-"))
    paths = made(root, SERVICED, own=EXTENDS)
    rendered(paths)
    before = os.geteuid()
    try:
        root.chmod(0o755)
        (paths.directory / "Dockerfile.j2").chmod(0)
        if before == 0:
            os.seteuid(65_534)
        assert_told(paths, OWN + ": Permission denied, expected a readable template")
    finally:
        os.seteuid(before)
        shutil.rmtree(root)


def assert_told(paths: ProjectPaths, expected: str) -> None:
    """One line (where `*` stands for anything), a hint, exit code 70, and nothing of what went on inside."""
    with pytest.raises(RenderError) as caught:
        rendered(paths)
    pattern = re.escape(f"error: {expected}{HINT}").replace(r"\*", ".*")
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)
    assert caught.value.exit_code == 70
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_hadolint_is_there() -> None:
    assert shutil.which(HADOLINT)
