"""A small double of Fargate: what RunTask recorded in moto is run with docker, and the ECS API tells what became of it.

As Fargate does it, as far as the kit can tell: the image is pulled anew by the execution role's login; memory of the
task, read-only root, init, stop timeout, user and volumes are the definition's; a volume takes content, owner and mode
from the image only where the image declares VOLUME there, else it is root's; each line of output is an event in
CloudWatch Logs; credentials come from an address in the environment, and are good for what the role may do (iam_proxy.py). What is
refused is refused in the words of ECS.

Not done: several containers, cpu shares, ephemeral storage, a network of its own (the container is on this machine's).
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from doubles.fargate_life import BY_USER, Life, boto3_at
from doubles.fargate_task import NO_MEMORY, Faults, Task
from doubles.moto_proxy import Refused
from doubles.policies import statements, trusts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from doubles.moto_proxy import MotoProxy, Request
    from doubles.policies import Statement

INTERRUPTED = "Your Spot Task was interrupted."
LONGEST_OVERRIDES = 8192
MEBI = 1024
# Amazon ECS Developer Guide, "Task CPU and memory": MiB by CPU units
SIZES = {
    256: (512, 1 * MEBI, 2 * MEBI),
    512: range(1 * MEBI, 4 * MEBI + 1, MEBI),
    1024: range(2 * MEBI, 8 * MEBI + 1, MEBI),
    2048: range(4 * MEBI, 16 * MEBI + 1, MEBI),
    4096: range(8 * MEBI, 30 * MEBI + 1, MEBI),
    8192: range(16 * MEBI, 60 * MEBI + 1, 4 * MEBI),
    16384: range(32 * MEBI, 120 * MEBI + 1, 8 * MEBI),
}


@dataclass
class Fargate:
    """Every task of every account."""

    moto_proxy: MotoProxy
    life: Life
    tasks: dict[str, Task] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=lambda: defaultdict(Faults))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def register(self) -> None:
        """Take over what moto does not do."""
        answers = {
            "RegisterTaskDefinition": self.define,
            "DescribeTaskDefinition": self.describe_definition,
            "RunTask": self.run,
            "DescribeTasks": self.describe,
            "ListTasks": self.arns,
            "StopTask": self.stop,
        }
        self.moto_proxy.register("ecs", answers)
        self.moto_proxy.pages["credentials"] = self.credentials

    def end(self, account: str | None = None) -> None:
        """End what runs, of one account or of all."""
        tasks = [task for task in list(self.tasks.values()) if account in (None, task.account)]
        alive = [task for task in tasks if task.thread and task.thread.is_alive()]
        for task in alive:
            task.stopping = task.stopping or ("UserInitiated", "the test has ended")
            task.asked_to_stop.set()
        for task in alive:
            self.life.kill(task)
            if task.thread:
                task.thread.join(30)

    def close(self) -> None:
        """Leave nothing."""
        self.end()
        self.life.close()

    # the operations

    def define(self, request: Request) -> Any:
        """A definition, of a size that Fargate has."""
        body = request.body
        if "FARGATE" in body.get("requiresCompatibilities", ()):
            _check_size(body.get("cpu"), body.get("memory"))
            _check_execution(body)
        containers = [{"memory": NO_MEMORY, **each} for each in body["containerDefinitions"]]
        return _without_memory(request.with_(containerDefinitions=containers).send())

    def describe_definition(self, request: Request) -> Any:
        """A family's newest revision that is active; moto tells the newest."""
        wanted = request.body["taskDefinition"]
        if ":" not in wanted.rpartition("/")[2]:
            request = request.with_(taskDefinition=self._newest(request, wanted))
        try:
            return _without_memory(request.send())
        except Refused:
            raise Refused("ClientException", "Unable to describe task definition.") from None

    def run(self, request: Request) -> Any:
        """Tasks begin, or are refused."""
        faults = self.faults[request.account]
        if faults.answers:
            fault = faults.answers.popleft()
            if isinstance(fault, Refused):
                raise fault
            return {"tasks": [], "failures": [{"reason": fault}]}
        definition = self._definition(request)
        self._check(request, definition)
        recorded = self._record(request, definition)
        tasks = [self._make(request, definition, said) for said in recorded["tasks"]]
        result = {"tasks": [_told(task, tagged=True) for task in tasks], "failures": []}
        for task in tasks:
            self._begin(task)
        return result

    def describe(self, request: Request) -> Any:
        """What became of tasks."""
        asked = {each.rpartition("/")[2]: each for each in request.body.get("tasks", ())}
        if not asked:
            raise Refused("InvalidParameterException", "Tasks cannot be empty.")
        self._cluster(request)
        mine = {task.id: task for task in self._of(request)}
        tagged = "TAGS" in request.body.get("include", ())
        found = [_told(mine[number], tagged=tagged) for number in asked if number in mine]
        missing = [{"arn": self._arn(request, each), "reason": "MISSING"} for each in asked if each not in mine]
        return {"tasks": found, "failures": missing}

    def arns(self, request: Request) -> Any:
        """The ARNs of tasks, by what they shall be, which a filter may not leave out."""
        body = request.body
        self._cluster(request)
        wanted = body.get("desiredStatus", "RUNNING")
        found = [
            task.arn
            for task in self._of(request)
            if task.said["desiredStatus"] == wanted
            and body.get("family", task.definition["family"]) == task.definition["family"]
            and body.get("startedBy", task.said.get("startedBy")) == task.said.get("startedBy")
        ]
        first = int(body.get("nextToken") or 0)
        last = first + int(body.get("maxResults") or 100)
        return {"taskArns": found[first:last], **({"nextToken": str(last)} if last < len(found) else {})}

    def stop(self, request: Request) -> Any:
        """A task is told to end."""
        self._cluster(request)
        number = str(request.body["task"]).rpartition("/")[2]
        task = next((each for each in self._of(request) if each.id == number), None)
        if task is None:
            raise Refused("InvalidParameterException", "The referenced task was not found.")
        self.life.stop(task, "UserInitiated", request.body.get("reason") or BY_USER)
        return {"task": _told(task, tagged=False)}

    def interrupt(self, arn: str) -> None:
        """Spot wants its machine back."""
        self.life.stop(self.tasks[arn], "SpotInterruption", INTERRUPTED)

    def credentials(self, number: str) -> Any:
        """What the container of a task asks for: whoever has them is in its account, and has its role."""
        task = next(each for each in list(self.tasks.values()) if each.id == number)
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
        return {"AccessKeyId": task.account, "SecretAccessKey": "test", "Token": number, "Expiration": expires}

    def allowed(self, number: str) -> list[Statement] | None:
        """What the role of a task may do; None if there is no such task, or it has no role."""
        task = next((each for each in list(self.tasks.values()) if each.id == number), None)
        role = task and task.role("taskRoleArn")
        return statements(self.life.boto(task.account, task.region, "iam"), role) if task and role else None

    # what RunTask looks at

    def _definition(self, request: Request) -> dict[str, Any]:
        asked = request.with_("DescribeTaskDefinition", taskDefinition=request.body["taskDefinition"])
        try:
            found = self.describe_definition(asked)["taskDefinition"]
        except Refused:
            raise Refused("ClientException", "TaskDefinition not found.") from None
        if found["status"] != "ACTIVE":
            raise Refused("ClientException", "TaskDefinition is inactive")
        return dict(found)

    def _newest(self, request: Request, family: str) -> str:
        asked = request.with_("ListTaskDefinitions", familyPrefix=family, status="ACTIVE")
        arns = [each for each in asked.send()["taskDefinitionArns"] if each.rpartition("/")[2].split(":")[0] == family]
        if not arns:
            raise Refused("ClientException", "Unable to describe task definition.")
        return str(max(arns, key=lambda arn: int(arn.rpartition(":")[2])))

    def _cluster(self, request: Request) -> dict[str, Any]:
        named = request.body.get("cluster", "default")
        found = request.with_("DescribeClusters", clusters=[named]).send()["clusters"]
        if not found or found[0]["status"] != "ACTIVE":
            raise Refused("ClusterNotFoundException", "Cluster not found.")
        return dict(found[0])

    def _check(self, request: Request, definition: dict[str, Any]) -> None:
        body = request.body
        overrides = body.get("overrides", {})
        providers = self._cluster(request).get("capacityProviders", ())
        if len(json.dumps(overrides)) > LONGEST_OVERRIDES:
            raise Refused("InvalidParameterException", "Container Overrides length must be at most 8192")
        names = {each["name"] for each in definition["containerDefinitions"]}
        for each in overrides.get("containerOverrides", ()):
            if each.get("name") not in names:
                message = f"Override for container named {each.get('name')} is not a container in the TaskDefinition."
                raise Refused("InvalidParameterException", message)
        for each in body.get("capacityProviderStrategy", ()):
            if each["capacityProvider"] not in providers:
                message = "The specified capacity provider strategy contains a capacity provider that is not associated"
                raise Refused("InvalidParameterException", f"{message} with the cluster.")
        _check_size(overrides.get("cpu") or definition["cpu"], overrides.get("memory") or definition["memory"])
        self._check_network(request)
        for role in ("taskRoleArn", "executionRoleArn"):
            self._check_role(request, overrides.get(role) or definition.get(role))

    def _check_network(self, request: Request) -> None:
        given = request.body.get("networkConfiguration", {}).get("awsvpcConfiguration")
        if not given or not given.get("subnets"):
            message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise Refused("InvalidParameterException", message)
        ec2 = self.life.boto(request.account, request.region, "ec2")
        try:
            ec2.describe_subnets(SubnetIds=given["subnets"])
            ec2.describe_security_groups(GroupIds=given.get("securityGroups", []))
        except ClientError as error:
            what = "subnet" if "ubnet" in error.response["Error"]["Code"] else "security group"
            message = f"Error retrieving {what} information: {error.response['Error']['Message']}"
            code = error.response["Error"]["Code"]
            raise Refused("InvalidParameterException", f"{message} (ErrorCode: {code})") from None

    def _check_role(self, request: Request, arn: str | None) -> None:
        if not arn:
            return
        if not trusts(self.life.boto(request.account, request.region, "iam"), arn, "ecs-tasks"):
            message = f"ECS was unable to assume the role '{arn}' that was provided for this task."
            more = "Please verify that the role being passed has the proper trust relationship and permissions"
            raise Refused(
                "ClientException", f"{message} {more} and that your IAM user has permissions to pass this role."
            )

    def _record(self, request: Request, definition: dict[str, Any]) -> Any:
        """RunTask of moto, in a network that moto knows."""
        account, region = request.account, request.region
        subnet = boto3_at(request.moto, account, region, "ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        given = request.body["networkConfiguration"]["awsvpcConfiguration"]
        network = {"awsvpcConfiguration": {**given, "subnets": [subnet], "securityGroups": []}}
        default = None if request.body.get("capacityProviderStrategy") else request.body.get("launchType", "FARGATE")
        changed: dict[str, Any] = {"networkConfiguration": network, "launchType": default}
        return request.with_(taskDefinition=definition["taskDefinitionArn"], **changed).send()

    def _make(self, request: Request, definition: dict[str, Any], recorded: dict[str, Any]) -> Task:
        body, spec = request.body, definition["containerDefinitions"][0]
        arn = recorded["taskArn"]
        container = {
            "containerArn": f"{arn.replace(':task/', ':container/')}/{spec['name']}",
            "taskArn": arn,
            "name": spec["name"],
            "image": spec["image"],
            "lastStatus": "PENDING",
            "networkInterfaces": [],
        }
        subnet = {"name": "subnetId", "value": body["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0]}
        tags = [*body.get("tags", ()), *(self._tags(request, body.get("propagateTags"), definition))]
        overrides = {"containerOverrides": [], **body.get("overrides", {})}
        provider = (body.get("capacityProviderStrategy") or [{}])[0].get("capacityProvider")
        said = {
            **{key: value for key, value in recorded.items() if key != "resourceRequirements"},
            "attachments": [{"type": "ElasticNetworkInterface", "status": "PRECREATED", "details": [subnet]}],
            "containers": [container],
            "cpu": str(overrides.get("cpu") or definition["cpu"]),
            "memory": str(overrides.get("memory") or definition["memory"]),
            "createdAt": time.time(),
            "desiredStatus": "RUNNING",
            "group": body.get("group") or f"family:{definition['family']}",
            "lastStatus": "PROVISIONING",
            "launchType": "FARGATE",
            "overrides": overrides,
            "platformFamily": "Linux",
            "platformVersion": "1.4.0",
            "startedBy": body.get("startedBy", ""),
            "tags": tags,
            "taskDefinitionArn": definition["taskDefinitionArn"],
            "version": 1,
            **({"capacityProviderName": provider} if provider else {}),
        }
        said.pop("stoppedReason", None)
        hangs, fails = self.faults[request.account].next_start()
        return Task(said, definition, request.account, request.region, hangs, fails)

    def _begin(self, task: Task) -> None:
        task.thread = threading.Thread(target=self.life.live, args=(task,), name=task.id, daemon=True)
        with self.lock:
            self.tasks[task.arn] = task
        task.thread.start()

    def _tags(self, request: Request, from_: str | None, definition: dict[str, Any]) -> Any:
        if from_ != "TASK_DEFINITION":
            return []
        arn = definition["taskDefinitionArn"]
        return request.with_("ListTagsForResource", resourceArn=arn).send().get("tags", [])

    def _of(self, request: Request) -> Iterable[Task]:
        """The tasks of a cluster."""
        cluster = str(request.body.get("cluster", "default")).rpartition("/")[2]
        with self.lock:
            known = list(self.tasks.values())
        return [
            task
            for task in known
            if task.said["clusterArn"].rpartition("/")[2] == cluster and task.account == request.account
        ]

    def _arn(self, request: Request, number: str) -> str:
        cluster = str(request.body.get("cluster", "default")).rpartition("/")[2]
        return f"arn:aws:ecs:{request.region}:{request.account}:task/{cluster}/{number}"


def _check_size(cpu: Any, memory: Any) -> None:
    if int(memory or 0) not in SIZES.get(int(cpu or 0), ()):
        raise Refused("ClientException", "No Fargate configuration exists for given values.")


def _check_execution(body: Mapping[str, Any]) -> None:
    """Whoever pulls from ECR and logs needs a role."""
    if body.get("executionRoleArn"):
        return
    for container in body["containerDefinitions"]:
        wants = {"ECR images": ".dkr.ecr." in container["image"], "log driver awslogs": "logConfiguration" in container}
        for what in (name for name, wanted in wants.items() if wanted):
            message = f"Fargate requires task definition to have execution role ARN to support {what}."
            raise Refused("ClientException", message)


def _told(task: Task, *, tagged: bool) -> dict[str, Any]:
    return {key: value for key, value in task.said.items() if tagged or key != "tags"}


def _without_memory(said: Any) -> Any:
    for each in said["taskDefinition"]["containerDefinitions"]:
        if each.get("memory") == NO_MEMORY:
            del each["memory"]
    return said
