"""Building an image: names, what is up to date, the steps of a build, and what is read out of a failed one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image import build
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.image.context import context_entries
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.steps import Entry, RunCommand, WriteContext, WriteFile
from handoff_kit.venvs import locks

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
PATHS = ProjectPaths("Word_Count", Path("/team"))
MADE = build.ImageSource(PATHS, "FROM a\n", (Entry("project", 0o755),), "linux/amd64")
CURRENT = {"Id": "sha256:1", "Config": {"Labels": {"handoff.context": MADE.digest}}}
HASH = "--hash=sha256:" + "0" * 64


def builder(kind: Any = "docker", there: dict[str, Any] | None = None, options: str = "") -> Builder:
    """One that knows these images, by name."""

    def ask(argv: Sequence[str]) -> Answer:
        if argv[1] == "build":
            return Answer(0, f"Usage:  docker build\n{options}", "")
        assert argv[:3] == (kind, "image", "inspect")
        found = (there or {}).get(argv[3])
        return Answer(0, json.dumps([found]), "") if found else Answer(1, "[]\n", f"Error: No such image: {argv[3]}\n")

    return Builder(kind, "linux/amd64", ask)


# names


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        pytest.param("elements", "handoff-elements", id="plain"),
        pytest.param("Word_Count", "handoff-word-count", id="capitals and underscore"),
        pytest.param("a__b--c", "handoff-a-b-c", id="doubled"),
        pytest.param("a_-", "handoff-a", id="at the end"),
        pytest.param("9", "handoff-9", id="a digit"),
        pytest.param("A" * 40, "handoff-" + "a" * 40, id="long"),
    ],
)
def test_a_project_s_repository(project: str, expected: str) -> None:
    assert build.repository_name(project) == expected
    assert build.check_tag(expected) == expected


def test_an_image_is_named_after_what_it_is_made_of() -> None:
    assert MADE.reference == f"handoff-word-count:{MADE.digest[:12]}"
    assert len({MADE.digest, replace(MADE, platform="linux/arm64").digest, replace(MADE, dockerfile="").digest}) == 3


@pytest.mark.parametrize(
    "tag",
    [
        "mine",
        "mine:1.2",
        "mine:Latest_1-x",
        "team/mine",
        "localhost/mine:1",
        "127.0.0.1:5000/a/b:1",
        "registry.example.com/team/mine__a.b-c",
        "m:" + "x" * 128,
    ],
)
def test_a_tag_that_is_one(tag: str) -> None:
    assert build.check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        "Mine",
        "mine:",
        ":1",
        "mine:1:2",
        "mine:-1",
        "mine:" + "x" * 129,
        "-mine",
        "mine-",
        "a b",
        "mine\n",
        "https://example.com/mine",
        "/mine",
        "mine/",
        "a//b",
        "a___b",
        "mine@sha256:" + "0" * 64,
        "--push",
    ],
)
def test_a_tag_that_is_none(tag: str) -> None:
    with pytest.raises(ProjectError) as caught:
        build.check_tag(tag)
    assert str(caught.value) == (
        f"error: --tag: found {tag!r}, expected a name as docker takes it: [HOST[:PORT]/]PATH[:TAG], in lower case\n"
        "hint: for example: --tag mine:1.2"
    )


# what is there


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({"Config": {"Labels": {"a": "b"}}}, "b", id="docker"),
        pytest.param({"Labels": {"a": "b"}, "Config": {}}, "b", id="podman of old"),
        pytest.param({"Config": {"Labels": None}}, "", id="no labels"),
        pytest.param({"Config": None, "Labels": None}, "", id="nothing at all"),
        pytest.param({"Config": {"Labels": {"c": "d"}}}, "", id="another label"),
    ],
)
def test_a_label(image: dict[str, Any], expected: str) -> None:
    assert build.label_of(image, "a") == expected


def test_an_image_is_current_by_what_it_is_made_of() -> None:
    assert build.is_image_current(CURRENT, MADE)
    assert not build.is_image_current(None, MADE)
    assert not build.is_image_current({"Config": {"Labels": {"handoff.context": ""}}}, MADE)
    assert not build.is_image_current(CURRENT, replace(MADE, platform="linux/arm64"))


def test_the_image_of_a_project_as_it_is_now() -> None:
    assert build.built_image(MADE, builder(there={MADE.reference: CURRENT})) == MADE.reference


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({}, id="none"),
        pytest.param({MADE.reference: {"Config": {"Labels": {}}}}, id="somebody else's of that name"),
    ],
)
def test_no_image_of_a_project(there: dict[str, Any]) -> None:
    with pytest.raises(ImageError) as caught:
        build.built_image(MADE, builder("podman", there))
    assert str(caught.value) == (
        f"error: image of Word_Count: no image of the current project files, expected {MADE.reference}\n"
        "hint: invoke build --project Word_Count"
    )


@pytest.mark.parametrize(
    ("base", "there", "expected"),
    [
        pytest.param(
            "a",
            {"Created": "2026-11-01T12:00:00.5Z", "RepoDigests": ["a@sha256:1"]},
            build.BaseImage("2026-11-01", is_in_registry=True),
            id="pulled",
        ),
        pytest.param(
            "a", {"Created": "1980-01-01T00:00:00Z"}, build.BaseImage("", is_in_registry=False), id="a constant date"
        ),
        pytest.param("a", None, None, id="not here"),
        pytest.param("b", {"Created": "2026-11-01T12:00:00Z"}, None, id="a Dockerfile on another one"),
        pytest.param("", {"Created": "2026-11-01T12:00:00Z"}, None, id="no part of its name"),
    ],
)
def test_the_base_of_an_image(base: str, there: dict[str, Any] | None, expected: build.BaseImage | None) -> None:
    assert build.base_image(MADE, base, builder(there={base: there} if there else {})) == expected


# the steps


def plan(there: dict[str, Any] | None = None, kind: Any = "docker", **asked: Any) -> tuple[Any, ...]:
    usual: dict[str, Any] = {"reference": MADE.reference, "platform": None, "revision": "", "settings": ()}
    return build.plan_build(MADE, builder(kind), there, **{**usual, "no_cache": False, **asked})


def test_what_is_there_is_not_built_again() -> None:
    assert plan(CURRENT) == ()


def test_a_build() -> None:
    assert plan() == (
        WriteFile(Path("/team/build/Word_Count/Dockerfile"), "FROM a\n"),
        WriteContext(Path("/team/build/Word_Count/context"), MADE.context),
        RunCommand(
            (
                *("docker", "build", "--force-rm", "--tag", MADE.reference),
                *("--build-arg", "REVISION=", "--build-arg", f"CONTEXT={MADE.digest}"),
                *("--file", "build/Word_Count/Dockerfile", "build/Word_Count/context"),
            ),
            Path("/team"),
            f"build image {MADE.reference}",
            build.FAILURES,
            Path("/team/build/Word_Count/build.log"),
        ),
    )


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        pytest.param(CURRENT, {"no_cache": True}, ["--no-cache"], id="anew although it is there"),
        pytest.param(None, {"platform": "linux/arm64"}, ["--platform", "linux/arm64"], id="platform"),
        pytest.param(None, {"reference": "mine:1"}, ["--tag", "mine:1"], id="tag"),
        pytest.param(None, {"revision": "abc+changed"}, ["--build-arg", "REVISION=abc+changed"], id="revision"),
        pytest.param({"Config": {}}, {}, ["build"], id="another image of that name"),
    ],
)
def test_a_build_as_asked(there: dict[str, Any] | None, asked: dict[str, Any], expected: list[str]) -> None:
    for kind in ("docker", "podman"):
        argv = plan(there, kind, **asked)[-1].argv
        assert argv[0] == kind
        assert " ".join(expected) in " ".join(argv)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        pytest.param("docker", "      --load   Shorthand for --output=type=docker\n", True, id="buildx"),
        pytest.param("docker", "", False, id="docker's own builder"),
        pytest.param("podman", "      --load\n", False, id="podman"),
    ],
)
def test_a_buildx_builder_hands_the_image_over(kind: Any, options: str, expected: bool) -> None:  # noqa: FBT001  # of the table
    made = build.plan_build(
        MADE,
        builder(kind, options=options),
        None,
        reference=MADE.reference,
        platform=None,
        revision="",
        settings=(),
        no_cache=False,
    )
    assert ("--load" in cast("RunCommand", made[-1]).argv) is expected


def test_settings_go_by_their_names_alone() -> None:
    """Where packages come from may hold a password: `ps` and the error's hint show the argv."""
    argv = plan(settings=("PIP_INDEX_URL", "UV_INDEX"))[-1].argv
    values = [argv[at + 1] for at, word in enumerate(argv) if word == "--build-arg"]
    assert values == ["REVISION=", f"CONTEXT={MADE.digest}", "PIP_INDEX_URL", "UV_INDEX"]


def test_rendering_writes_what_a_build_is_made_from() -> None:
    assert build.plan_render(MADE) == plan()[:2]


# what it is made from


def shop(root: Path, lock: str | None) -> ProjectPaths:
    paths = ProjectPaths("shop", root)
    paths.locks.mkdir(parents=True)
    paths.file.write_text("venvs: {tap: [a]}\ncommands: [{command: a, venv: tap}]\n")
    (root / "Dockerfile.j2").write_text("FROM {{ image.base }}")
    if lock is not None:
        paths.lock("tap").write_text(lock)
    return paths


def test_the_source_of_an_image(tmp_path: Path) -> None:
    paths = shop(tmp_path, locks.lock_text(("a",), f"a==1 {HASH}", "x"))
    project = load_project(paths.file, paths.display_path)
    made = build.image_source(paths, project, "linux/amd64")
    assert made == build.ImageSource(paths, "FROM python:3.11-slim\n", context_entries(paths, project), "linux/amd64")


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        pytest.param(
            None,
            "error: projects/shop/locks/tap.txt: not found, expected the lock of venv tap\n"
            "hint: invoke install --project shop",
            id="no lock",
        ),
        pytest.param(
            locks.lock_text(("a", "b"), f"a==1 {HASH}", "x"),
            "error: projects/shop/locks/tap.txt: resolved from other requirements than venv tap has now\n"
            "hint: invoke install --project shop",
            id="stale",
        ),
        pytest.param(
            locks.lock_text(("a",), "a==1", "x"),
            "error: projects/shop/locks/tap.txt:5: found no hash of a==1, expected --hash=sha256:...\n"
            "hint: create it again: rm projects/shop/locks/tap.txt && invoke install --project shop",
            id="edited",
        ),
    ],
)
def test_a_lock_that_would_stop_the_build_is_told_before(tmp_path: Path, lock: str | None, expected: str) -> None:
    paths = shop(tmp_path, lock)
    with pytest.raises(ProjectError) as caught:
        build.image_source(paths, load_project(paths.file, paths.display_path), "")
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("my-tap", None, id="it enters"),
        pytest.param("files/my-tap", "which stays out of an image", id="it is mounted"),
        pytest.param(".local/my-tap", "which stays out of an image", id="it is sensitive"),
        pytest.param("gone", "expected a path inside the project", id="it is not there"),
        pytest.param("../other", "expected a path inside the project", id="it lies elsewhere"),
    ],
)
def test_what_a_venv_installs_from_a_directory_must_enter(tmp_path: Path, path: str, expected: str | None) -> None:
    wanted = f"a @ ./{path}"
    paths = shop(tmp_path, locks.lock_text((wanted,), wanted, "x"))
    paths.file.write_text(f"venvs: {{tap: ['{wanted}']}}\ncommands: [{{command: a, venv: tap}}]\n")
    for name in ("my-tap", "files/my-tap", ".local/my-tap"):
        (paths.directory / name).mkdir(parents=True)
    project = load_project(paths.file, paths.display_path)
    if expected is None:
        assert build.image_source(paths, project, "").dockerfile
        return
    with pytest.raises(ProjectError) as caught:
        build.image_source(paths, project, "")
    assert caught.value.message == f"projects/shop/project.yml: venv tap installs {path}, {expected}"


@pytest.mark.parametrize("name", ["elements", "word-count"])
def test_the_samples_can_be_built(name: str) -> None:
    paths = ProjectPaths(name, ROOT)
    assert build.image_source(paths, load_project(paths.file, paths.display_path), "linux/amd64").reference.startswith(
        f"handoff-{name}:"
    )


# what failed

TAP = "/builder/uv/bin/uv pip install --compile-bytecode --python venv/tap --require-hashes -r /builder/tap.txt"
TARGET = TAP.replace("tap", "target")
BOTO3 = TAP.replace("venv/tap", "/opt/handoff").replace("tap.txt", "boto3.txt")
MAKE = "/builder/uv/bin/uv venv --quiet --no-project --python python venv/target"
APT = 'sh -c apt-get update && apt-get install --yes --no-install-recommends "$@" && rm -rf /var/lib apt-get nope'
STEP = "ln -s /nowhere/x /y/z"
MISMATCH = """\
Using Python 3.11.9 environment at: venv/target
Resolved 12 packages in 1ms
error: Failed to download `six==1.17.0`
  cause: Hash mismatch for `six==1.17.0`

         Expected:
           sha256:0000
"""
NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of six==9 and you require six==9, we can conclude that your requirements are unsatisfiable.
"""
NO_NETWORK = """\
error: Failed to fetch: https://index.example/simple/six/
  cause: error sending request for url (https://index.example/simple/six/)
"""
NO_GIT = "error: Git operation failed\n  cause: Git executable not found. Ensure that Git is installed and available.\n"
NO_PACKAGE = "Reading package lists...\nE: Unable to locate package nope\n"


def exec_form(argv: str) -> str:
    return json.dumps(argv.split())


def old(argv: str, said: str) -> str:
    """The builder before BuildKit: every step is told by its line, also those that went well."""
    return f"""\
Step 6/20 : RUN {exec_form(BOTO3)}
 ---> Using cache
 ---> 0a1b2c3d4e5f
Step 9/20 : RUN {exec_form(TAP)}
 ---> Running in 310b4d86b169
Installed 3 packages in 12ms
Removing intermediate container 310b4d86b169
 ---> 5f4e3d2c1b0a
Step 13/20 : RUN {exec_form(argv)}
 ---> Running in 5a992c8b785d
{said}Removing intermediate container 5a992c8b785d
The command '{argv}' returned a non-zero code: 1
"""


def buildkit_20(argv: str, said: str) -> str:
    """BuildKit as docker 20.10 tells it."""
    numbered = "".join(f"#14 2.{at:03} {line}\n" for at, line in enumerate(said.splitlines(), 101))
    return f"""\
#12 [venv-1 3/4] RUN {exec_form(TAP)}
#12 1.004 Installed 3 packages in 12ms
#12 DONE 1.1s

#14 [venv-2 4/4] RUN {exec_form(argv)}
{numbered}#14 ERROR: executor failed running [{argv}]: exit code: 1
------
 > [venv-2 4/4] RUN {exec_form(argv)}:
{numbered}------
executor failed running [{argv}]: exit code: 1
"""


def buildkit(argv: str, said: str) -> str:
    """BuildKit of today, which shows the lines of the Dockerfile too."""
    escaped = argv.replace('"', r"\"")
    numbered = "".join(f"2.{at:03} {line}\n" for at, line in enumerate(said.splitlines(), 101))
    return f"""\
#12 [venv-1 3/4] RUN {exec_form(TAP)}
#12 CANCELED
#14 [venv-2 4/4] RUN {exec_form(argv)}
#14 ERROR: process "{escaped}" did not complete successfully: exit code: 1
------
 > [venv-2 4/4] RUN {exec_form(argv)}:
{numbered}------
Dockerfile:43
--------------------
  42 |     RUN {exec_form(TAP)}
  43 | >>> RUN {exec_form(argv)}
--------------------
ERROR: failed to build: failed to solve: process "{escaped}" did not complete successfully: exit code: 1
"""


def podman(argv: str, said: str) -> str:
    return f"""\
[2/4] STEP 4/4: RUN {exec_form(TAP)}
Installed 3 packages in 12ms
--> 5f4e3d2c1b0a
[3/4] STEP 1/4: FROM 0a1b2c3d4e5f AS venv-2
[3/4] STEP 4/4: RUN {exec_form(argv)}
{said}Error: building at STEP "RUN {argv}": while running runtime: exit status 1
"""


def podman_3(argv: str, said: str) -> str:
    return podman(argv, said).replace("Error: building", "Error: error building").replace("while", "error while")


TELLERS = [old, buildkit_20, buildkit, podman, podman_3]


@pytest.mark.parametrize("teller", TELLERS)
@pytest.mark.parametrize(
    ("argv", "said", "expected", "hint"),
    [
        pytest.param(TARGET, MISMATCH, ": venv/target: Hash mismatch for `six==1.17.0`", None, id="hash"),
        pytest.param(
            TARGET,
            NO_VERSION,
            ": venv/target: Because there is no version of six==9 and you require six==9, we can conclude that your "
            "requirements are unsatisfiable.",
            None,
            id="version",
        ),
        pytest.param(
            TARGET, NO_NETWORK, ": venv/target: Failed to fetch: https://index.example/simple/six/", None, id="network"
        ),
        pytest.param(
            TARGET.replace(" --require-hashes", ""),
            NO_GIT,
            ": venv/target: Git executable not found",
            "install git in the builder: image: {build_packages: [git]}",
            id="git",
        ),
        pytest.param(
            TARGET,
            "error: failed to write: No space left on device (os error 28)\n",
            ": venv/target",
            "make room: docker system prune, or podman system prune",
            id="full",
        ),
        pytest.param(MAKE, "error: no interpreter\n", ": venv/target", None, id="making a venv"),
        pytest.param(APT, NO_PACKAGE, ": apt-get: E: Unable to locate package nope", None, id="Debian package"),
        pytest.param(
            "/opt/handoff/bin/python /builder/fill.py keep nope",
            "image.services: boto3 knows no service nope\n",
            "*/builder/fill.py keep nope*: image.services: boto3 knows no service nope",
            None,
            id="service",
        ),
        pytest.param(f"sh -e -c {STEP}", "ln: failed\n", f"*sh -e -c {STEP}*", None, id="a step of the project's"),
        pytest.param(BOTO3, MISMATCH, "*boto3.txt*: Hash mismatch for `six==1.17.0`", None, id="our own"),
    ],
)
def test_a_failed_build_tells_where_and_why(  # one output of each builder for each thing that fails
    teller: Any, argv: str, said: str, expected: str, hint: str | None
) -> None:
    tail = teller(argv, said)
    result = build.FAILURES.failure(tail)
    if expected.startswith("*"):
        middle, _, end = expected[1:].partition("*")
        assert middle in result
        assert result.endswith(end)
        assert "\n" not in result
    else:
        assert result == expected
    assert build.FAILURES.hint(tail) == hint


@pytest.mark.parametrize(
    ("said", "expected", "hint"),
    [
        pytest.param(
            "ERROR: BuildKit is enabled but the buildx component is missing or broken.\n       Install the buildx\n",
            ": BuildKit is enabled but the buildx component is missing or broken",
            "install docker's buildx plugin, or unset DOCKER_BUILDKIT",
            id="no buildx",
        ),
        pytest.param(
            "exec /usr/local/bin/python: exec format error\nThe command 'python -m pip' returned a non-zero code: 1\n",
            ": The command 'python -m pip' returned a non-zero code: 1: exec format error",
            "this machine does not run that platform; emulation does: https://docs.docker.com/go/qemu",
            id="another platform",
        ),
        pytest.param(
            "Step 1/3 : FROM no-such\npull access denied for no-such, repository does not exist\n",
            ": pull access denied for no-such,",
            None,
            id="no such base",
        ),
        pytest.param(
            "Step 1/3 : FROM python:9\nmanifest for python:9 not found: manifest unknown: manifest unknown\n",
            ": manifest for python:9 not found",
            None,
            id="no such version of the base",
        ),
        pytest.param(
            "Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host\n",
            ": lookup registry-1.docker.io on 10.0.0.1:53: no such host",
            None,
            id="no network",
        ),
        pytest.param("something else\n", "", None, id="nothing we know"),
    ],
)
def test_a_build_that_could_not_begin(said: str, expected: str, hint: str | None) -> None:
    assert (build.FAILURES.failure(said), build.FAILURES.hint(said)) == (expected, hint)
