"""Images built for real: by the old builder, by BuildKit and by podman; what is in them, what is made anew, what fails."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import Checkout, make_checkout
from doubles.containers import RESULT, Engine, ask_build, build, new

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.takes(250)]

SMALL = """
    image: {store: none}
    commands:
      - command: cat
        args: text
"""
TWO_VENVS = """
    image: {{store: none}}
    venvs:
      one: ['{one}']
      two: [idna]
    commands:
      - command: python
        args: ["-c", "import six, sys; print(six.__name__, sys.prefix)"]
        venv: one
      - command: python
        args: ["-c", "import idna, sys; print(sys.stdin.read(), idna.__name__, sys.prefix)"]
        venv: two
"""
UP_TO_DATE = "{image} is up to date\nnext: invoke run-local --container --project {project}\n"


@pytest.fixture(scope="module", params=["legacy", "buildkit", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the three that build."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def locked(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Checkout:  # noqa: ARG001  # skips without it
    """A project of two venvs with their locks, and the same with another version in the first one."""
    checkout = make_checkout(tmp_path_factory.mktemp("locked") / "team", tmp_path_factory.getbasetemp() / "compiled")
    for name, one in {"pair": "six==1.17.0", "other": "six==1.15.0"}.items():
        checkout.project(name, TWO_VENVS.format(one=one))
        result = checkout.invoke("install", "--project", name)
        assert result.exit == 0, result.stderr
    return checkout


def copied(checkout: Checkout, locked: Checkout, name: str = "pair") -> Path:
    """The project of two venvs, which no image has been built of."""
    left_out = shutil.ignore_patterns("venv")
    shutil.copytree(
        locked.root / "projects" / name, checkout.root / "projects" / "pair", ignore=left_out, dirs_exist_ok=True
    )
    (checkout.root / "projects/pair/nonce").write_text(uuid.uuid4().hex)
    return checkout.root / "projects/pair"


WHEN = "import os\nfor name in 'one', 'two': print(name, os.stat(f'/app/venv/{name}/pyvenv.cfg').st_mtime_ns)"


def made_since(engine: Engine, image: str, moment: int) -> list[str]:
    """Those of the two venvs in an image that were made after a moment (ns); BuildKit may take any older one."""
    result = engine.tell("run", "--rm", "--entrypoint", "python", image, "-c", WHEN)
    return [name for name, made in map(str.split, result.splitlines()) if int(made) > moment]


def six(engine: Engine, image: str) -> str:
    """The version of what the first venv in an image is for."""
    code = "import six; print(six.__version__)"
    return engine.tell("run", "--rm", "--entrypoint", "/app/venv/one/bin/python", image, "-c", code).strip()


def layers(engine: Engine, image: str) -> list[str]:
    """The digests of an image's layers."""
    found: list[str] = engine.inspect(image)["RootFS"]["Layers"]
    return found


def shared(engine: Engine, before: list[str], after: list[str]) -> int | None:
    """How many layers, from the first on, are the same; of one it has built twice (--no-cache) BuildKit takes either."""
    if engine.env.get("DOCKER_BUILDKIT") == "1":
        return None
    return next(index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1])


def from_cache(said: str) -> list[str]:
    """The steps that a builder did not do anew; BuildKit says so of a base that is there, too."""
    bases = re.findall(r"^#(\d+) \[.*\] FROM ", said, re.MULTILINE)
    found = re.findall(r"^#(\d+) CACHED| ---> (Using cache)|^--> (Using cache)", said, re.MULTILINE)
    return [word for words in found for word in words if word and word not in bases]


def test_word_count_is_built_once(checkout: Checkout, engine: Engine) -> None:
    (checkout.sample("word-count") / "nonce").write_text(uuid.uuid4().hex)
    result = ask_build(checkout, engine, "word-count")
    found = RESULT.fullmatch(result.stdout)
    assert found, result
    image = found["name"]
    assert re.fullmatch(r"handoff-word-count:[0-9a-f]{12}", image)
    assert result.stderr.splitlines()[-1] == "next: invoke run-local --container --project word-count"
    inspected = engine.inspect(image)
    assert inspected["Id"].removeprefix("sha256:") == found["digest"].removeprefix("sha256:")
    assert found["size"] == f"{engine.size(image) / 1e6:,.1f}"
    config = inspected["Config"]
    shown = {name: config[name] for name in ("User", "WorkingDir", "Entrypoint", "StopSignal", "Volumes")}
    assert shown == {
        "User": "10001:10001",
        "WorkingDir": "/app",
        "Entrypoint": ["python", "/opt/handoff/handoff_runtime/start.py"],
        "StopSignal": "SIGTERM",
        "Volumes": {"/app/.env": {}, "/app/.artifacts": {}, "/tmp": {}},
    }
    labels = config["Labels"]
    assert labels["handoff.project"] == labels["org.opencontainers.image.title"] == "word-count"
    assert labels["handoff.context"].startswith(image.rpartition(":")[2])
    assert labels["org.opencontainers.image.revision"] == ""
    assert labels["org.opencontainers.image.base.name"] == "python:3.11-slim"
    tree = checkout.tree()
    again = ask_build(checkout, engine, "word-count")
    assert again.stderr == UP_TO_DATE.format(image=image, project="word-count")
    assert again.stdout.split()[:4] == result.stdout.split()[:4]
    assert checkout.tree() == tree
    assert engine.inspect(image) == inspected


def test_a_change_makes_anew_what_it_concerns_and_no_more(checkout: Checkout, locked: Checkout, engine: Engine) -> None:
    directory = copied(checkout, locked)
    image = build(checkout, engine, "pair")
    begun, first, since = layers(engine, image), image, time.time_ns()

    text = (directory / "project.yml").read_text()
    (directory / "project.yml").write_text(text.replace("six.__name__", "six.__version__"))
    result = ask_build(checkout, engine, "pair")
    assert result.stderr == UP_TO_DATE.format(image=image, project="pair")

    nonce = uuid.uuid4().hex  # as long as the one before: BuildKit compares path, size and time, not content
    (directory / "nonce").write_text(nonce)
    image = build(checkout, engine, "pair")
    assert engine.tell("run", "--rm", "--entrypoint", "cat", image, "nonce") == nonce
    assert shared(engine, begun, layers(engine, image)) in {len(begun) - 1, None}
    assert made_since(engine, image, since) == []

    for name in ("project.yml", "locks/one.txt"):
        shutil.copy(locked.root / "projects/other" / name, directory / name)
    image = build(checkout, engine, "pair")
    assert shared(engine, begun, layers(engine, image)) in {len(begun) - 3, None}
    assert "two" not in made_since(engine, image, since)
    assert (six(engine, first), six(engine, image)) == ("1.17.0", "1.15.0")


def test_flags_of_build(checkout: Checkout, engine: Engine) -> None:
    new(checkout, "flags", SMALL, {"text": "a\n"})
    listed = ("images", "--all", "--quiet", "--filter", "label=handoff.project=flags")
    there, tree = set(engine.tell(*listed).split()), checkout.tree()
    dry = ask_build(checkout, engine, "flags", "--dry")
    assert (dry.exit, dry.stdout) == (0, "")
    assert f"would run {engine.name} build " in dry.stderr
    assert dry.stderr.endswith("nothing was done: --dry\n")
    assert (set(engine.tell(*listed).split()), checkout.tree()) == (there, tree)

    platform = engine.tell("version", "--format", PLATFORMS[engine.name])
    first = build(checkout, engine, "flags", "--platform", platform)
    assert f"{(found := engine.inspect(first))['Os']}/{found['Architecture']}" == platform
    assert build(checkout, engine, "flags") == first

    tagged = build(checkout, engine, "flags", "--tag", "mine/shop:1.2")
    assert tagged == "mine/shop:1.2"
    result = ask_build(checkout, engine, "flags", "--tag", "mine/shop:1.2")
    assert result.stderr == UP_TO_DATE.format(image="mine/shop:1.2", project="flags")

    anew = ask_build(checkout, engine, "flags", "--no-cache")
    assert anew.exit == 0, anew.stderr
    assert from_cache(anew.stderr) == []


PLATFORMS = {"docker": "{{.Server.Os}}/{{.Server.Arch}}", "podman": "{{.Client.OsArch}}"}

CANARY = "ca7nary0secret"
HIDDEN = {
    ".local/tap.json": f'{{"password": "{CANARY}"}}',
    ".local/deep/key.pem": CANARY,
    ".env": CANARY,
    "sub/.env": CANARY,
    "sub/.env.production": CANARY,
    ".artifacts/state": CANARY,
    "sub/.artifacts/stdout.log": CANARY,
    "venv/tap/pyvenv.cfg": CANARY,
    "venv/tap/lib/secret.py": CANARY,
    "sub/environment/pyvenv.cfg": CANARY,
    "sub/environment/lib/secret.py": CANARY,
    ".git/config": f"[remote]\n  url = https://me:{CANARY}@example.com/x.git\n",
    "sub/.git/config": CANARY,
    ".svn/entries": CANARY,
    "__pycache__/impl.cpython-311.pyc": CANARY,
    "files/data.csv": CANARY,
    "notebooks/explored.ipynb": CANARY,
    f".local/{CANARY}": "its name",
    **dict.fromkeys((".aws/credentials", ".netrc", ".pypirc", ".pgpass", "id_rsa", "keys/client.key"), CANARY),
    "google.json": json.dumps({"private_key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}MIIEvQIBADAN\n"}),
}
WITH_SECRETS = f"""
    image: {{store: none, exclude: [notebooks]}}
    vars: {{password: {CANARY}}}
    commands:
      - command: cat
        args: text --password {CANARY}
"""


def test_no_secret_is_in_any_layer(checkout: Checkout, engine: Engine) -> None:
    new(checkout, "shop", WITH_SECRETS, {"text": "to be found here", "sub/text": "and here", **HIDDEN})
    settings = dict.fromkeys(
        ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL"), f"https://me:{CANARY}@127.0.0.1:1/simple"
    )
    result = ask_build(checkout, engine, "shop", env=settings)
    assert result.exit == 0, result.stderr
    assert CANARY not in result.stdout + result.stderr
    assert (
        "note: projects/shop: left out of the image, because they look like credentials: .aws, .env, .netrc, .pgpass, .pypirc,"
        " google.json, id_rsa, keys/client.key, sub/.env, sub/.env.production\nhint: "
    ) in result.stderr
    apart = engine.image(result.stdout.split()[0])
    assert apart.holding(CANARY) == []
    assert [path.partition("/")[2] for path in apart.holding("to be found here")] == ["app/text"]
    below = {path.partition("/")[2]: held for path, held in apart.files.items() if "/app/" in f"/{path}"}
    assert {path for path, held in below.items() if held} == {"app/text", "app/sub/text", "app/nonce"}
    context = [path.read_bytes() for path in (checkout.root / "build").rglob("*") if path.is_file()]
    assert not [held for held in context if CANARY.encode() in held]


def lock(requirement: str, pin: str, digest: str = "0" * 64) -> str:
    """A lock as `invoke install` heads it, with a pin of ours."""
    title = "# Exact versions of one virtual environment. Made by `invoke install`: commit it, do not edit it."
    head = f"{title}\n# serves: Python 3.10 and later, on every platform\n# requirement: {requirement}\n"
    return f"{head}\n{pin} \\\n    --hash=sha256:{digest}\n"


def failing(image: str = "", venvs: str = "") -> str:
    """A project whose image cannot be built."""
    return textwrap.dedent(SMALL).replace("store: none", f"store: none{image}") + venvs


FAILING = [
    pytest.param(
        failing(venvs="venvs: {tap: [six]}\n"),
        {"locks/tap.txt": lock("six", "six==1.16.0")},
        r"venv/tap: Hash mismatch for `six==1\.16\.0`",
        id="hash",
    ),
    pytest.param(
        failing(venvs="venvs: {tap: [six]}\n"),
        {"locks/tap.txt": lock("six", "six==999.0")},
        r"venv/tap: Because there is no version of six==999\.0 .*",
        id="version",
    ),
    pytest.param(
        failing(", packages: [no-such-package-of-ours]"),
        {},
        r"apt-get: E: Unable to locate package no-such-package-of-ours",
        id="package",
    ),
    pytest.param(
        failing(", steps: ['true', 'echo on its way; exit 7']"), {}, r".*echo on its way; exit 7.*", id="step"
    ),
]


@pytest.mark.parametrize(("text", "files", "expected"), FAILING)
def test_a_failing_build_tells_which_part_failed(
    checkout: Checkout, engine: Engine, text: str, files: Mapping[str, str], expected: str
) -> None:
    new(checkout, "shop", text, {"text": "a\n", **files})
    said = ask_build(checkout, engine, "shop")
    assert (said.exit != 0, said.stdout, "Traceback" in said.stderr) == (True, "", False)
    *_, message, hint = said.stderr.splitlines()
    start = r"error: could not build image handoff-shop:[0-9a-f]{12}: \w+ ended with exit \d+: "
    assert re.fullmatch(start + expected, message), said.stderr[-3000:]
    run = re.findall(r"^run (.*) \(in \.\)$", said.stderr, re.MULTILINE)
    assert [hint] == [f"hint: to repeat it: cd {checkout.root} && {command}" for command in run]
