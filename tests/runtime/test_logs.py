"""What is told while a run goes on: tagged, masked, in two forms, to slow readers and to nobody."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import time
import urllib.parse
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import Project, script, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.takes(50)

PEM = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASC+canary/line1
BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj+canary/line2
-----END PRIVATE KEY-----
"""
VALUES = {
    "plain": "canary-plain-7f3a",
    "quotes": "canary \"quoted\" \\ and 'so'",
    "unicode": "canary-ключ-鍵-é",
    "ampersand": "canary&a=b<c>d",
    "slash": "canary/with+plus=and space",
    "number": 7391846205,
    "lines": "canary-first\ncanary-second",
    "pem": PEM,
}
FILES = {
    "tap.json": json.dumps({"deep": [{"er": VALUES}], "short": "ab", "flag": True}),
    "target.ini": "[section]\nAPI_KEY=canary-ini-55\nexport QUOTED='canary-ini-66'\nurl: https://u:canary-ini-77@host/\n",
    "key.pem": PEM,
}
SECRETS = [
    *(str(value) for key, value in VALUES.items() if key not in ("lines", "pem")),
    *["canary-first", "canary-second", "canary-ini-55", "canary-ini-66", "canary-env-88", "canary-stage-99"],
    *PEM.splitlines()[1:3],
]
SEEN = re.compile(r"canary|ключ|鍵|7391846205|line1|line2|with\+plus|7f3a")


def forms(secret: str) -> Iterator[str]:
    """How programs write a secret."""
    yield secret
    yield json.dumps(secret)
    yield json.dumps(secret, ensure_ascii=False)
    yield json.dumps(secret, ensure_ascii=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    yield urllib.parse.quote(secret)
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote_plus(secret)
    yield re.sub("%..", lambda code: code.group().lower(), urllib.parse.quote(secret, safe=""))
    yield f"{ {'key': secret} }"


TELLING = script(
    "import os, sys, time\n"
    "words = open('words', 'rb').read().split(b'\\0')\n"
    "first = words[: int(sys.argv[1])]\n"
    "tell = lambda data: os.write(2, data)\n"
    "for word in words: tell(b'here: <' + word + b'>\\n')\n"
    "for word in words:\n"
    "    for cut in (1, len(word) // 2, len(word) - 1): tell(word[:cut]); time.sleep(0.0005); tell(word[cut:] + b'\\n')\n"
    "for word in first: tell((b'.' * (262144 - len(word) // 2 - 1) + word) * 3 + b'\\n')\n"
    "tell(b' '.join(words))"
)


@pytest.fixture
def telling(project: Project) -> Project:
    """A project whose stage writes every secret in every form to its stderr, whole, in two, and in endless lines."""
    words = [*SECRETS, *(form for secret in SECRETS for form in forms(secret))]
    words += [PEM, json.dumps(PEM), json.dumps(VALUES), FILES["target.ini"], str(VALUES)]
    project.write("words", "\0".join(words))
    stage = {
        "argv": [*TELLING, str(len(SECRETS)), "--password", "{{ word }}", f"--key={VALUES['quotes']}"],
        "envs": {"API_TOKEN": "canary-stage-99"},
    }
    return project.params(stage, files=FILES, envs={"DB_PASSWORD": "canary-env-88"})


DATA = json.dumps({"word": f"x{VALUES['unicode']}x", "list": [VALUES["ampersand"]], "number": VALUES["number"]})


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_is_never_told(telling: Project, form: str) -> None:
    env = {"MY_SECRET": "canary-env-88"}
    done = telling.run("-d", DATA, "--log-format", form, env=env)
    assert done.exit == 0
    result = {
        "stderr": done.stderr,
        "stderr.log": telling.path(".artifacts/stderr.log").read_text(),
        "run.json": telling.path(".artifacts/run.json").read_text(),
        "show_commands": telling.run("show_commands", "-d", DATA).stdout.decode(),
    }
    assert {name: SEEN.findall(text) for name, text in result.items()} == {name: [] for name in result}
    assert {name: "***" in text for name, text in result.items()} == dict.fromkeys(result, True)
    assert len(result["stderr.log"]) > 1_000_000
    assert done.record["data"] == {"word": "***", "list": ["***"], "number": "***"}
    assert done.record["stages"][0]["argv"][-3:] == ["--password", "***", "--key=***"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param('{"start_at": "canary-plain-7f3a"}', 64, id="in data that is wrong"),
        pytest.param('["canary-plain-7f3a"]', 64, id="in data that is no object"),
        pytest.param('{"api_token": "canary"', 64, id="in data that is cut"),
        pytest.param('{"api_token": "canary-only-here", "start_at": "canary-only-here"}', 64, id="of data itself"),
    ],
)
def test_a_secret_is_not_told_by_an_error(telling: Project, data: str, code: int) -> None:
    done = telling.run("-d", data)
    assert (done.exit, SEEN.findall(done.stderr)) == (code, [])
    assert done.stderr.startswith("error: data.start_at: " if "start_at" in data else "error: DATA: ")


OUTCOMES = {
    "success": ({"name": "tap", "argv": ["true"]},),
    "a failed stage": ({"name": "tap", "argv": ["sh", "-c", "exit 3"]},),
    "a killed stage": ({"name": "tap", "argv": ["sh", "-c", "kill -9 $$"]}, {"name": "target", "argv": ["cat"]}),
    "no such command": ({"name": "tap", "argv": ["no-such-command"]},),
    "not executable": ({"name": "tap", "argv": ["/etc/passwd"]},),
    "a process left behind": ({"name": "tap", "argv": ["sh", "-c", "sleep 30 & exit 0"]},),
}


def own_lines(done: Any) -> list[str]:
    """What the runtime itself says, without times and ids, which differ from run to run."""
    lines = re.findall(r"^\d\d:\d\d:\d\d handoff +\| (.*)$", done.stderr, re.MULTILINE)
    return [re.sub(r"run \S+ of|[0-9]+\.[0-9] s", "", line) for line in lines]


@pytest.mark.parametrize("stages", OUTCOMES.values(), ids=OUTCOMES)
def test_the_runtimes_own_words_are_never_masked(project: Project, stages: tuple[dict[str, Any], ...]) -> None:
    """An alarm looks for them, whatever the config of the project holds."""
    plain = own_lines(project.params(*stages).run("--log-format", "text"))
    words = {word for line in plain for word in re.findall(r"[\w./-]{4,}", line)} - {"no-such-command", "/etc/passwd"}
    secrets = {f"password_{number}": word for number, word in enumerate(sorted(words))}
    done = project.params(*stages, files={"c.json": json.dumps(secrets)}).run("--log-format", "text")
    assert (len(plain) >= 1, own_lines(done)) == (True, plain)
    assert done.record["reason"] is None or "***" not in done.record["reason"]


def test_a_stage_that_prints_our_words_is_masked_where_they_are_secret(project: Project) -> None:
    stage = {"name": "tap", "argv": ["sh", "-c", "echo the job failed >&2; exit 3"]}
    done = project.params(stage, files={"c.json": '{"password": "failed"}'}).run("--log-format", "text")
    assert re.findall(r" tap +\| (.*)", done.stderr) == ["the job ***"]
    assert own_lines(done)[-1] == "failed after : stage tap ended with exit 3"


def test_a_secret_is_not_told_by_a_command_that_cannot_start(project: Project) -> None:
    done = project.params({"argv": ["./canary-plain-7f3a"], "name": "odd"}, files=FILES).run()
    assert (done.exit, SEEN.findall(done.stderr)) == (127, [])
    assert done.record["reason"] == f"stage odd: cannot start './***': not found in {project.directory}"


def test_what_is_no_secret_is_left_alone(project: Project) -> None:
    words = {"a": "true", "b": "null", "c": "abc", "d": 12345, "e": True, "f": "sample", "g": ".artifacts/out.jsonl"}
    project.params("echo true null abc 12345 sample .artifacts/out.jsonl >&2", files={"tap.json": json.dumps(words)})
    assert project.run(env={"TOKENIZERS": "false"}).said("echo") == ["true null abc 12345 sample .artifacts/out.jsonl"]


def test_keys_of_the_record_are_never_masked(project: Project) -> None:
    words = ["name", "exit", "data", "stages", "state", "succeeded", "verdict", "rows_out"]
    done = project.params("true", files={"tap.json": json.dumps(words)}).run("-d", '{"k": "rows_out"}')
    assert (done.record["outcome"], done.record["data"], done.record["stages"][0]["name"]) == (
        "succeeded",
        {"k": "***"},
        "true",
    )


# form


def lines(shell: str) -> str:
    return f"printf '{shell}' >&2"


def test_json_lines_hold_time_stage_and_message(project: Project) -> None:
    done = project.params(lines('one\\r\\n\\n\\303\\251 \\377 "q"\\nlast'), "cat").run(env={"LOG_FORMAT": "json"})
    result = [json.loads(line) for line in done.stderr.splitlines()]
    assert [list(line) for line in result] == [["time", "stage", "message"]] * len(result)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in result)
    assert done.said("printf") == ["one", "", 'é \ufffd "q"', "last"]


def test_a_line_that_goes_on_is_shown_before_its_end(project: Project) -> None:
    shell = "printf 'Connecting ... ' >&2; until [ -e go ]; do sleep 0.05; done; echo done >&2"
    running = project.params(shell).start()
    log = project.path(".artifacts/stderr.log")
    until(lambda: log.exists() and "Connecting ... \n" in log.read_text(), "the unfinished line")
    project.write("go", "")
    assert running.finish().said("printf") == ["Connecting ... ", "done"]


def test_text_lines_hold_clock_stage_and_message(project: Project) -> None:
    done = project.params(lines("one\\nlast"), "cat").run("--log-format=text")
    result = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in done.stderr.splitlines()]
    assert result[1:-1] == ["printf  | one", "printf  | last"]
    assert re.fullmatch(r"handoff \| run \S+ of sample: printf \| cat", result[0])
    assert re.fullmatch(r"handoff \| succeeded after \d\.\d s", result[-1])
    assert project.path(".artifacts/stderr.log").read_text() == done.stderr


def test_a_terminal_gets_text(project: Project) -> None:
    ours, theirs = pty.openpty()
    running = project.params(lines("one\\n")).start(stderr=theirs)
    os.close(theirs)
    done = running.finish()
    result = b""
    with suppress(OSError):  # the end: nobody holds the other side
        while more := os.read(ours, 1 << 16):
            result += more
    os.close(ours)
    assert (done.exit, b" printf  | one\r\n" in result) == (0, True)


def test_stages_lines_are_never_mixed(project: Project) -> None:
    loud = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); printf {letter} >&2; printf '%s\\n' $i >&2; done"
    done = project.params(*(loud.format(letter=letter) for letter in "abc")).run()
    for name, letter in zip(("i=0;", "i=0;-2", "i=0;-3"), "abc", strict=True):
        assert done.said(name) == [f"{letter}{number}" for number in range(1, 2001)]


# readers


def test_a_line_of_50_mb_is_told_whole_in_pieces(project: Project) -> None:
    code = "import os\nfor _ in range(800): os.write(2, b'x' * 65536)\nos.write(2, b'\\nafter\\n')"
    done = project.params(script(code), files={"a.json": '["xyxyxy"]'}).run()
    *pieces, after = done.said(done.record["stages"][0]["name"])
    assert ("".join(pieces) == "x" * 800 * 65536, after, max(map(len, pieces)) < 400_000) == (True, "after", True)


def test_a_secret_without_an_end_does_not_halt_the_log(project: Project) -> None:
    code = "import os\nfor _ in range(80): os.write(2, b'a' * 65536)\nos.write(2, b'\\nafter\\n')"
    done = project.params(script(code), files={"a.json": '["aaaa"]'}).run()
    *pieces, after = done.said(done.record["stages"][0]["name"])
    assert (after, max(map(len, pieces)) < 2_000_000, "aaaa" in "".join(pieces), done.seconds < 10) == (
        "after",
        True,
        False,
        True,
    )


def stuck(project: Project) -> None:
    """Until the log takes no more."""
    path, sizes = project.path(".artifacts/stderr.log"), [-1]

    def same() -> bool:
        sizes.append(path.stat().st_size if path.exists() else 0)
        return len(sizes) > 40 and len(set(sizes[-40:])) == 1 and sizes[-1] > 1 << 18

    until(same)


def narrow() -> tuple[int, int]:
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    return read, write


def test_a_reader_that_pauses_misses_nothing(project: Project) -> None:
    read, write = narrow()
    code = "import os\nfor i in range(60000): os.write(2, b'%050d\\n' % i)\nopen('told', 'w').close()"
    running = project.params(script(code), "cat").start(stderr=write)
    os.close(write)
    stuck(project)
    time.sleep(2.5)  # longer than a stage's silence is borne
    with os.fdopen(read) as result:
        messages = [json.loads(line) for line in result]
    assert running.finish().exit == 0
    assert [line["message"] for line in messages if line["stage"] != "handoff"] == [f"{i:050d}" for i in range(60_000)]


def test_the_last_words_of_a_stage_reach_a_reader_that_pauses(project: Project) -> None:
    read, write = narrow()
    code = "import os\nfor i in range(40000): os.write(2, b'%050d\\n' % i)\n"
    last = "import os, signal\nos.write(2, b'x' * 60000 + b'\\nlast words\\n')\nos.kill(os.getpid(), 9)"
    first = script("import time, os\nwhile not os.path.exists('full'): time.sleep(0.01)\n" + last)
    running = project.params(first, script(code + "open('done', 'w').close()")).start(stderr=write)
    os.close(write)
    stuck(project)
    project.write("full", "")
    time.sleep(2.5)
    with os.fdopen(read) as result:
        messages = [json.loads(line) for line in result]
    assert running.finish().exit == 137
    assert "last words" in [line["message"] for line in messages]


def test_a_run_goes_on_when_nobody_reads_its_log(project: Project) -> None:
    read, write = os.pipe()
    os.close(read)
    running = project.params("seq 100000 >&2; echo new", "cat; seq 100000 >&2").start(stderr=write)
    os.close(write)
    done = running.finish()
    assert (done.exit, done.state) == (0, b"new\n")
    assert project.path(".artifacts/stderr.log").read_text().count("\n") == 200_002


def test_a_reader_that_never_reads_cannot_keep_a_stop_from_working(project: Project) -> None:
    read, write = narrow()
    running = project.params("touch running; yes >&2", "cat").start(stderr=write, env={"STOP_TIMEOUT": "2"})
    os.close(write)
    running.wait_for("running")
    stuck(project)
    running.send(15)
    begun = time.monotonic()
    running.process.wait(20)
    facts: tuple[Any, ...] = (running.process.returncode, project.record()["outcome"], running.left())
    assert facts == (143, "stopped", [])
    assert time.monotonic() - begun < 2.5
    os.close(read)
    running.process.communicate()
