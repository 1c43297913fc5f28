"""Everything that can be wrong with `image` in a project file: expected with its place, in plain words."""

from __future__ import annotations

import random

import pytest
from doubles.project_text import NO_VALUE, check_words, load_text, problems_of

from handoff_kit.project.model import Image

SHOWN = "projects/foo/project.yml"
STAGES = "commands: [{command: a}]\nimage:"
DOCKERFILE = "put it into the project's own Dockerfile.j2, which extends ours: see docs/concepts/images.md"

KEYS = [
    pytest.param("{bas: a}", ["2:9: `bas` is not a known key of `image` | did you mean `base`?"], id="misspelt"),
    pytest.param(
        "{dockerfile: x}",
        [
            "2:9: `dockerfile` is not a known key of `image` | "
            "known here: base, packages, build_packages, steps, platform, store, services, exclude, include"
        ],
        id="unknown",
    ),
    pytest.param(
        "{venvs: {a: [b]}}",
        ["2:9: `venvs` is not a known key of `image` | `venvs` belongs to the whole project, at the left margin"],
        id="of the project",
    ),
    pytest.param(
        "{installs: [a]}",
        ["2:9: `installs` is not a known key of `image` | `installs` belongs to a stage, under commands"],
        id="of a stage",
    ),
    pytest.param(
        "{}\npackages: [jq]\nbase: python\nenv: {}",
        [
            "3:1: `packages` is not a known key | `packages` belongs under image",
            "4:1: `base` is not a known key | `base` belongs under image",
            "5:1: `env` is not a known key | did you mean `envs`?",
        ],
        id="at the left margin",
    ),
]

SHAPES = [
    pytest.param(
        "python:3.12-slim",
        [
            "2:8: `image` is `python:3.12-slim`, expected a mapping | write it like this: image: {base: python:3.12-slim}"
        ],
        id="an image's name",
    ),
    pytest.param(
        "yes",
        [
            "2:8: `image` is `yes`, expected a mapping | "
            "write it like this: image: {base: python:3.12-slim, packages: [jq]}"
        ],
        id="yes",
    ),
    pytest.param("", [f"2:1: `image` has no value, expected a mapping | {NO_VALUE}"], id="nothing"),
    pytest.param(
        "[a]",
        [
            "2:8: `image` is a list, expected a mapping | write it like this: image: {base: python:3.12-slim, packages: [jq]}"
        ],
        id="a list",
    ),
    pytest.param(
        "{packages: git gcc, build_packages: apt-get install -y gcc git}",
        [
            "2:19: `packages` is `git gcc`, expected a list of Debian packages | write it as a list: packages: [git, gcc]",
            "2:44: `build_packages` is `apt-get install -y gcc git`, expected a list of Debian packages | "
            "write it as a list: build_packages: [gcc, git]",
        ],
        id="packages as a text",
    ),
    pytest.param(
        '{steps: ln -s a b, services: s3, exclude: "a/b *.csv"}',
        [
            '2:16: `steps` is `ln -s a b`, expected a list of lines for the shell | write it as a list: steps: ["ln -s a b"]',
            "2:37: `services` is `s3`, expected a list of AWS services | write it as a list: services: [s3]",
            '2:50: `exclude` is `a/b *.csv`, expected a list of patterns | write it as a list: exclude: [a/b, "*.csv"]',
        ],
        id="other lists as texts",
    ),
    pytest.param(
        "{packages: {jq: 1}, build_packages: [[a]], steps: [echo a: b], base: }",
        [
            "2:19: `packages` is a mapping, expected a list of Debian packages | write it like this: packages: [jq, git]",
            "2:45: item 1 of `build_packages` is a list, expected a Debian package | "
            "write it like this: build_packages: [gcc, git]",
            "2:59: item 1 of `steps` is a mapping, expected a line for the shell | "
            'write it in quotes: steps: ["mkdir /opt/data"]',
            f"2:71: `base` has no value, expected an image | {NO_VALUE}",
        ],
        id="wrong types",
    ),
    pytest.param(
        "{base: 3.12, packages: [7], steps: [yes], services: [on], exclude: [2024]}",
        [
            "2:15: `base` is a number, 3.12; expected an image | write it like this: base: python:3.12-slim",
            "2:32: item 1 of `packages` is a number, 7; expected a Debian package | write it like this: packages: [jq, git]",
            "2:44: item 1 of `steps` is a boolean, yes; expected a line for the shell | "
            'write it in quotes: steps: ["mkdir /opt/data"]',
            "2:61: item 1 of `services` is a boolean, on; expected an AWS service as boto3 names it | "
            "write it like this: services: [dynamodb]",
            '2:76: item 1 of `exclude` is a number, 2024; expected a pattern | if it really is called so, put it into quotes: "2024"',
        ],
        id="unquoted",
    ),
    pytest.param(
        "{base: '', packages: [''], steps: [' '], services: [''], exclude: ['']}",
        [
            "2:15: `base` is empty, expected an image | write it like this: base: python:3.12-slim",
            "2:30: item 1 of `packages` is empty, expected a Debian package | write it like this: packages: [jq, git]",
            '2:43: item 1 of `steps` is empty, expected a line for the shell | write it in quotes: steps: ["mkdir /opt/data"]',
            "2:60: item 1 of `services` is empty, expected an AWS service as boto3 names it | "
            "write it like this: services: [dynamodb]",
            "2:75: item 1 of `exclude` is empty, expected a pattern | "
            'write it like this: exclude: [notebooks, "data/*.parquet"]',
        ],
        id="empty",
    ),
    pytest.param(
        "{base: ' python:3.12', packages: ['jq '], exclude: ['a ']}",
        [
            "2:15: `base` begins or ends with a blank, expected `python:3.12` alone | take the blank out of the quotes",
            "2:42: item 1 of `packages` begins or ends with a blank, expected `jq` alone | take the blank out of the quotes",
            "2:60: item 1 of `exclude` begins or ends with a blank, expected `a` alone | take the blank out of the quotes",
        ],
        id="padded",
    ),
    pytest.param(
        "{base: 'python:{{ v }}', steps: ['echo {{ today }}']}",
        [
            f"2:{column}: {label} holds {found}, which nothing fills while the image is made | "
            "write the value itself; placeholders are filled when the pipeline runs"
            for column, label, found in ((15, "`base`", "{{ v }}"), (41, "item 1 of `steps`", "{{ today }}"))
        ],
        id="placeholders",
    ),
]


@pytest.mark.parametrize(("image", "expected"), [*KEYS, *SHAPES])
def test_keys_and_shapes(image: str, expected: list[str]) -> None:
    assert _problems(image) == expected


@pytest.mark.parametrize(
    ("base", "message", "hint"),
    [
        pytest.param(
            "Python:3.12-Slim",
            "`base` is `Python:3.12-Slim`, expected an image's name, in lower case",
            "write it like this: base: python:3.12-Slim",
            id="capitals",
        ),
        pytest.param(
            "FROM python:3.12-slim",
            "`base` is a line of a Dockerfile, FROM python:3.12-slim; expected an image alone",
            "write it like this: base: python:3.12-slim",
            id="FROM",
        ),
        pytest.param(
            "python:3.12 AS builder",
            "`base` is a line of a Dockerfile, python:3.12 AS builder; expected an image alone",
            "write it like this: base: python:3.12",
            id="AS",
        ),
        pytest.param(
            "from --platform=linux/arm64 python as x",
            "`base` is a line of a Dockerfile, from --platform=linux/arm64 python as x; expected an image alone",
            "write it like this: base: python, platform: linux/arm64",
            id="a whole line",
        ),
        pytest.param(
            "python 3.12",
            "`base` is `python 3.12`, expected an image, as NAME:TAG",
            "write it like this: base: python:3.12-slim",
            id="blank",
        ),
        pytest.param(
            "docker://python:3.12",
            "`base` is `docker://python:3.12`, expected an image, as NAME:TAG",
            "write it like this: base: python:3.12",
            id="scheme",
        ),
        pytest.param(
            "python:$VERSION",
            "`base` is `python:$VERSION`, expected an image, as NAME:TAG",
            "write it like this: base: python:3.12-slim",
            id="variable",
        ),
        pytest.param(
            "python:3.12@sha256:abc",
            "the digest of `base` is not whole, expected @sha256: and 64 digits, 0 to 9 and a to f",
            "the builder shows it: docker buildx imagetools inspect python:3.12",
            id="half a digest",
        ),
        pytest.param(
            "scratch",
            "`base` is scratch, which is empty; expected an image with Python",
            "write it like this: base: python:3.12-slim",
            id="scratch",
        ),
    ],
)
def test_bases(base: str, message: str, hint: str) -> None:
    assert _problems(f'{{base: "{base}"}}') == [f"2:15: {message} | {hint}"]


AS_PIP = "asks for a version as pip would, expected a Debian package"
NO_PACKAGE = "is not a Debian package, expected lower-case letters, digits, +, - and ."


@pytest.mark.parametrize("key", ["packages", "build_packages"])
@pytest.mark.parametrize(
    ("package", "message", "hint"),
    [
        pytest.param(
            "git gcc",
            "`git gcc` is more than one word, expected one Debian package",
            "write one an item: KEY: [git, gcc]",
            id="two",
        ),
        pytest.param(
            "apt-get install -y jq",
            "`apt-get install -y jq` is more than one word, expected one Debian package",
            "write one an item: KEY: [jq]",
            id="a line for the shell",
        ),
        pytest.param(
            "git; rm",
            "`git; rm` is more than one word, expected one Debian package",
            "write one an item: KEY: [jq, git]",
            id="two lines",
        ),
        pytest.param(
            "-y",
            "found the apt-get option -y, expected a Debian package",
            "name packages only: KEY: [jq, git]",
            id="option",
        ),
        pytest.param("Git", f"`Git` {NO_PACKAGE}", "did you mean `git`?", id="capitals"),
        pytest.param("libc6_dev", f"`libc6_dev` {NO_PACKAGE}", "did you mean `libc6-dev`?", id="underscore"),
        pytest.param("jq-", f"`jq-` {NO_PACKAGE}", "did you mean `jq`?", id="what apt-get would remove"),
        pytest.param("$(x)", f"`$(x)` {NO_PACKAGE}", "for example: KEY: [jq, git]", id="substitution"),
        pytest.param("jq&&git", f"`jq&&git` {NO_PACKAGE}", "for example: KEY: [jq, git]", id="and"),
        pytest.param("r", f"`r` {NO_PACKAGE}", "for example: KEY: [jq, git]", id="one letter"),
        pytest.param("jq>=1", f"`jq>=1` {AS_PIP}", "Debian takes one version, or any: jq=1*, or jq", id="at least"),
        pytest.param("jq==1.6", f"`jq==1.6` {AS_PIP}", "Debian takes one version, or any: jq=1.6*, or jq", id="equal"),
        pytest.param(
            "jq ~= 1", f"`jq ~= 1` {AS_PIP}", "Debian takes one version, or any: jq=1*, or jq", id="compatible"
        ),
    ],
)
def test_packages(key: str, package: str, message: str, hint: str) -> None:
    assert _problems(f'\n  {key}: ["{package}"]') == [f"3:{6 + len(key)}: {message} | {hint.replace('KEY', key)}"]


@pytest.mark.parametrize(
    ("step", "message", "hint"),
    [
        pytest.param(
            "RUN apt-get update",
            "`RUN apt-get update` is a line of a Dockerfile, expected a line for the shell",
            'leave RUN out: - "apt-get update"',
            id="RUN",
        ),
        pytest.param(
            "RUN --mount=type=cache a",
            "`RUN --mount=type=cache a` is a line of a Dockerfile, expected a line for the shell",
            DOCKERFILE,
            id="RUN with options",
        ),
        pytest.param(
            "RUN", "`RUN` is a line of a Dockerfile, expected a line for the shell", DOCKERFILE, id="RUN alone"
        ),
        pytest.param(
            "COPY a b", "`COPY a b` is a line of a Dockerfile, expected a line for the shell", DOCKERFILE, id="COPY"
        ),
        pytest.param(
            "USER root", "`USER root` is a line of a Dockerfile, expected a line for the shell", DOCKERFILE, id="USER"
        ),
        pytest.param(
            "ENV A=b",
            "`ENV A=b` is a line of a Dockerfile, expected a line for the shell",
            f"for the stages, set it in envs at the left margin; for the build, {DOCKERFILE}",
            id="ENV",
        ),
        pytest.param(
            "sudo ldconfig",
            "`sudo ldconfig` asks for sudo, expected a line without: steps run as root",
            'leave sudo out: - "ldconfig"',
            id="sudo",
        ),
    ],
)
def test_steps(step: str, message: str, hint: str) -> None:
    assert _problems(f"\n  steps:\n  - {step}\n  - echo ok") == [f"4:5: {message} | {hint}"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        *(
            pytest.param(
                f"{{platform: {found}}}",
                [f"2:19: `platform` is `{found}`, expected linux/amd64 or linux/arm64 | did you mean `{meant}`?"],
                id=found,
            )
            for found, meant in (
                ("arm64", "linux/arm64"),
                ("aarch64", "linux/arm64"),
                ("amd64", "linux/amd64"),
                ("x86_64", "linux/amd64"),
                ("linux/arm/v7", "linux/arm64"),
                ("windows/amd64", "linux/amd64"),
            )
        ),
        pytest.param(
            "{platform: 7}",
            [
                "2:19: `platform` is `7`, expected linux/amd64 or linux/arm64 | "
                "leave it out to build for the machine that builds"
            ],
            id="platform 7",
        ),
        pytest.param("{store: AWS}", ["2:16: `store` is `AWS`, expected aws or none | did you mean `aws`?"], id="AWS"),
        pytest.param("{store: no}", ["2:16: `store` is `no`, expected aws or none | did you mean `none`?"], id="no"),
        pytest.param(
            "{store: s3}",
            [
                "2:16: `store` is `s3`, expected aws or none | aws takes boto3 along; none is for images that never run on AWS"
            ],
            id="store s3",
        ),
        pytest.param(
            "{services: [S3, AWS SQS, dynamo_db, dynamodb]}",
            [
                f"2:{column}: `{found}` is not a service, expected its name in boto3: lower case, digits and - | {hint}"
                for column, found, hint in (
                    (20, "S3", "did you mean `s3`?"),
                    (24, "AWS SQS", "did you mean `sqs`?"),
                    (33, "dynamo_db", "for example: dynamodb"),
                )
            ],
            id="services",
        ),
        pytest.param(
            "{services: [sqs], store: none}",
            ["2:9: found `services` beside `store: none`, which takes no boto3 along | take one of the two out"],
            id="services without a store",
        ),
        pytest.param(
            "{base: python:3.12-alpine, packages: [jq]}",
            [
                "2:35: found `packages` beside the base python:3.12-alpine, which has no apt-get | "
                "build on Debian: base: python:3.12-slim"
            ],
            id="packages on alpine",
        ),
    ],
)
def test_words(image: str, expected: list[str]) -> None:
    assert _problems(image) == expected


RELATIVE = "is an absolute path, expected one relative to the project"
EXAMPLE = "for example: exclude: [notebooks]"


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        pytest.param("/data/*.csv", RELATIVE, "did you mean `data/*.csv`?", id="absolute"),
        pytest.param("~/x", RELATIVE, "did you mean `x`?", id="home"),
        pytest.param("/", RELATIVE, EXAMPLE, id="root"),
        pytest.param("../x", "leads out of a directory, expected a path inside the project", EXAMPLE, id="above"),
        pytest.param("a/../b", "leads out of a directory, expected a path inside the project", EXAMPLE, id="up again"),
        pytest.param("./", "is the whole project, expected a part of it", EXAMPLE, id="everything"),
        pytest.param("!a", "begins with !, which takes nothing back here", "name only what shall stay out", id="not"),
        pytest.param("a\\b", "holds a backslash, expected / between names", "did you mean `a/b`?", id="backslash"),
        pytest.param(
            "**/*.csv",
            "holds **, which does not go deeper than * here",
            "a directory covers everything in it; else write one pattern for each depth: [a/*.csv, a/*/*.csv]",
            id="any depth",
        ),
    ],
)
def test_excluded(pattern: str, message: str, hint: str) -> None:
    assert _problems(f"{{exclude: [notebooks, '{pattern}']}}") == [f"2:30: `{pattern}` {message} | {hint}"]


NO_IMAGE = "enters no image", "runs get it in another way: docs/concepts/images.md, What never enters"
INCLUDED = "for example: include: [certificates/client.pem]"


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        pytest.param(".env", f"names .env, which {NO_IMAGE[0]}", NO_IMAGE[1], id="where a run's config is put"),
        pytest.param(".env/x", f"names .env, which {NO_IMAGE[0]}", NO_IMAGE[1], id="below it"),
        pytest.param(".local/a.json", f"names .local, which {NO_IMAGE[0]}", NO_IMAGE[1], id="config with secrets"),
        pytest.param("a/.git/config", f"names .git, which {NO_IMAGE[0]}", NO_IMAGE[1], id="below a directory"),
        pytest.param("files/key.pem", f"names files, which {NO_IMAGE[0]}", NO_IMAGE[1], id="what is mounted"),
        pytest.param("/x", RELATIVE, "did you mean `x`?", id="absolute"),
        pytest.param("..", "leads out of a directory, expected a path inside the project", INCLUDED, id="above"),
        pytest.param("!a", "begins with !, which takes nothing back here", "leave the ! out", id="not"),
    ],
)
def test_included(pattern: str, message: str, hint: str) -> None:
    assert _problems(f"{{include: [notebooks, '{pattern}']}}") == [f"2:30: `{pattern}` {message} | {hint}"]


def test_a_text_in_the_place_of_patterns() -> None:
    expected = "expected a list of patterns | write it as a list: include: [a.pem]"
    assert _problems("{include: a.pem}") == [f"2:18: `include` is `a.pem`, {expected}"]


def test_every_fault_of_a_file_at_once() -> None:
    expected = _problems("\n  base: FROM x\n  packages: [Git]\n  platform: arm\n  exclude: [/a]\n  x: y\ncomand: a")
    assert [line.split(": ")[0] for line in expected] == ["3:9", "4:14", "5:13", "6:13", "7:3", "8:1"]


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("{}", id="nothing"),
        pytest.param(f"{{base: 'registry.example:5000/a/b-c__d:3.12_X@sha256:{64 * 'a'}'}}", id="a full name"),
        pytest.param("{base: localhost/python}", id="a host"),
        pytest.param("{base: python:3.12-alpine}", id="alpine without packages"),
        pytest.param("{packages: [g++, libc6:amd64, python3.11-dev, jq=1.6*, 'a0=1:2.3~rc1+b-1']}", id="packages"),
        pytest.param("{steps: [mkdir /a, \"true\", 'echo $X > /a/b', '{ RUN; }', \"run x\\ny\"]}", id="steps"),
        pytest.param("{platform: linux/arm64, store: none, packages: [], services: []}", id="words and empty lists"),
        pytest.param("{services: [s3, sso-oidc, ec2]}", id="services"),
        pytest.param("{exclude: [./notebooks/, 'data/*.csv', a..b, '[ab]?', 'a b']}", id="patterns"),
        pytest.param("{include: [.aws, deploy/.env, 'keys/*.pem', sub/files/x]}", id="credentials"),
    ],
)
def test_good(image: str) -> None:
    assert isinstance(load_text(f"image: {image}").image, Image)


def test_any_image_is_told_in_our_words() -> None:
    chance = random.Random(3)
    letters, words = (
        "ab3A:/@.-_+=*!$ ~{}",
        ["python", "sha256", "RUN ", "jq", "FROM ", "==", "..", "**", "linux/", "s3"],
    )
    for _ in range(1500):
        text = "".join(chance.choice([*letters, *words]) for _ in range(chance.randint(0, 7)))
        key = chance.choice(list(Image.model_fields))
        written = chance.choice([f'"{text}"', f'["{text}"]', f'{{a: "{text}"}}', "7", "[no]", "[null]"])
        image = f"{{{key}: {written}}}"
        check_words(f"image: {image}")


def _problems(image: str) -> list[str]:
    return problems_of(f"image: {image}")
