"""What one run is given: the request that starts it, and what is refused before anything is started."""

from __future__ import annotations

from typing import Any

import pytest

from handoff_kit.aws.ecs.overrides import RunOptions, TaskSize, check_data, parse_env, parse_size, run_input
from handoff_kit.aws.ecs.secret_detection import config_mask
from handoff_kit.aws.ecs.tasks import describe_starter
from handoff_kit.errors import ProjectError
from handoff_runtime.params import ConfigFile
from handoff_runtime.placeholders import parse_data

CONFIG = config_mask([ConfigFile("tap.json", '{"token": "hunter2-secret", "user": "ann", "region": "eu-central-1"}')])
AS_IT_SHOULD = (
    "put it, or a reference to it (ssm:/a/name), into a file of projects/shop/.local/, then: "
    "invoke params.push --project shop"
)


def refused(*pairs: str, own: tuple[str, ...] = ()) -> ProjectError:
    with pytest.raises(ProjectError) as error:
        parse_env(pairs, "shop", CONFIG, own)
    return error.value


def test_the_input() -> None:
    asked = RunOptions("mine", parse_data('{"a": [1.10, "ü"]}'), {"LEVEL": "debug"}, TaskSize(512, 1024))
    assert run_input(asked) == {
        "environment": [
            {"Name": "COMMAND", "Value": "mine"},
            {"Name": "TRIGGER", "Value": "run"},
            {"Name": "LEVEL", "Value": "debug"},
            {"Name": "DATA", "Value": '{"a":[1.10,"ü"]}'},
        ],
        "size": {"Cpu": "512", "Memory": "1024"},
    }


def test_nothing_is_overridden_that_was_not_asked_for() -> None:
    environment = [{"Name": "COMMAND", "Value": "run"}, {"Name": "TRIGGER", "Value": "run"}]
    assert run_input(RunOptions()) == {"environment": environment, "size": {}}


def test_a_run_without_state_is_started_so() -> None:
    assert {"Name": "HANDOFF_NO_STATE", "Value": "1"} in run_input(RunOptions(no_state=True))["environment"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"DATA": "{}", "HANDOFF_SCHEDULE": "nightly"}, "schedule nightly", id="a schedule"),
        pytest.param({"COMMAND": "run", "TRIGGER": "run"}, "run", id="by hand"),
        pytest.param({}, "AWS Step Functions", id="an execution that somebody else started"),
    ],
)
def test_what_started_a_task(environment: dict[str, str], expected: str) -> None:
    variables = [{"name": name, "value": text} for name, text in environment.items()]
    overrides = {"containerOverrides": [{"name": "handoff", "environment": variables}]}
    assert describe_starter({"overrides": overrides, "startedBy": "AWS Step Functions"}) == expected
    assert describe_starter({}) == ""


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        pytest.param(RunOptions(data={"a": "x" * 8_100}), "--data", id="data"),
        pytest.param(RunOptions(envs={"LONG": "x" * 8_100}), "--env LONG", id="a variable"),
        pytest.param(RunOptions(data={"a": "ü" * 1_400}), "--data", id="characters that are sent as six"),
    ],
)
def test_too_long(asked: RunOptions, what: str) -> None:
    with pytest.raises(ProjectError) as error:
        run_input(asked)
    assert error.value.message.startswith(f"{what}: found 8,")
    assert error.value.message.endswith("characters in all overrides of the task, expected at most 8,192")


def test_as_long_as_may_be() -> None:
    """With the name of an execution, as long as one may be."""
    bare = len('{"containerOverrides": [{"name": "handoff", "environment": [{"name": "HANDOFF_EXECUTION", "value": ')
    bare += len(f'"{"x" * 80}"}}, {{"name": "COMMAND", "value": "run"}}, ')
    bare += len('{"name": "TRIGGER", "value": "run"}, {"name": "LONG", "value": ""}]}]}')
    assert run_input(RunOptions(envs={"LONG": "x" * (8_192 - bare)}))
    with pytest.raises(ProjectError):
        run_input(RunOptions(envs={"LONG": "x" * (8_193 - bare)}))


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param("LEVEL=debug", id="a word"),
        pytest.param("EMPTY=", id="nothing"),
        pytest.param("QUERY=a=b", id="an equals sign in it"),
        pytest.param("MAX_TOKENS=4096", id="a number of tokens"),
        pytest.param("USE_PASSWORD=true", id="whether"),
        pytest.param("KEYBOARD=german", id="a part of a word"),
        pytest.param("MONKEY=banana", id="a part of another"),
        pytest.param("URL=https://example.com/a?b=c", id="an address"),
        pytest.param("SHA=da39a3ee5e6b4b0d3255bfef95601890afd80709", id="a hash"),
        pytest.param("USER=ann-lee", id="a short value of .local in it"),
        pytest.param("X=eu-central-1", id="a harmless value of .local"),
        pytest.param("GOOGLE_CREDENTIALS=x.json", id="a path"),
    ],
)
def test_a_variable(pair: str) -> None:
    name, _, value = pair.partition("=")
    assert parse_env([pair], "shop", CONFIG, ()) == {name: value}


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        pytest.param("DB_PASSWORD=correct", "its name contains PASSWORD", id="password"),
        pytest.param("client_secret=abcd", "its name contains SECRET", id="lower case"),
        pytest.param("API_TOKEN=123456", "its name contains TOKEN", id="a long number"),
        pytest.param("SIGNING_KEY=abcdef", "its name contains KEY", id="key"),
        pytest.param("APIKEY=abcdef", "its name contains APIKEY", id="key without a line"),
        pytest.param("GOOGLE_CREDENTIALS=x.Json7", "its name contains CREDENTIAL", id="credentials"),
        pytest.param("X=AKIAIOSFODNN7EXAMPLE", "its value looks like a key of AWS", id="AWS"),
        pytest.param("X=-----BEGIN RSA PRIVATE KEY-----\nMII", "its value looks like a private key", id="private key"),
        pytest.param("X=ghp_" + "a1" * 18, "its value looks like a token of GitHub", id="GitHub"),
        pytest.param("X=xoxb-123456789-abcdef", "its value looks like a token of Slack", id="Slack"),
        pytest.param("X=eyJhbGciOiJI.eyJzdWIiOiIx.sig", "its value looks like a JSON web token", id="JWT"),
        pytest.param("X=postgresql://ann:pw@db/shop", "its value looks like a URL with a password", id="URL"),
        pytest.param("X=redis://:pw@cache", "its value looks like a URL with a password", id="URL without user"),
        pytest.param("X=Bearer abcdefghijkl", "its value looks like an authorization header", id="header"),
        pytest.param("X=Server=db;Password=correct", "its value looks like a password", id="connection string"),
        pytest.param("X=hunter2-secret", "its value is in the project's .local", id="of .local"),
        pytest.param("X=pre-hunter2-secret-post", "its value is in the project's .local", id="of .local, in a text"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(pair: str, why: str) -> None:
    error, (name, _, value) = refused(pair), pair.partition("=")
    message = f"--env {name} looks like a secret ({why}); task overrides can be read by anyone with ecs:DescribeTasks"
    assert (error.message, error.hint, error.exit_code) == (message, AS_IT_SHOULD, 2)
    assert value not in str(error).replace(AS_IT_SHOULD, "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("DATA", "use --data or --var", id="data"),
        pytest.param("COMMAND", "use --command", id="command"),
        pytest.param("STACK_NAME", "use --project and --environment", id="stack"),
        pytest.param(
            "S3_BUCKET_NAME", "name it in project.yml: deploy: {bucket: NAME}, then: invoke deploy", id="bucket"
        ),
        pytest.param(
            "AWS_ACCESS_KEY_ID",
            "leave it out: AWS sets it in the container; permissions are project.yml's deploy: {policies: [...]}",
            id="of AWS",
        ),
        pytest.param("ECS_CONTAINER_METADATA_URI", "leave it out: AWS sets it in the container", id="of ECS"),
    ],
)
def test_a_name_of_ours_is_refused(name: str, hint: str) -> None:
    error = refused(f"{name}=x")
    message = f"--env {name}: the name is reserved for handoff or AWS"
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize("text", ["LEVEL", "=x", "1A=x", "A-B=x", ""])
def test_what_is_no_variable(text: str) -> None:
    assert refused(text).message.startswith("--env: found ")


def test_what_is_no_variable_is_not_repeated_where_it_may_be_a_secret() -> None:
    assert "hunter2" not in str(refused("my token=hunter2-secret"))


def test_a_variable_that_would_have_no_effect() -> None:
    error = refused("TZ=CET", own=("TZ",))
    assert error.message == "--env TZ: `envs` of project.yml sets this variable for every stage, and overrides --env"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        pytest.param({"url": "https://ann:pw@x"}, "url", id="a value"),
        pytest.param({"a": {"b": ["hunter2-secret"]}}, "a", id="deep inside"),
        pytest.param({"a": {"hunter2-secret": 1}}, "a", id="a key"),
        pytest.param({"api_token": "abcd"}, "api_token", id="by its name"),
        pytest.param({"db": {"password": 471100}}, "db", id="by a name deep inside"),
    ],
)
def test_a_secret_in_the_data(data: dict[str, Any], where: str) -> None:
    with pytest.raises(ProjectError) as error:
        check_data(data, "shop", CONFIG)
    assert error.value.message.startswith(f"--data: {where} looks like a secret (")


def test_data_without_secrets() -> None:
    check_data({"sort_key": "name", "n": 1, "when": None, "user": ["bob"]}, "shop", CONFIG)


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        pytest.param("", "", None, id="neither"),
        pytest.param("1024", "2GB", TaskSize(1024, 2048), id="both"),
        pytest.param("", "1024", TaskSize(256, 1024), id="memory"),
        pytest.param("512", "1GB", TaskSize(512, 1024), id="both, the one by its GB"),
    ],
)
def test_a_size(cpu: str, memory: str, expected: TaskSize | None) -> None:
    assert parse_size(cpu, memory, TaskSize(256, 512)) == expected


@pytest.mark.parametrize(
    ("cpu", "memory", "message", "hint"),
    [
        pytest.param(
            "",
            "8GB",
            "--memory 8GB: found 256 CPU units, 8,192 MiB, expected a memory for 256 CPU units: 512, 1GB or 2GB",
            "--cpu 1024 --memory 8192",
            id="memory that other units go with",
        ),
        pytest.param(
            "256",
            "1500",
            "--cpu 256 and --memory 1500: found 256 CPU units, 1,500 MiB, expected a memory for 256 CPU units: 512, 1GB or 2GB",
            "--cpu 256 --memory 2048",
            id="between two",
        ),
        pytest.param(
            "512",
            "",
            "--cpu 512: found 512 CPU units, 512 MiB, expected a memory for 512 CPU units: 1GB to 4GB in steps of 1GB",
            "--cpu 512 --memory 1024",
            id="units that the project's memory does not go with",
        ),
        pytest.param(
            "300",
            "",
            "--cpu: found '300', expected one of 256, 512, 1024, 2048, 4096, 8192, 16384 (1024 are one vCPU)",
            "--cpu 1024",
            id="no such units",
        ),
        pytest.param(
            "", "much", "--memory: found 'much', expected MiB, or GB like 2GB", "--memory 2GB", id="no number"
        ),
    ],
)
def test_a_size_that_there_is_not(cpu: str, memory: str, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as error:
        parse_size(cpu, memory, TaskSize(256, 512))
    assert (error.value.message, error.value.hint) == (message, f"for example: {hint}")
