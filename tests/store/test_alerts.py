"""What people are notified of at the end of a run in AWS, and what a run leaves that was refused before it began."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime import alert, s3_keys, stored_json

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.stack_fixture import Stack

pytestmark = pytest.mark.takes(60)

NAMES = {"HANDOFF_EXECUTION": "exec-1", "HANDOFF_PROJECT": "sample", "HANDOFF_ENVIRONMENT": "dev"}
OPTIONS = "--project sample --environment dev"
EMIT = """printf '{"type": "SCHEMA", "stream": "s", "schema": {}}\\n'; for i in $(seq %d); do printf '%%s\\n' """
EMIT += """'{"type": "RECORD", "stream": "s", "record": {}}'; done; printf '{"type": "STATE", "value": {}}\\n'"""
SINK = """cat > .artifacts/got; echo '{"at": 8}'"""
OTHER = {"run_id": "run-0", "holder": "other", "released": False, "lease_seconds": 80}
OPEN = b'{"kind": "failed", "subject": "handoff dev/sample: failed, exit 1", "since": "2026-01-31T02:00:00Z"}'


def alerts(stack: Stack) -> dict[str, Any]:
    return {name: json.loads(stack.get(f"alerts/{name}") or b"") for name in stack.below("alerts/")}


def store_params(stack: Stack, text: str) -> None:
    name = s3_keys.parameter(stack.moto_bucket.stack)
    stack.moto_bucket.boto("ssm").put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)


@pytest.mark.parametrize(
    ("stages", "code", "culprit", "reason"),
    [
        pytest.param(["exit 1", "cat"], 1, "exit", "stage exit ended with exit 1", id="exit 1"),
        pytest.param(["exit 124"], 124, "exit", "stage exit ended with exit 124", id="exit 124"),
        pytest.param([["/etc/hosts"]], 126, "hosts", "stage hosts: cannot start '/etc/hosts'", id="not executable"),
        pytest.param([["no-such-tap"]], 127, "no-such-tap", "'no-such-tap': not found in PATH", id="not there"),
        pytest.param(["kill -9 $$"], 137, "kill", "stage kill was ended by SIGKILL (out of memory?)", id="killed"),
        pytest.param(["echo '{}'"], 69, None, "an empty state found", id="the state cannot be stored"),
    ],
)
def test_a_run_that_failed(stack: Stack, stages: list[Any], code: int, culprit: str | None, reason: str) -> None:
    stack.put(".artifacts/state", b'{"at": 7}\n')
    done = stack.push(*stages, state="all").run("-d", '{"run_id": "run-1", "day": "a b"}', env=NAMES)
    found = alerts(stack)["exec-1.json"]
    record = stack.record("run-1")
    assert (done.exit, record["exit"], record["culprit"], found["format"], found["kind"]) == (
        code,
        code,
        culprit,
        1,
        "failed",
    )
    assert reason in record["reason"]
    assert found["subject"].startswith(f"handoff dev/sample: failed, {record['reason'][:40]}")
    text = found["text"].splitlines()
    assert text[:6] == [
        "project      sample",
        "environment  dev",
        "job          main",
        "trigger      local",
        "run          run-1",
        "outcome      failed",
    ]
    assert text[-4:] == [
        "To look at it:",
        f"  invoke history.show --remote --run run-1 {OPTIONS}",
        "To run it again:",
        f"""  invoke run {OPTIONS} --data '{{"day": "a b"}}'""",
    ]
    assert "failed after" in text[-6]


def test_what_a_message_must_not_say(stack: Stack) -> None:
    """Secrets; and without an execution of the state machine there is nobody to send it."""
    stack.push(
        "printf 'key \\033[31mhunter2-secret\\033[0m\\n' >&2; exit 3", files={"api.json": '{"token": "hunter2-secret"}'}
    )
    assert (stack.run("-d", '{"password": "x"}', env=NAMES).exit, len(alerts(stack))) == (3, 1)
    text = alerts(stack)["exec-1.json"]["text"]
    assert ("hunter2" in text, "| key ***\n" in text, "--data, which is secret" in text) == (False, True, True)
    assert stack.history_fields("data", "execution", "schedule") == [({"password": "***"}, "exec-1", None)]
    assert (stack.run().exit, len(alerts(stack))) == (3, 1)


@pytest.mark.parametrize(
    ("params", "data", "env", "code", "reason"),
    [
        pytest.param(None, "", {}, 69, "parameter", id="no params"),
        pytest.param("nonsense", "", {}, 78, "not a params document", id="damaged params"),
        pytest.param(
            json.dumps({"format": 1, "pipeline": {"format": 1, "project": "sample", "stages": []}}),
            "",
            {},
            78,
            "pipeline.stages",
            id="no stages",
        ),
        pytest.param("", "{", {}, 64, "DATA: text that is no JSON", id="wrong data"),
        pytest.param("", '{"run_id": "../x"}', {}, 64, "data: run_id", id="wrong run id"),
        pytest.param("", "", {"COMMAND": "mine"}, 64, "command 'mine': not found", id="no such command"),
        pytest.param("", "", {"HANDOFF_NO_STATE": "x"}, 64, "HANDOFF_NO_STATE: 'x' found", id="wrong variable"),
        pytest.param("", "", {"STOP_TIMEOUT": "x"}, 64, "STOP_TIMEOUT: 'x' found", id="wrong time to stop"),
        pytest.param("", '{"run_id": "run-1"}', {}, 75, "another run of this project", id="another run"),
    ],
)
def test_a_run_that_was_refused(
    stack: Stack, params: str | None, data: str, env: dict[str, str], code: int, reason: str
) -> None:
    """It has a record, a line and a message, and leaves alone what is another run's, of the same id too."""
    if params:
        store_params(stack, params)
    elif params is not None:
        stack.push("true")
    stack.put(".lock", json.dumps(OTHER).encode())
    stack.put("runs/run-1/run.json", b"another's")
    done = stack.run(*(("-d", data) if data else ()), env={**NAMES, **env}, python=stack.hurried(attempts=2))
    assert done.exit == code, done.stderr
    (line,) = stack.history()
    record = stack.record(line["run_id"])
    assert stored_json.find_damage(record, stored_json.RECORD) == ""
    fields = ("project", "environment", "outcome", "exit", "execution")
    assert [record[name] for name in fields] == ["sample", "dev", "failed", code, "exec-1"]
    assert (reason in record["reason"], line["reason"], line["exit"]) == (True, record["reason"], code)
    (found,) = alerts(stack).values()
    assert found["subject"].startswith("handoff dev/sample: failed, ")
    assert f"--run {record['run_id']} {OPTIONS}" in found["text"]
    assert (stack.lock, stack.get("runs/run-1/run.json")) == (OTHER, b"another's")


def test_the_exit_code_stays_where_the_store_takes_no_record(stack: Stack, proxy: Proxy) -> None:
    proxy.fault("answer", path="/", status=403, code="AccessDenied")
    stack.push("exit 3")
    proxy_env = {**NAMES, "AWS_ENDPOINT_URL_S3": proxy.url}
    done = stack.run("-d", "{", env=proxy_env, python=stack.hurried(attempts=2))
    assert (done.exit, "the store has no record of this run" in done.stderr, stack.below()) == (64, True, [])


def test_people_are_notified_where_the_record_cannot_be_written(stack: Stack, proxy: Proxy) -> None:
    proxy.fault("answer", path="/runs/", method="PUT", status=403, code="AccessDenied")
    proxy_env = {**NAMES, "AWS_ENDPOINT_URL_S3": proxy.url}
    done = stack.push("true").run("-d", "{", env=proxy_env, python=stack.hurried(attempts=2))
    assert (done.exit, stack.history(), list(alerts(stack))) == (64, [], ["exec-1.json"])


def test_an_alert_that_cannot_be_written(stack: Stack, proxy: Proxy) -> None:
    proxy.fault("answer", path="/alerts/", status=503, code="SlowDown")
    done = stack.push("exit 3").run(env={**NAMES, "AWS_ENDPOINT_URL_S3": proxy.url}, python=stack.hurried(attempts=2))
    assert (done.exit, stack.history_fields("exit"), alerts(stack)) == (3, [(3,)], {})
    assert "nobody is notified of this run" in done.stderr


def test_what_is_no_failure_notifies_nobody(stack: Stack) -> None:
    stack.put("alerts/open.json", OPEN)
    running = stack.push("touch started; sleep 60").start(env=NAMES)
    running.wait_for("started")
    running.send(signal.SIGTERM)
    assert running.finish().exit == 143
    stack.put(".lock", json.dumps(OTHER).encode())
    assert stack.push("true", overlap="skip").run(env=NAMES).exit == 0
    assert (stack.history_fields("outcome"), list(alerts(stack))) == ([("stopped",), ("skipped",)], ["open.json"])


def test_a_recovery_is_told_once_it_follows_a_failure(stack: Stack) -> None:
    """And of the pipeline alone: a function that succeeds says nothing of it."""
    stack.push("true")
    assert (stack.run(env=NAMES).exit, alerts(stack)) == (0, {})
    stack.put("alerts/open.json", OPEN)
    function = stack.container()
    function.write("impl.py", "def look(params, data):\n    pass\n")
    assert (stack.run("look", project=function, env=NAMES).exit, list(alerts(stack))) == (0, ["open.json"])
    assert stack.run("-d", '{"run_id": "run-2"}', env={**NAMES, "HANDOFF_SCHEDULE": "nightly"}).exit == 0
    text = (
        "project      sample\nenvironment  dev\njob          main\nschedule     nightly\nrun          run-2\n"
        "outcome      succeeded\nexit         0\n\n"
        "It had failed since 2026-01-31T02:00:00Z: handoff dev/sample: failed, exit 1\n\n"
        f"To look at it:\n  invoke history.show --remote --run run-2 {OPTIONS}\n"
    )
    subject = "handoff dev/sample: recovered, a run succeeded"
    assert alerts(stack)["exec-1.json"] == {"format": 1, "kind": "recovered", "subject": subject, "text": text}


def test_a_run_that_lost_its_lease_tells(stack: Stack) -> None:
    running = stack.push("touch started; sleep 60").start(env=NAMES, python=stack.hurried(heartbeat=0.3, lease=60))
    running.wait_for("started")
    stack.put(".lock", b'{"run_id": "run-2"}')
    assert running.finish().exit == 69
    assert "lease of this run is lost" in alerts(stack)["exec-1.json"]["text"]


@pytest.mark.parametrize(
    ("records", "code", "outcome"),
    [pytest.param(0, 65, "failed", id="too few"), pytest.param(2, 0, "succeeded", id="enough")],
)
def test_a_run_that_passed_fewer_rows_than_expected(stack: Stack, records: int, code: int, outcome: str) -> None:
    """The state is neither replaced at the end nor before it, and only a success moves the time of the next one."""
    stack.put(".artifacts/state", b'{"at": 7}\n')
    stack.push(EMIT % records, SINK, state="singer", expect={"success_within": 3600, "rows_at_least": 2})
    done = stack.run(env=NAMES, python=stack.hurried(look=0.01, apart=0.01))
    assert (done.exit, stack.history_fields("outcome", "culprit")) == (code, [(outcome, "printf" if code else None)])
    expected = json.loads(stack.get("expect/main.json") or b"null")
    if code:
        reason = "stage printf passed on 0 records, at least 2 expected"
        assert (stack.state, expected, done.record["reason"]) == (b'{"at": 7}\n', None, reason)
        assert alerts(stack)["exec-1.json"]["subject"] == f"handoff dev/sample: failed, {reason}"
    else:
        assert (stack.state, expected["name"][:8]) == (b'{"at": 8}\n', "silence-")


def test_the_time_of_the_next_success() -> None:
    assert alert.expectation(32 * 86400, 1_769_824_800) == {
        "by": "2026-03-04T02:00:00Z",
        "name": "silence-20260304T020000Z",
    }


def test_a_run_that_cannot_write_its_first_record(stack: Stack) -> None:
    """It had the lease, and S3 a record that says it runs: both say how it ended."""
    container = stack.container()
    container.write(".artifacts/run.json/file", "in the way")
    done = stack.push("touch ran").start("-d", '{"run_id": "run-1"}', project=container, env=NAMES)
    code = done.process.wait()
    assert (code, container.path("ran").exists(), stack.record("run-1")["outcome"]) == (69, False, "failed")
    assert (stack.lock["released"], stack.lock["entry"]["outcome"]) == (True, "failed")
    assert (stack.history_fields("run_id", "exit"), len(alerts(stack))) == ([("run-1", 69)], 1)


def test_a_run_that_loses_its_last_record_here(stack: Stack) -> None:
    done = stack.push("rm -r .artifacts; touch .artifacts").start("-d", '{"run_id": "run-1"}', env=NAMES)
    assert (done.process.wait(), stack.record("run-1")["outcome"]) == (69, "failed")
    assert (stack.history_fields("run_id", "exit"), len(alerts(stack))) == ([("run-1", 69)], 1)
