"""The life of a task of the double of Fargate, from PENDING to STOPPED: what is done with docker, and logged."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from doubles.fargate_task import NeverStarted
from doubles.moto_proxy import ACCOUNT, Refused
from doubles.policies import may, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.containers import Engine
    from doubles.fargate_task import Task
    from doubles.iam_proxy import IamProxy
    from doubles.moto_proxy import MotoProxy

LABEL = "handoff.test"
ECR = "AmazonEC2ContainerRegistry_V20150921"
BY_USER = "Task stopped by user"
EXITED = "Essential container in task exited"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
DEFAULT_STOP = 30


@dataclass
class Life:
    """What a task needs to live: `endpoint` is AWS for us, `iam_proxy` for the containers."""

    moto_proxy: MotoProxy
    docker: Engine | None = None
    endpoint: str = ""
    iam_proxy: IamProxy | None = None
    clients: dict[tuple[str, ...], Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lead(self, endpoint: str) -> None:
        """AWS is there."""
        self.endpoint = endpoint
        if self.iam_proxy:
            self.iam_proxy.endpoint = endpoint

    def close(self) -> None:
        """Leave no connection open."""
        for client in self.clients.values():
            client.close()

    def kill(self, task: Task) -> None:
        """At once, if it has a container."""
        if task.container:
            self._docker("kill", task.container)

    def stop(self, task: Task, code: str, reason: str) -> None:
        """Within its stop timeout."""
        if task.stopping is None and task.said["lastStatus"] != "STOPPED":
            task.stopping = (code, reason)
            result = {"stopCode": code, "stoppedReason": reason, "stoppingAt": time.time()}
            task.said = {**task.said, "desiredStatus": "STOPPED", **result}
            task.asked_to_stop.set()

    def live(self, task: Task) -> None:
        """From PENDING to STOPPED."""
        try:
            task.now("PENDING", connectivity="CONNECTED", connectivityAt=time.time())
            self._start(task)
        except NeverStarted as never:
            code, reason = task.stopping or ("TaskFailedToStart", str(never))
            task.container_now(lastStatus="STOPPED", **({} if task.stopping else {"reason": str(never)}))
            self._stopped(task, code, reason)
            return
        self._watch(task)

    def _start(self, task: Task) -> None:
        if task.hangs:
            task.asked_to_stop.wait()
            raise NeverStarted(BY_USER)
        if task.fails:
            raise NeverStarted(task.fails)
        self._open_log(task)
        task.now("PENDING", pullStartedAt=time.time())
        self._pull(task)
        task.now("PENDING", pullStoppedAt=time.time())
        made = self._docker("create", *self._create_words(task))
        if made.returncode != 0:
            raise NeverStarted(f"CannotCreateContainerError: {made.stderr.strip()}")
        task.container = made.stdout.strip()
        if task.stopping:
            self._docker("rm", "--volumes", task.container)
            raise NeverStarted(BY_USER)
        started = self._docker("start", task.container)
        if started.returncode != 0:
            self._docker("rm", "--volumes", task.container)
            raise NeverStarted(f"CannotStartContainerError: {started.stderr.strip()}")
        task.container_now(lastStatus="RUNNING", runtimeId=task.container[:32])
        task.now("RUNNING", startedAt=time.time())

    def _open_log(self, task: Task) -> None:
        options = task.spec.get("logConfiguration", {}).get("options", {})
        if not options:
            return
        arn = f"arn:aws:logs:{task.region}:{task.account}:log-group:{options['awslogs-group']}:log-stream:"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            self._may(
                task, action, f"{arn}{self._stream(task)}", "ResourceInitializationError: failed to validate logger"
            )
        logs = self.boto(task.account, task.region, "logs")
        try:
            logs.create_log_stream(logGroupName=options["awslogs-group"], logStreamName=self._stream(task))
        except ClientError as error:
            about = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
            message = (
                "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch"
            )
            raise NeverStarted(f"ResourceInitializationError: {message} log stream: {about} : exit status 1") from None

    @staticmethod
    def _stream(task: Task) -> str:
        prefix = task.spec["logConfiguration"]["options"]["awslogs-stream-prefix"]
        return f"{prefix}/{task.spec['name']}/{task.id}"

    def _pull(self, task: Task) -> None:
        image = task.spec["image"]
        if ".dkr.ecr." not in image:
            if self._docker("image", "inspect", image).returncode != 0:
                raise NeverStarted(f"CannotPullContainerError: {image}: not found")
            return
        self._check_there(task, image)
        with tempfile.TemporaryDirectory() as config:
            token = self._token(task)
            auth = {"auths": {image.partition("/")[0]: {"auth": token}}}
            Path(config, "config.json").write_text(json.dumps(auth))
            pulled = self._docker("--config", config, "pull", "--quiet", image)
        if pulled.returncode != 0:
            message = "pull image manifest has been retried 1 time(s): failed to resolve ref"
            raise NeverStarted(f"CannotPullContainerError: {message} {image}: {pulled.stderr.strip()}")

    def _check_there(self, task: Task, image: str) -> None:
        """The role may pull it, and ECR has it: docker may know it without asking."""
        name, _, digest = image.partition("/")[2].partition("@")
        arn = f"arn:aws:ecr:{task.region}:{task.account}:repository/{name}"
        message = "ResourceInitializationError: unable to pull secrets or registry auth"
        self._may(task, "ecr:GetAuthorizationToken", "*", message)
        for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            self._may(task, action, arn, f"CannotPullContainerError: {image}")
        asked = {"repositoryName": name, "imageIds": [{"imageDigest": digest}]}
        try:
            self.moto_proxy.ask(task.account, task.region, "ecr", f"{ECR}.DescribeImages", asked)
        except Refused as refused:
            message = "pull image manifest has been retried 1 time(s): failed to resolve ref"
            raise NeverStarted(f"CannotPullContainerError: {message} {image}: {refused.message}") from None

    def _may(self, task: Task, action: str, resource: str, message: str) -> None:
        iam, role = self.boto(task.account, task.region, "iam"), task.role("executionRoleArn")
        if not may(statements(iam, role), action, resource):
            about = f"User: {role} is not authorized to perform: {action} on resource: {resource}"
            raise NeverStarted(f"{message}: AccessDeniedException: {about}")

    def _token(self, task: Task) -> str:
        target = f"{ECR}.GetAuthorizationToken"
        said = self.moto_proxy.ask(task.account, task.region, "ecr", target, {})
        return str(said["authorizationData"][0]["authorizationToken"])

    def _create_words(self, task: Task) -> list[str]:
        spec = task.spec
        user = spec.get("user")
        entry, command = spec.get("entryPoint"), task.override.get("command") or spec.get("command", [])
        environment = {**self._injected(task), **task.environment}
        return [
            *("--name", f"handoff-task-{task.id}", "--label", f"{LABEL}=fargate", "--network", "host"),
            *("--memory", f"{task.memory}m", "--memory-swap", f"{task.memory}m"),
            *("--stop-timeout", str(spec.get("stopTimeout", DEFAULT_STOP))),
            *(["--read-only"] if spec.get("readonlyRootFilesystem") else []),
            *(["--init"] if spec.get("linuxParameters", {}).get("initProcessEnabled") else []),
            *(["--user", user] if user else []),
            *(["--workdir", spec["workingDirectory"]] if spec.get("workingDirectory") else []),
            *(["--entrypoint", entry[0]] if entry else []),
            *(word for each in spec.get("mountPoints", ()) for word in ("--mount", self._mount(spec, each))),
            *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
            spec["image"],
            *(entry[1:] if entry else []),
            *command,
        ]

    def _mount(self, spec: dict[str, Any], mount: dict[str, Any]) -> str:
        """Content and owner of the image's only where it declares a VOLUME, as Fargate does it."""
        declared = json.loads(self._docker("image", "inspect", spec["image"]).stdout)[0]["Config"].get("Volumes") or {}
        path = mount["containerPath"]
        copied = "" if path in declared else ",volume-nocopy"
        return f"type=volume,destination={path}{copied}{',readonly' if mount.get('readOnly') else ''}"

    def _injected(self, task: Task) -> dict[str, str]:
        """What Fargate gives every container, and where AWS is."""
        page = f"{self.moto_proxy.url}/credentials/{task.id}"
        return {
            "AWS_REGION": task.region,
            "AWS_DEFAULT_REGION": task.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_ENDPOINT_URL": self.iam_proxy.url if self.iam_proxy else self.endpoint,
            **({"AWS_CONTAINER_CREDENTIALS_FULL_URI": page} if task.role("taskRoleArn") else {}),
        }

    def _watch(self, task: Task) -> None:
        logging = threading.Thread(target=self._log, args=(task,), daemon=True)
        logging.start()
        stopping = threading.Thread(target=self._stop_container, args=(task,), daemon=True)
        stopping.start()
        exit_ = int(self._docker("wait", task.container).stdout.strip() or 137)
        ended = time.time()
        found = json.loads(self._docker("inspect", task.container).stdout or "[]")  # somebody may have removed it
        state = found[0]["State"] if found else {}
        logging.join()
        reason = {"reason": OUT_OF_MEMORY} if state.get("OOMKilled") else {}
        task.container_now(lastStatus="STOPPED", exitCode=exit_, **reason)
        code, why = task.stopping or ("EssentialContainerExited", EXITED)
        task.now("DEPROVISIONING", executionStoppedAt=ended)
        self._docker("rm", "--force", "--volumes", task.container)
        self._stopped(task, code, why)
        task.asked_to_stop.set()
        stopping.join()

    def _stop_container(self, task: Task) -> None:
        task.asked_to_stop.wait()
        if task.said["lastStatus"] == "RUNNING":
            timeout = task.spec.get("stopTimeout", DEFAULT_STOP)
            self._docker("stop", "--time", str(timeout), task.container)

    def _stopped(self, task: Task, code: str, reason: str) -> None:
        at = time.time()
        result = {
            "stoppingAt": task.said.get("stoppingAt", at),
            "executionStoppedAt": task.said.get("executionStoppedAt", at),
        }
        task.now("STOPPED", desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppedAt=at, **result)

    def _log(self, task: Task) -> None:
        """Each line is an event; it may say nothing."""
        options = task.spec.get("logConfiguration", {}).get("options", {})
        words = ["docker", "logs", "--follow", task.container]
        env = {**os.environ, **(self.docker.env if self.docker else {})}
        pipe, none = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(words, stdin=none, stdout=pipe, stderr=subprocess.STDOUT, env=env) as following:
            assert following.stdout
            for lines in _by_read(following.stdout.fileno()):
                at = int(time.time() * 1000)
                events = [{"timestamp": at, "message": line} for line in lines if line]
                if options and events:
                    self._put(task, options["awslogs-group"], events)

    def _put(self, task: Task, group: str, events: list[dict[str, Any]]) -> None:
        logs = self.boto(task.account, task.region, "logs")
        with contextlib.suppress(ClientError):  # somebody has removed the group meanwhile
            logs.put_log_events(logGroupName=group, logStreamName=self._stream(task), logEvents=events)

    def _docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert self.docker, "no docker was given"
        said = self.docker.run(*words)
        return subprocess.CompletedProcess(words, said.exit, said.stdout, said.stderr)

    def boto(self, account: str, region: str, service: str) -> Any:
        """A client of an account, made once."""
        key = (account, region, service)
        with self.lock:
            if key not in self.clients:
                self.clients[key] = boto3_at(self.endpoint, account, region, service)
            return self.clients[key]


@cache
def boto3_at(endpoint: str, account: str, region: str, service: str) -> Any:
    """A client of an account: LocalStack sees it by the key, moto by a header."""
    client = boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="test",  # noqa: S106  # LocalStack and moto take any
        config=Config(retries={"total_max_attempts": 2}),
    )
    client.meta.events.register("before-call.*.*", lambda params, **_: params["headers"].update({ACCOUNT: account}))
    return client


def _by_read(descriptor: int) -> Iterator[list[str]]:
    """The lines that came at once, as they come."""
    rest = b""
    while read := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + read).split(b"\n")
        yield [line.decode(errors="replace").rstrip("\r") for line in lines]
    if rest:
        yield [rest.decode(errors="replace")]
