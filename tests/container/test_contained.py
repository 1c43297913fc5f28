"""Runs in real containers: the same artifacts as here, the same words, the same end, and nothing left behind."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import PATIENCE, Checkout, InvokeResult
from doubles.containers import LABEL, Engine, build, new
from doubles.runtime_project import until
from doubles.terminal import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.network, pytest.mark.takes(200)]

RUN = ("run-local", "--container", "--builder", "docker", "--project")
OURS = "label=handoff.run"

SHOP = """
    image: {store: none}
    vars: {word: hello, password: hush-hush-hush}
    commands:
      - shell: >
          cat text .env/files/more.csv .env/config/deep/tap.json;
          stat -c '%a %n' .env .env/config .env/config/deep/tap.json;
          echo "{{ word }}"; echo to the log >&2
        envs: {PASSWORD: "{{ password }}"}
      - command: tee
        args: .artifacts/kept
"""
IMPL = """
import json, sys

def tell(params, data):
    files = [file["name"] for file in params["files"]]
    print(json.dumps({"data": data, "files": files, "config": open(".env/config/deep/tap.json").read()}))
    print("said", file=sys.stderr)

def fail(params, data):
    raise ValueError(f"no {data['what']}")
"""
FILES = {
    "text": "a\nb\n",
    "files/more.csv": "1,2\n",
    ".local/deep/tap.json": '{"key": "k3y-of-tap"}\n',
    "impl.py": IMPL,
}
TRICKLE = "touch .artifacts/running; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
LOOP = f"""
    image: {{store: none}}
    commands:
      - shell: "{TRICKLE}"
      - command: cat
      - shell: "cat > .artifacts/got; echo committed >> .artifacts/got; sleep 0.3; echo end"
"""
STEADY = """
    image: {store: none}
    commands:
      - shell: "for i in 1 2 3 4 5 6 7 8 9; do seq 1000; echo line $i >&2; sleep 0.15; done"
      - command: cat
      - command: wc
        args: -l
"""
COUNTING = """
    image: {store: none}
    commands:
      - shell: "cat .artifacts/state 2> /dev/null || true; hostname > .artifacts/host; echo x"
"""
DAEMONS = """
    image: {store: none}
    commands:
      - command: python
        args: daemons.py
      - shell: "cat; until [ -e .artifacts/go ]; do sleep 0.05; done"
"""
DAEMON = """
import os, subprocess, time
for seconds in [0.01, 0.2, 0.4] * 10:
    first = os.fork()
    if first == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(seconds)
        os._exit(0)
    os.waitpid(first, 0)
stays = 'trap "echo told > .artifacts/told; exit" TERM; touch .artifacts/stays; while :; do sleep 0.05; done'
subprocess.Popen(["setsid", "sh", "-c", stays], stdin=0, stdout=subprocess.DEVNULL)
"""
HUNGRY = """
    image: {store: none}
    commands:
      - command: python
        args: ["-c", "held = bytearray(300 << 20); print(len(held))"]
      - command: cat
"""
PROJECTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "shop": (SHOP, FILES),
    "loop": (LOOP, {}),
    "steady": (STEADY, {}),
    "counting": (COUNTING, {}),
    "daemons": (DAEMONS, {"daemons.py": DAEMON}),
    "hungry": (HUNGRY, {}),
}


@pytest.fixture(scope="module")
def images(workshop: Checkout, legacy: Engine) -> Mapping[str, str]:
    """A checkout with a project for each of our wants; the name of each one's image."""
    for name, (text, files) in PROJECTS.items():
        new(workshop, name, text, files)
    return {name: build(workshop, legacy, name) for name in PROJECTS}


@pytest.fixture
def made(workshop: Checkout, images: Mapping[str, str], docker: Engine) -> Iterator[Checkout]:
    """The checkout before a run: no artifacts, and after it no container."""
    assert images
    for name in PROJECTS:
        for place in (".artifacts", ".env"):
            shutil.rmtree(workshop.root / "projects" / name / place, ignore_errors=True)
    yield workshop
    left = containers(docker)
    for name in left:
        docker.run("rm", "--force", "--volumes", name)
    assert left == []


def containers(docker: Engine, state: str = "") -> list[str]:
    """The containers of our runs."""
    filters = ("--filter", f"status={state}") if state else ()
    lines = docker.tell("ps", "--all", "--filter", OURS, *filters, "--format", '{{.ID}} {{.Label "handoff.run"}}')
    return [line.split()[0] for line in lines.splitlines() if line.split()[1] in PROJECTS]


def place(checkout: Checkout, project: str, path: str = "") -> Path:
    return checkout.root / "projects" / project / path


def record(checkout: Checkout, project: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place(checkout, project, ".artifacts/run.json").read_bytes())
    return found


MOVING = {"run_id", "scheduled_at", "started_at", "ended_at", "seconds", "cpu_seconds", "peak_memory_bytes"}


def still(found: Any) -> Any:
    """A record without what is another in every run, and without the image, which a run here has none of."""
    if isinstance(found, dict):
        return {name: still(value) for name, value in found.items() if name not in {*MOVING, "image_digest"}}
    return [still(each) for each in found] if isinstance(found, list) else found


def steady(text: str, directory: Path) -> str:
    """Words without times, run ids and Python's own frames, and with the directory as the container has it."""
    text = re.sub(
        r"^.*\| +(?:File .*, line \d+, in (?:<module>|call_function)|[\^~]+|call_function\(.*|function\(.*)\n",
        "",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN", text.replace(str(directory), "/app"))
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"after \d+\.\d s", "after SECONDS", text)
    return re.sub(r" +[\d.]+ +[\d.]+ +[\d.]+ MB", " FIGURES", text)


def kept(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every artifact, mode and content, of the record and the log what does not change from run to run.

    Left out are the lock and the history, which tells of every run by its name.
    """
    found = {}
    for path in sorted((directory / ".artifacts").rglob("*")):
        held = path.read_bytes() if path.is_file() else b""
        if path.name == "run.json":
            held = json.dumps(still(json.loads(held))).encode()
        elif path.name == "stderr.log":
            held = steady(held.decode(), directory).encode()
        name = path.relative_to(directory / ".artifacts")
        if name.parts[0] not in {".lock", "history", "runs"}:
            found[name.as_posix()] = (path.stat().st_mode & 0o777, held)
    return found


def told_of(result: InvokeResult, directory: Path) -> tuple[int, str, str]:
    """What a run said, without times."""
    said = result.stderr.replace(" --container", "")
    return result.exit, steady(result.stdout, directory), steady(said, directory)


def fresh(directory: Path) -> Path:
    for name in (".artifacts", ".env"):
        shutil.rmtree(directory / name, ignore_errors=True)
    return directory


FLAGS = [
    pytest.param((), id="plain"),
    pytest.param(("--var", "word=bye, é 'x'"), id="var"),
    pytest.param(("--data", '{"word": "\\u00e9 \\" \\\\ \\n"}'), id="data"),
    pytest.param(("--command", "tell", "--data", '{"n": [1, {"x": null}]}'), id="function"),
    pytest.param(("--command", "fail", "--data", '{"what": "luck"}'), id="failing function"),
    pytest.param(("--command", "show_commands"), id="show_commands"),
    pytest.param(("--meter", "bytes"), id="meter bytes"),
    pytest.param(("--meter", "off"), id="meter off"),
    pytest.param(("--environment", "prod"), id="environment"),
    pytest.param(("--params", "PARAMS"), id="params"),
]


@pytest.mark.parametrize("flags", FLAGS)
def test_it_is_the_same_run_as_here(made: Checkout, tmp_path: Path, flags: tuple[str, ...]) -> None:
    directory, params = place(made, "shop"), tmp_path / "params.json"
    assert made.invoke("params", "--project", "shop", "--output", str(params)).exit == 0
    words = [str(params) if word == "PARAMS" else word for word in flags]
    here = made.invoke("run-local", "--project", "shop", *words)
    artifacts = kept(directory)
    fresh(directory)
    inside = made.invoke(*RUN, "shop", *words)
    assert told_of(inside, directory) == told_of(here, directory)
    assert kept(directory) == artifacts


def test_the_log_in_json_is_the_same(made: Checkout) -> None:
    def messages(result: InvokeResult) -> list[tuple[str, ...]]:
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        return [tuple(steady(line[name], place(made, "shop")) for name in ("stage", "message")) for line in lines]

    here = made.invoke("run-local", "--project", "shop", "--log-format", "json")
    fresh(place(made, "shop"))
    inside = made.invoke(*RUN, "shop", "--log-format", "json")
    assert (inside.exit, inside.stdout, sorted(messages(inside))) == (here.exit, here.stdout, sorted(messages(here)))


def test_config_is_private_and_the_image_is_named(made: Checkout, docker: Engine, images: Mapping[str, str]) -> None:
    assert made.invoke(*RUN, "shop").exit == 0
    lines = place(made, "shop", ".artifacts/kept").read_text().splitlines()
    assert lines == [
        *("a", "b", "1,2", '{"key": "k3y-of-tap"}'),
        *("700 .env", "700 .env/config", "600 .env/config/deep/tap.json"),
        "hello",
    ]
    assert record(made, "shop")["image_digest"] == docker.inspect(images["shop"])["Id"]
    assert place(made, "shop", ".env").stat().st_mode & 0o777 == 0o700


AS_ANOTHER = """
import os
os.getuid = os.getgid = lambda: 12345
from invoke.main import program
program.run()
"""


def test_what_is_made_belongs_to_the_caller(made: Checkout) -> None:
    directory = place(made, "shop")
    for name in (".artifacts", ".env"):
        (directory / name).mkdir(mode=0o700)
        os.chown(directory / name, 12345, 12345)
    argv = [sys.executable, "-c", AS_ANOTHER, *RUN, "shop"]
    done = subprocess.run(
        argv, cwd=made.root, env=made.environment(), capture_output=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    below = [path for name in (".artifacts", ".env") for path in (directory / name).rglob("*")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in below} == {(12345, 12345)}
    assert {"kept", "run.json", "state", "stdout.log", "stderr.log"} <= {path.name for path in below}


def test_a_state_goes_from_here_to_a_container_and_back(made: Checkout) -> None:
    hosts = []
    for number, words in enumerate((("run-local", "--project"), RUN, RUN, ("run-local", "--project")), 1):
        assert made.invoke(*words, "counting").exit == 0
        assert place(made, "counting", ".artifacts/state").read_text() == "x\n" * number
        hosts.append(place(made, "counting", ".artifacts/host").read_text())
    assert len(set(hosts)) == 3


def plainly(docker: Engine, checkout: Checkout, project: str, image: str, to: Path, memory: str = "128m") -> int:
    """Run an image as one does without our tasks, its artifacts in a volume, and copy them out; the exit code."""
    params = checkout.invoke("params", "--project", project).stdout.encode()
    name = f"handoff-test-{random.randrange(10**9)}"
    options = ("--interactive", "--name", name, "--label", LABEL, "--read-only", "--user", "10001", "-m", memory)
    try:
        said = docker.run("run", *options, image, "run", "--params", "-", given=params)
        to.mkdir()
        docker.tell("cp", f"{name}:/app/.artifacts", str(to))
        return said.exit
    finally:
        docker.run("rm", "--force", "--volumes", name)


def test_a_run_without_state_leaves_the_one_that_is_here(made: Checkout) -> None:
    state = place(made, "shop", ".artifacts/state")
    state.parent.mkdir()
    state.write_bytes(b"old")
    result = made.invoke("run-local", "--project", "shop", "--container", "--no-state")
    assert (result.exit, state.read_bytes(), record(made, "shop")["state"]["mode"]) == (0, b"old", "none")


def test_word_count_gives_the_same_everywhere(checkout: Checkout, legacy: Engine, tmp_path: Path) -> None:
    directory = checkout.sample("word-count")
    assert checkout.invoke("run-local").exit == 0
    here = kept(directory)
    image = build(checkout, legacy, "word-count")
    fresh(directory)
    assert checkout.invoke(*RUN, "word-count").exit == 0
    assert kept(directory) == here
    assert plainly(legacy, checkout, "word-count", image, tmp_path / "plain") == 0
    assert kept(tmp_path / "plain") == here


def test_podman_gives_the_same(checkout: Checkout, podman: Engine) -> None:
    directory = place(checkout, "shop")
    new(checkout, "shop", SHOP, FILES)
    here = told_of(checkout.invoke("run-local"), directory)
    artifacts = kept(directory)
    fresh(directory)
    build(checkout, podman, "shop")
    inside = told_of(checkout.invoke("run-local", "--container", "--builder", "podman", env=podman.env), directory)
    assert inside[0] == 0, inside
    assert inside[2].splitlines() == here[2].splitlines()
    assert inside == here
    assert kept(directory) == artifacts
    assert podman.tell("ps", "--all", "--quiet", "--filter", OURS) == ""


def test_the_elements_give_the_same_everywhere(checkout: Checkout, legacy: Engine, tmp_path: Path) -> None:
    """The tap's state names its file by the whole path: that is /app/elements.jsonl in the image."""
    directory = checkout.sample("elements")
    image = build(checkout, legacy, "elements")
    assert checkout.invoke("install").exit == 0
    assert checkout.invoke("run-local").exit == 0
    here = {name: held.replace(str(directory).encode(), b"/app") for name, (_, held) in kept(directory).items()}
    fresh(directory)
    assert checkout.invoke(*RUN, "elements").exit == 0
    same = ("collector_stats.json", "elements.jsonl", "state", "stdout.log")
    inside = {name: held for name, (_, held) in kept(directory).items()}
    assert {name: inside[name] for name in same} == {name: here[name] for name in same}
    assert sorted(inside) == sorted(here)
    rows = [[stage["rows_in"], stage["rows_out"]] for stage in json.loads(inside["run.json"])["stages"]]
    assert rows == [[stage["rows_in"], stage["rows_out"]] for stage in json.loads(here["run.json"])["stages"]]
    assert plainly(legacy, checkout, "elements", image, tmp_path / "plain") == 0
    plain = {name: held for name, (_, held) in kept(tmp_path / "plain").items()}
    assert {name: plain[name] for name in same} == {name: here[name] for name in same}
    assert checkout.invoke(*RUN, "elements").exit == 0
    stats = json.loads(place(checkout, "elements", ".artifacts/collector_stats.json").read_bytes())
    assert stats == {"rows_read": 0, "streams": {}}


def started(checkout: Checkout, project: str, mark: str = "running") -> subprocess.Popen[bytes]:
    """A run that goes on until it is told."""
    process = checkout.start(*RUN, project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: place(checkout, project, f".artifacts/{mark}").exists() or process.poll() is not None, mark)
    return process


def ended(process: subprocess.Popen[bytes]) -> InvokeResult:
    with process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    return InvokeResult(process.returncode, stdout.decode(), stderr.decode())


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, id="SIGINT"),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
        pytest.param(None, 143, id="docker stop"),
    ],
)
def test_a_stopped_run_lets_what_is_downstream_drain(
    made: Checkout, docker: Engine, number: int | None, code: int
) -> None:
    process = started(made, "loop")
    got = place(made, "loop", ".artifacts/got")
    until(lambda: got.exists() and got.stat().st_size > 10)
    begun = time.monotonic()
    if number is None:
        docker.tell("stop", "--time", "5", *containers(docker, "running"))
    else:
        process.send_signal(number)
    result = ended(process)
    assert (result.exit, result.stdout, time.monotonic() - begun < 4) == (code, "", True)
    found = record(made, "loop")
    name = signal.Signals(number or signal.SIGTERM).name
    assert [found[key] for key in ("outcome", "exit", "culprit", "reason")] == [
        "stopped",
        code,
        None,
        f"stopped by {name}",
    ]
    assert [stage["verdict"] for stage in found["stages"]] == ["not needed", "ok", "ok"]
    assert [(stage["exit"], stage["signal"]) for stage in found["stages"]] == [(None, 15), (0, None), (0, None)]
    *rows, last = got.read_text().splitlines()
    assert (last, rows) == ("committed", [str(number) for number in range(1, len(rows) + 1)])
    assert place(made, "loop", ".artifacts/stdout.log").read_bytes() == b"end\n"
    assert f"{name} received, stopping touch, cat, cat-2\n" in result.stderr


def client_of(process: subprocess.Popen[bytes]) -> bool:
    """Whether invoke has started the one that makes the container."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        lines = [Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in children.read_text().split()]
    except OSError:
        return process.poll() is not None
    return process.poll() is not None or any(line[1:2] == ["run"] for line in lines)


@pytest.mark.parametrize("delay", [step * 0.015 for step in range(20)])
def test_a_signal_while_the_container_is_made(made: Checkout, docker: Engine, delay: float) -> None:
    number, code = random.choice([(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    process = made.start(*RUN, "loop", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: client_of(process), "the client")
    time.sleep(delay)
    process.send_signal(number)
    begun = time.monotonic()
    result = ended(process)
    assert (result.exit, containers(docker), "Traceback" in result.stderr) == (code, [], False), result
    assert time.monotonic() - begun < 10
    assert record(made, "loop")["outcome"] == "stopped"


@pytest.mark.parametrize("wait", ["client", "running"])
def test_nothing_runs_on_when_invoke_is_killed(made: Checkout, docker: Engine, wait: str) -> None:
    if wait == "running":
        process = started(made, "loop")
    else:
        process = made.start(*RUN, "loop", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: client_of(process), "the client")
    process.kill()
    ended(process)
    until(lambda: not containers(docker), "the end of the container", seconds=15)
    time.sleep(1)
    assert containers(docker) == []
    if wait == "running":
        assert record(made, "loop")["outcome"] == "stopped"


def test_the_first_process_reaps_and_ends_what_is_left_and_its_volume_goes(made: Checkout, docker: Engine) -> None:
    process = started(made, "daemons", "stays")
    container = containers(docker, "running")[0]
    mounts = docker.inspect(container)["Mounts"]
    volumes = {mount["Destination"]: mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    assert list(volumes) == ["/tmp"]

    def commands() -> list[str]:
        return [found.command for found in docker.processes(container) if "daemons.py" in found.command]

    until(lambda: not commands(), "the daemons")
    found = docker.processes(container)
    assert [each for each in found if each.state == "Z"] == []
    assert [each.parent for each in found if "trap" in each.command] == [1]
    assert next(each.command for each in found if each.pid == 1).startswith(
        "python /opt/handoff/handoff_runtime/start.py run"
    )
    assert not place(made, "daemons", ".artifacts/told").exists()
    place(made, "daemons", ".artifacts/go").touch()
    assert ended(process).exit == 0
    assert place(made, "daemons", ".artifacts/told").read_text() == "told\n"
    assert docker.run("volume", "inspect", volumes["/tmp"]).exit != 0


def test_a_stage_that_was_killed_for_memory(made: Checkout) -> None:
    result = made.invoke(*RUN, "hungry", "--memory", "64m")
    assert (result.exit, result.stdout) == (137, "")
    reason = "stage python was killed for memory: the limit of 64 MiB was reached"
    found = record(made, "hungry")
    assert [found[key] for key in ("outcome", "exit", "culprit", "reason")] == ["failed", 137, "python", reason]
    assert f": {reason}\n" in result.stderr
    assert result.stderr.splitlines()[-2:] == [
        "next: less projects/hungry/.artifacts/stderr.log",
        "the container ran out of memory; give it more: invoke run-local --container --project hungry --memory 1g",
    ]
    assert made.invoke(*RUN, "hungry", "--memory", "1g").exit == 0


def test_a_runtime_that_was_killed_for_memory(made: Checkout) -> None:
    """How far it comes with so little differs: it may have begun its record, or not."""
    result = made.invoke(*RUN, "shop", "--memory", "6m")
    assert (result.exit, result.stdout) == (137, "")
    *begun, last = result.stderr.splitlines()
    assert last == (
        "the container ran out of memory; give it more: invoke run-local --container --project shop --memory 1g"
    )
    assert begun in (
        [],
        [
            "the runtime was killed before it recorded how the run ended",
            "next: invoke run-local --container --project shop",
        ],
    )


def test_the_live_view(made: Checkout) -> None:
    shown = show(made, *RUN, "steady")
    shown.read_until(lambda: "| line 7" in shown.text)
    shown.read_until(lambda: len([line for line in shown.lines[-4:] if " running " in line]) == 3)
    rows = [re.split(r"  +", line.strip()) for line in shown.lines[-4:]]
    assert rows[0] == ["stage", "state", "rows", "rows/s", "bytes", "elapsed"]
    assert [row[:2] for row in rows[1:]] == [["shell", "running"], ["cat", "running"], ["wc", "running"]]
    assert all(re.fullmatch(r"[1-9],000", row[2]) for row in rows[1:3])
    assert shown.finish() == 0
    lines = [re.sub(r"^\d\d:\d\d:\d\d", "TIME", line) for line in shown.lines if line]
    assert lines[1:10] == [f"TIME shell   | line {number}" for number in range(1, 10)]
    assert re.fullmatch(r"TIME handoff \| succeeded after \d+\.\d s", lines[10])
    assert [line.split()[0] for line in lines[11:]] == ["stage", "shell", "cat", "wc", "state:", "artifacts:", "next:"]


def test_control_c_on_a_terminal(made: Checkout) -> None:
    shown = show(made, *RUN, "loop")
    shown.read_until(lambda: len([line for line in shown.lines[-4:] if " running " in line]) == 3)
    shown.type(b"\x03")
    assert shown.finish() == 130
    assert record(made, "loop")["outcome"] == "stopped"
    assert "stopped by SIGINT" in "\n".join(shown.lines)


def test_dry_runs_nothing(made: Checkout, images: Mapping[str, str], docker: Engine) -> None:
    tree = made.tree()
    result = made.invoke(*RUN, "steady", "--dry")
    assert (result.exit, result.stdout, made.tree(), containers(docker)) == (0, "", tree, [])
    assert result.stderr.startswith(f"would run, in a container of {images['steady']}:\nsh -c 'for i in 1 2 ")


@pytest.mark.parametrize("stale", [False, True])
def test_without_its_image(checkout: Checkout, legacy: Engine, *, stale: bool) -> None:
    directory = new(checkout, "shop", SHOP, FILES)
    if stale:
        build(checkout, legacy, "shop")
        (directory / "text").write_text("changed")
    tree = checkout.tree()
    result = checkout.invoke(*RUN, "shop")
    error, hint = result.stderr.splitlines()
    expected = r"error: image of shop: no image of the current project files, expected handoff-shop:[0-9a-f]{12}"
    assert (result.exit, result.stdout, checkout.tree()) == (1, "", tree)
    assert re.fullmatch(expected, error)
    assert hint == "hint: invoke build --project shop"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param(("--memory", "64m"), "--memory needs --container", id="alone"),
        pytest.param(
            ("--container", "--memory", "64 MB"),
            "--memory: found '64 MB', expected bytes, or a number with k, m or g",
            id="form",
        ),
    ],
)
def test_flags_that_are_wrong(checkout: Checkout, words: tuple[str, ...], error: str) -> None:
    checkout.project("shop", SHOP, FILES)
    result = checkout.invoke("run-local", *words)
    assert (result.exit, result.stdout, result.stderr.splitlines()[0]) == (2, "", f"error: {error}")
