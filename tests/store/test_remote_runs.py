"""Runs whose store is in AWS, as a container has them: the real runtime, a real server, a fresh workspace each."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import PYTHON, script, until

from handoff_runtime import s3_keys

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.runtime_project import Running
    from doubles.stack_fixture import Stack

pytestmark = pytest.mark.takes(100)


COUNT = "read n < .artifacts/state || n=0; echo $((n+1)) > .artifacts/counter; echo $((n+1))"
ODD = ("a b.txt", "ümläut/日本.txt", "q'uo\"te.txt", "plus+and&%41.txt", "a/b/c/d e/f", "-dash")
EMIT = script(
    "import json, os, sys, time\nfor number in range(1, 1000):\n    print(json.dumps({'at': number}), flush=True)\n"
    "    time.sleep(0.05)\n    if os.path.exists('enough'): break"
)
WAIT = "touch running; until [ -e go ]; do sleep 0.02; done; echo new"


def test_the_second_run_begins_with_what_the_first_left(stack: Stack) -> None:
    stack.put(".env/files/words/some.txt", b"some words\n")
    stack.push(
        "cat .env/files/words/some.txt .env/config/api.json > .artifacts/seen; ls .artifacts > listed; " + COUNT,
        files={"api.json": '{"token": "hunter2-secret"}'},
    )
    first = stack.run()
    second = stack.run()
    assert ((first.exit, first.stderr and first.state), (second.exit, second.state)) == ((0, b"1\n"), (0, b"2\n"))
    assert (stack.state, stack.get(".artifacts/counter")) == (b"2\n", b"2\n")
    assert stack.get(".artifacts/seen") == b'some words\n{"token": "hunter2-secret"}'
    listed = stack.made[-1].path("listed").read_text().split()
    assert (listed, stack.lock["released"]) == (
        ["counter", "run.json", "run.json.end", "seen", "state", "stderr.log", "stdout.log"],
        True,
    )


def test_what_is_stored_of_a_run(stack: Stack) -> None:
    stack.push("seq 3", "wc -l")
    done = stack.run("-d", '{"run_id": "run-1"}', env={"TRIGGER": "schedule", "IMAGE_DIGEST": "sha256:abc"})
    stored = stack.moto_bucket.boto("ssm").get_parameter(
        Name=s3_keys.parameter(stack.moto_bucket.stack), WithDecryption=True
    )
    sha256 = hashlib.sha256(stored["Parameter"]["Value"].encode()).hexdigest()
    record = stack.record("run-1")
    assert record == done.record
    facts = [record[name] for name in ("outcome", "exit", "trigger", "params_version", "params_sha256", "image_digest")]
    assert facts == ["succeeded", 0, "schedule", "1", sha256, "sha256:abc"]
    assert record["state"]["replaced"] is True
    names = ("run_id", "outcome", "exit", "rows", "state_replaced", "params_version", "trigger")
    assert stack.history_fields(*names) == [("run-1", "succeeded", 0, 3, True, "1", "schedule")]
    day = record["started_at"][:10]
    run = [
        f"runs/run-1/{name}"
        for name in (
            "artifacts/run.json",
            "artifacts/state",
            "artifacts/stderr.log",
            "artifacts/stdout.log",
            "run.json",
        )
    ]
    assert stack.below() == [".artifacts/state", ".lock", f"history/{day}.jsonl", *run]
    assert (stack.lock["entry"], stack.lock["dead"]) == (stack.history()[0], [])
    log = (stack.get("runs/run-1/artifacts/stderr.log") or b"").decode()
    assert "run run-1 of sample: seq | wc" in log


def test_files_and_artifacts_with_odd_names(stack: Stack) -> None:
    for name in ODD:
        stack.put(f".env/files/{name}", name.encode())
    stack.push(
        "mkdir -p .artifacts/got; cp -r .env/files/. .artifacts/got; echo x > '.artifacts/got/new ✓.txt'", state="all"
    )
    assert (stack.run().exit, stack.run().exit) == (0, 0)
    got = {path: stack.get(f".artifacts/got/{path}") for path in stack.below(".artifacts/got/")}
    assert got == {**{name: name.encode() for name in ODD}, "new ✓.txt": b"x\n"}


def test_a_failed_run_keeps_the_state_and_is_recorded(stack: Stack) -> None:
    stack.put(".artifacts/state", b"7\n")
    stack.push("echo 8; exit 3")
    done = stack.run("-d", '{"run_id": "run-1"}')
    assert (done.exit, stack.state, stack.record("run-1")["outcome"]) == (3, b"7\n", "failed")
    assert stack.history_fields("outcome", "exit", "state_replaced", "culprit") == [("failed", 3, False, "echo")]
    assert stack.lock["released"] is True


@pytest.mark.parametrize(
    ("mode", "shell"), [("all", "true"), ("all", "printf ''"), ("singer", "echo {}"), ("singer", "true")]
)
def test_an_empty_state_never_replaces_a_full_one(stack: Stack, mode: str, shell: str) -> None:
    stack.put(".artifacts/state", b'{"at": 7}\n')
    assert stack.push(shell, state=mode).run().exit == 0
    assert stack.state == b'{"at": 7}\n'
    assert stack.history_fields("outcome", "state_replaced") == [("succeeded", False)]


def test_an_output_that_says_nothing_does_not_replace_a_state(stack: Stack) -> None:
    stack.put(".artifacts/state", b'{"at": 7}\n')
    done = stack.push("echo '{}'", state="all").run("-d", '{"run_id": "run-1"}')
    assert (done.exit, stack.state) == (69, b'{"at": 7}\n')
    assert "an empty state found, which may not replace one of 10 bytes" in stack.record("run-1")["reason"]
    assert stack.history_fields("outcome", "exit", "state_replaced") == [("failed", 69, False)]


def test_a_first_singer_run_without_a_state_leaves_none(stack: Stack) -> None:
    assert stack.push(["cat", ".artifacts/state"], state="singer").run().exit == 0
    assert (stack.state, stack.history_fields("state_replaced")) == (None, [(False,)])


@pytest.mark.parametrize("stored", [b'{"at": 7}\n', None], ids=["one stored", "none stored"])
@pytest.mark.parametrize("way", ["flag", "environment"])
def test_a_run_without_state_neither_reads_nor_stores_one(stack: Stack, stored: bytes | None, way: str) -> None:
    if stored:
        stack.put(".artifacts/state", stored)
    tap = ["sh", "-c", 'cat "$2" >&2; echo x > .artifacts/made', "tap", "--state", ".artifacts/state"]
    stack.push(tap, """cat; echo '{"at": 1}'""", state="singer")
    words, env = (("--no-state",), {}) if way == "flag" else ((), {"HANDOFF_NO_STATE": "1"})
    done = stack.run("-d", '{"run_id": "run-1"}', *words, env=env)
    assert (done.exit, done.said("sh"), stack.state) == (0, ["{}"], stored)
    assert stack.record("run-1")["state"] == {"mode": "none", "before": None, "after": None, "replaced": False}
    assert stack.history_fields("outcome", "state_replaced") == [("succeeded", False)]
    runs = [path for path in stack.below() if "state" in path]
    assert (runs, stack.get(".artifacts/made")) == ([".artifacts/state"] if stored else [], b"x\n")
    assert stack.run().said("sh") == [stored.decode().strip() if stored else "{}"]


def test_show_commands_and_functions(stack: Stack) -> None:
    stack.push("echo {{ word }}", vars={"word": "hello"}, files={"api.json": '{"token": "hunter2-secret"}'})
    shown = stack.run("show_commands")
    assert (shown.exit, shown.stdout, stack.below()) == (0, b"sh -c 'echo hello'\n", [])
    project = stack.container()
    code = "def look(params, data):\n    print(params['pipeline']['project'], data['x'], open('.env/files/f').read())\n"
    project.write("impl.py", code)
    stack.put(".env/files/f", b"a file")
    stack.put(".artifacts/state", b"7\n")
    done = stack.run("look", "-d", '{"x": 5}', project=project)
    assert (done.exit, project.output(), stack.state) == (0, b"sample 5 a file\n", b"7\n")
    assert stack.history_fields("command", "outcome", "state_replaced") == [("look", "succeeded", False)]
    assert stack.run("nothing").exit == 64
    assert stack.lock["released"] is True


def test_secrets_are_in_the_parameter_alone(stack: Stack) -> None:
    secrets = ["hunter2-secret", "s3cr3t value", "from-the-store-9"]
    client = stack.moto_bucket.boto("ssm")
    client.put_parameter(Name="/team/token", Value=secrets[2], Type="SecureString", Overwrite=True)
    files = {"api.json": json.dumps({"token": secrets[0], "ref": "ssm:/team/token"}), "plain": secrets[1]}
    stack.push(
        "cat .env/config/api.json .env/config/plain >&2; echo {{ who }}; ls .env/config > .artifacts/names", files=files
    )
    done = stack.run("-d", json.dumps({"who": "me", "note": secrets[0]}))
    assert (done.exit, "***" in done.stderr) == (0, True)
    texts = [done.stderr, json.dumps(done.record), *((stack.get(path) or b"").decode() for path in stack.below())]
    assert [secret for secret in secrets for text in texts if secret in text] == []


def test_references_are_resolved_where_the_store_is_not_in_aws_too(stack: Stack) -> None:
    client = stack.moto_bucket.boto("ssm")
    client.put_parameter(Name="/team/token", Value="from-the-store-9", Type="SecureString", Overwrite=True)
    project = stack.container()
    project.params("cat .env/config/api.json", files={"api.json": '{"token": "ssm:/team/token", "url": "https://x"}'})
    done = project.run(env={**stack.environ, "STACK_NAME": "", "S3_BUCKET_NAME": ""})
    assert (done.exit, done.state) == (0, b'{\n  "token": "from-the-store-9",\n  "url": "https://x"\n}')
    project.params("cat .env/config/api.json", files={"api.json": '{"token": "ssm:/team/nothing"}'})
    done = project.run(env={**stack.environ, "STACK_NAME": "", "S3_BUCKET_NAME": ""})
    assert (done.exit, "references without a value: .local/api.json: token: ssm:/team/nothing" in done.stderr) == (
        69,
        True,
    )


def test_a_python_without_boto3_is_told(stack: Stack) -> None:
    """An image with `store: none`, given a store all the same."""
    code = "import runpy, sys; sys.modules['boto3'] = None; runpy.run_module('handoff_runtime', run_name='__main__')"
    done = stack.run(python=(PYTHON, "-c", code))
    assert (done.exit, done.stderr.splitlines()) == (
        69,
        [
            f"error: boto3: not installed for {PYTHON}, expected for the store in AWS",
            "hint: in project.yml: image: {store: aws}, then: invoke build; elsewhere: pip install boto3",
        ],
    )


# signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"])
def test_a_stop_while_the_params_load(stack: Stack, proxy: Proxy, number: int, code: int) -> None:
    stack.push("echo new")
    proxy.fault("wait", path="GetParameter", seconds=8)
    running = stack.start(env={"AWS_ENDPOINT_URL": proxy.url, "STOP_TIMEOUT": "4"})
    until(lambda: proxy.calls or running.process.poll() is not None)
    running.send(number)
    sent_at = time.monotonic()
    assert (running.finish().exit, time.monotonic() - sent_at < 2, stack.below()) == (code, True, [])


@pytest.mark.parametrize("path", [".env/files/f", ".artifacts/state", "list-type=2"])
def test_a_stop_while_fetching(stack: Stack, proxy: Proxy, path: str) -> None:
    stack.put(".env/files/f", b"a file")
    stack.put(".artifacts/state", b"7\n")
    stack.push("touch ran; echo new")
    wait = proxy.fault("wait", method="GET", path=path, seconds=5, times=1)
    running = stack.start("-d", '{"run_id": "run-1"}', env={"AWS_ENDPOINT_URL": proxy.url, "STOP_TIMEOUT": "4"})
    until(lambda: wait.done or running.process.poll() is not None)
    running.send(signal.SIGTERM)
    sent_at = time.monotonic()
    done = running.finish()
    assert done.exit == 143, done.stderr
    assert (done.exit, time.monotonic() - sent_at < 4, running.project.path("ran").exists()) == (143, True, False)
    record = stack.record("run-1")
    assert (record["outcome"], record["reason"], stack.lock["released"]) == ("stopped", "stopped by SIGTERM", True)
    assert (stack.history_fields("outcome", "exit", "state_replaced"), stack.state) == (
        [("stopped", 143, False)],
        b"7\n",
    )


def test_a_stop_in_the_middle(stack: Stack) -> None:
    stack.put(".artifacts/state", b"7\n")
    stack.push("echo part > .artifacts/part; touch running; sleep 60", "cat")
    running = stack.start("-d", '{"run_id": "run-1"}', env={"STOP_TIMEOUT": "4"})
    running.wait_for("running")
    running.send(signal.SIGTERM)
    sent_at = time.monotonic()
    assert (running.finish().exit, time.monotonic() - sent_at < 4, running.left()) == (143, True, [])
    assert (stack.record("run-1")["outcome"], stack.lock["released"], stack.state) == ("stopped", True, b"7\n")
    assert (stack.history_fields("outcome"), stack.get(".artifacts/part")) == ([("stopped",)], b"part\n")


def test_a_stop_of_stages_that_do_not_listen_leaves_time_to_store(stack: Stack) -> None:
    stubborn = script(
        "import signal, time\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n"
        "open('running', 'w').close()\ntime.sleep(60)"
    )
    running = stack.push(stubborn).start("-d", '{"run_id": "run-1"}', env={"STOP_TIMEOUT": "4"})
    running.wait_for("running")
    running.send(signal.SIGTERM)
    sent_at = time.monotonic()
    assert (running.finish().exit, time.monotonic() - sent_at < 4) == (143, True)
    assert (stack.record("run-1")["outcome"], stack.lock["released"]) == ("stopped", True)


@pytest.mark.parametrize(
    ("path", "every"), [("/artifacts/stdout.log", 1), ("run-1/run.json", 2), ("history/", 1), (".artifacts/state", 1)]
)
def test_a_stop_while_storing_changes_nothing_any_more(stack: Stack, proxy: Proxy, path: str, every: int) -> None:
    """What was earned is stored, and the run is what it was."""
    stack.push("echo 8")
    wait = proxy.fault("wait", method="PUT", path=path, every=every, seconds=1.5, times=1)
    running = stack.start("-d", '{"run_id": "run-1"}', env={"AWS_ENDPOINT_URL": proxy.url, "STOP_TIMEOUT": "4"})
    until(lambda: wait.done or running.process.poll() is not None)
    running.send(signal.SIGTERM)
    sent_at = time.monotonic()
    assert (running.finish().exit, time.monotonic() - sent_at < 4) == (0, True)
    assert (stack.record("run-1")["outcome"], stack.lock["released"], stack.state) == ("succeeded", True, b"8\n")


def test_a_stop_while_what_a_failed_fetch_left_is_stored(stack: Stack, proxy: Proxy) -> None:
    stack.put(".env/files/f", b"a file")
    stack.push("echo 8")
    proxy.fault("answer", method="GET", path=".env/files/f", status=403, code="AccessDenied")
    wait = proxy.fault("wait", method="PUT", path="/artifacts/run.json", seconds=1, times=1)
    running = stack.start("-d", '{"run_id": "run-1"}', env={"AWS_ENDPOINT_URL": proxy.url})
    until(lambda: wait.seen or running.process.poll() is not None)
    running.send(signal.SIGTERM)
    assert (running.finish().exit, stack.record("run-1")["outcome"], stack.lock["released"]) == (69, "failed", True)


@pytest.mark.parametrize("stages", ["sleep 60", "echo 8"], ids=["in the middle", "while storing"])
def test_a_store_that_does_not_answer_does_not_outlast_the_grace_time(stack: Stack, proxy: Proxy, stages: str) -> None:
    stack.push(f"touch running; until [ -e go ]; do sleep 0.02; done; {stages}")
    env = {"AWS_ENDPOINT_URL": proxy.url, "STOP_TIMEOUT": "8"}
    running = stack.start("-d", '{"run_id": "run-1"}', env=env)
    running.wait_for("running")
    wait = proxy.fault("wait", method="PUT", seconds=20)
    running.project.write("go", "")
    until(lambda: stages != "echo 8" or wait.seen or running.process.poll() is not None)
    running.send(signal.SIGTERM)
    sent_at = time.monotonic()
    done = running.finish()
    assert (done.exit, time.monotonic() - sent_at < 8) == (69 if stages == "echo 8" else 143, True)
    assert "the store did not take what the run left before the time to stop was over" in done.stderr
    assert done.record["state"]["replaced"] is False
    assert (stack.state, stack.history_fields("run_id"), stack.record("run-1")["outcome"]) == (None, [], "running")


# killed


def test_whoever_comes_after_a_killed_run_tells_that_it_was(stack: Stack) -> None:
    running = stack.push("touch running; sleep 60").start("-d", '{"run_id": "run-1"}')
    running.wait_for("running")
    running.process.kill()
    running.process.wait()
    stack.expire_lease()
    assert stack.push("echo 8").run("-d", '{"run_id": "run-2"}').exit == 0
    result = stack.history_fields("run_id", "outcome", "exit", "ended_at", "state_replaced", "trigger")
    assert result[0] == ("run-1", "killed", None, None, False, "local")
    assert (result[1][:3], stack.lock["dead"]) == (("run-2", "succeeded", 0), [])
    assert stack.run("-d", '{"run_id": "run-3"}').exit == 0
    assert [outcome for (outcome,) in stack.history_fields("outcome")] == ["killed", "succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("path", "outcomes"),
    [
        pytest.param("/artifacts/stdout.log", "killed", id="before the record"),
        pytest.param("history/", "killed", id="before the line"),
        pytest.param(".artifacts/state", "killed", id="before the state"),
        pytest.param(".lock", "succeeded", id="before the lease is back"),
    ],
)
def test_a_run_killed_while_storing_says_it_replaced_the_state_only_if_it_did(
    stack: Stack, proxy: Proxy, path: str, outcomes: str
) -> None:
    stack.put(".artifacts/state", b"7\n")
    stack.push("touch ran; until [ -e go ]; do sleep 0.02; done; echo 8")
    env = {"AWS_ENDPOINT_URL": proxy.url}
    running = stack.start("-d", '{"run_id": "run-1"}', env=env)
    running.wait_for("ran")
    wait = proxy.fault("answer", method="PUT", path=path)
    running.project.write("go", "")
    until(lambda: wait.seen or running.process.poll() is not None)
    running.process.kill()
    running.process.wait()
    stack.expire_lease()
    before = stack.state
    assert stack.push("sh -c 'exit 3'").run("-d", '{"run_id": "run-2"}').exit == 3
    replaced = outcomes == "succeeded"
    assert (before, stack.history_fields("run_id", "outcome", "state_replaced")[0]) == (
        b"8\n" if replaced else b"7\n",
        ("run-1", outcomes, replaced),
    )
    record = stack.record("run-1")
    assert (record["outcome"], record["state"]["replaced"]) == (outcomes, replaced)


# Singer states while the run goes on


def test_a_state_emitted_before_a_kill_is_kept(stack: Stack) -> None:
    stack.put(".artifacts/state", b'{"at": 0}\n')
    running = stack.push(EMIT, state="singer").start(python=stack.hurried(look=0.1, apart=0.3))
    until(lambda: json.loads(stack.state or b"{}")["at"] >= 12 or running.process.poll() is not None, "a later state")
    running.process.kill()
    running.process.wait()
    stack.expire_lease()
    kept = stack.state or b""
    until(lambda: not running.left(), "the stages' end")
    again = stack.push("cp .artifacts/state .artifacts/begun; echo '{\"at\": 99}'", state="singer").run()
    assert (again.exit, stack.get(".artifacts/begun"), stack.state) == (0, kept, b'{"at": 99}\n')
    assert json.loads(kept)["at"] >= 12


def test_the_last_emitted_state_is_stored_at_the_end(stack: Stack) -> None:
    running = stack.push(EMIT, state="singer").start(python=stack.hurried(look=0.1, apart=0.2))
    until(lambda: stack.state or running.process.poll() is not None, "a first state")
    running.project.write("enough", "")
    done = running.finish()
    assert (done.exit, stack.state, done.record["state"]["replaced"]) == (0, done.state, True)
    assert ".artifacts/state.emitted" not in stack.below()


# how much of a machine it takes


def test_a_large_artifact_goes_through_with_flat_memory(stack: Stack) -> None:
    """Three hundred megabytes there and back, beside a run with a few bytes."""
    stack.push("head -c {{ size }} /dev/zero > .artifacts/large", "true", vars={"size": "9"})
    small = peak(stack.start())
    large = peak(stack.start("-d", '{"size": "300000000"}'))
    stack.push("stat -c %s .artifacts/large > size")
    again = stack.start()
    fetching = peak(again)
    assert again.project.path("size").read_text() == "300000000\n"
    assert (large - small < 60_000, fetching - small < 60_000) == (True, True), (small, large, fetching)


def peak(running: Running) -> int:
    """The runtime's largest memory in kB, to its end."""
    most, status = 0, Path(f"/proc/{running.process.pid}/status")
    while running.process.poll() is None:
        lines = status.read_text().splitlines()
        most = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), most)
        time.sleep(0.02)
    assert running.finish().exit == 0
    return most
