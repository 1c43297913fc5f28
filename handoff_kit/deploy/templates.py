"""The CloudFormation templates: the files of templates/, rendered from project files.

The same files give the same text, byte for byte: it depends on no machine, account or time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecs.stop_reasons import RESTARTED_STOP_CODES
from handoff_kit.errors import ProjectError
from handoff_kit.jinja import render_template
from handoff_kit.paths import ProjectPaths, project_names
from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.load import load_projects
from handoff_kit.project.model import Keep, Project
from handoff_runtime import s3_keys

FREE_STORAGE = 20  # GiB; a task definition names only a larger one
MOST_RULES = 1000
"""Amazon S3 User Guide, "Managing the lifecycle of objects": rules of a bucket."""
RULES_FOR_ALL = 2  # rules of templates/shared.yml.j2 itself
_PSEUDO_PARAMETER = re.compile(r"\$\{AWS::(?:AccountId|Partition|Region)\}")
_IAM_VARIABLE = re.compile(r"\$\{(?!AWS::(?:AccountId|Partition|Region)\})")


def render_shared_template(
    root: Path, environment: str, loaded: Mapping[str, Project] | None = None, *, projects: bool = True
) -> str:
    """The template of the shared stack of an environment, whose bucket has rules for all projects under a root.

    The projects in `loaded` are not read again. Without `projects` it is short enough to be sent before there is a
    bucket to send it by.
    """
    names, loaded = project_names(root) if projects else (), loaded or {}
    loaded = {**loaded, **load_projects(ProjectPaths(name, root) for name in names if name not in loaded)}
    rules = [(name, lifecycle_rules(resource_names.stack_name(name, environment), loaded[name].keep)) for name in names]
    count = RULES_FOR_ALL + sum(len(of_project) for _, of_project in rules)
    if count > MOST_RULES:  # S3 would refuse all of them
        found = f"found {len(rules)} projects, whose bucket needs {count:,} lifecycle rules"
        hint = "move some to another checkout with its own --environment, which has its own bucket"
        raise ProjectError(f"projects: {found}, expected at most {MOST_RULES:,}", hint)
    values = {
        "environment": environment,
        "name": resource_names.shared_stack(environment),
        "cluster": resource_names.cluster(environment),
        "topic": resource_names.topic(environment),
        "bucket": f"handoff-{environment.lower()}-${{AWS::AccountId}}-${{AWS::Region}}",  # for Fn::Sub
        "mark": resource_names.BUCKET_MARK,
        "templates": f"{resource_names.TEMPLATES}/",
        "projects": rules,
    }
    return render_template(root, "shared.yml.j2", values)


def render_registry_template(root: Path, project: str, stack: str, environment: str) -> str:
    """The template of the stack that holds a project's images."""
    values = {"project": project, "environment": environment, "repository": resource_names.repository(stack)}
    return render_template(root, "registry.yml.j2", values)


def render_task_template(root: Path, project: str, loaded: Project, stack: str, environment: str) -> str:
    """The template of a project's task stack."""
    deploy, runs = loaded.deploy, s3_keys.run(stack, "").removesuffix("/")
    values = {
        **_network_values(deploy, environment),
        "stack": stack,
        "machine": resource_names.state_machine(stack),
        "restarted": RESTARTED_STOP_CODES,
        "owner_tags": resource_names.owner_tags(project, environment),
        "family": resource_names.family(stack),
        "container": resource_names.CONTAINER,
        "repository": resource_names.repository(stack),
        "log_group": resource_names.log_group(stack),
        "log_prefix": resource_names.log_prefix(),
        "role_path": resource_names.role_path(stack),
        "parameter": s3_keys.parameter(stack),
        "topic": resource_names.topic(environment),
        "project": project,
        "environment": environment,
        "deploy": deploy,
        "storage": deploy.storage if deploy.storage > FREE_STORAGE else None,
        # the keys that a run may write; the files of a project are only read by it
        "written": (
            s3_keys.lease(stack),
            *(
                f"{keys}*"
                for keys in (s3_keys.artifacts(stack), runs, s3_keys.history(stack), s3_keys.occurrences(stack))
            ),
        ),
        "arns": [policy for policy in deploy.policies if isinstance(policy, str)],
        "statements": [_statement(policy) for policy in deploy.policies if not isinstance(policy, str)],
    }
    return render_template(root, "task.yml.j2", values)


def _network_values(deploy: Deploy, environment: str) -> dict[str, Any]:
    """Where tasks run, as values of the template, and the settings that its outputs hold for `invoke run`."""
    cluster = deploy.cluster or resource_names.cluster(environment)
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:ecs:${{AWS::Region}}:${{AWS::AccountId}}:cluster/{cluster}"}
    own_group = deploy.vpc is not None and not deploy.security_groups
    shared_group = not deploy.security_groups and not own_group
    own_groups = {"Fn::GetAtt": ["SecurityGroup", "GroupId"]} if own_group else ",".join(deploy.security_groups)
    return {
        "cluster": cluster if cluster.startswith("arn:") else arn,
        "cluster_name": cluster.rpartition("/")[2],
        "subnets": ",".join(deploy.subnets) or {"Ref": "Subnets"},
        "security_groups": {"Ref": "SecurityGroups"} if shared_group else own_groups,
        "shared_subnets": not deploy.subnets,
        "shared_group": shared_group,
        "own_group": own_group,
        "settings": {
            "PublicIp": ("Whether tasks have a public address", "ENABLED" if deploy.public_ip else "DISABLED"),
            "Spot": ("Whether tasks run on Fargate Spot", str(deploy.spot).lower()),
            "Cpu": ("The CPU units of a task", deploy.cpu),
            "Memory": ("The memory of a task in MiB", deploy.memory),
            "StopTimeout": ("Seconds between the stop signal of a task and its kill", deploy.stop_timeout),
        },
    }


@dataclass(frozen=True)
class LifecycleRule:
    """A lifecycle rule of the bucket, for the objects whose keys begin with `prefix`.

    They expire `days` after they are written (None: never), and an earlier version `replaced_days` after it is
    replaced, unless it is among the `newest`.
    """

    name: str
    prefix: str
    days: int | None
    replaced_days: int
    newest: int | None = None


def lifecycle_rules(stack: str, keep: Keep) -> tuple[LifecycleRule, ...]:
    """How long the bucket keeps what the runs of a project store there."""
    runs, history = s3_keys.run(stack, "").removesuffix("/"), s3_keys.history(stack)
    # artifacts, files and the lock begin with a dot and share a rule, since a bucket has few
    replaced = LifecycleRule(f"{stack}-lock", s3_keys.lease(stack), None, 1)  # each heartbeat replaces it
    if keep.artifacts is not None:
        replaced = LifecycleRule(f"{stack}-replaced", f"{stack}/.", None, keep.artifacts)
    return (
        *([LifecycleRule(f"{stack}-runs", runs, keep.runs, 1)] if keep.runs else []),
        LifecycleRule(f"{stack}-history", history, keep.runs, 1),  # each run replaces the index of its day
        replaced,
        LifecycleRule(f"{stack}-states", s3_keys.state(stack), None, 1, keep.states),
    )


def _statement(policy: Statement) -> dict[str, Any]:
    """A statement of `deploy.policies` as CloudFormation takes it."""
    conditions = {
        operator: {key: _as_substitutions(values) for key, values in pairs.items()}
        for operator, pairs in policy.Condition.items()
    }
    statement: dict[str, Any] = {"Sid": policy.Sid, "Effect": policy.Effect, "Action": list(policy.Action)}
    statement |= {"Resource": _as_substitutions(policy.Resource), "Condition": conditions}
    return {key: value for key, value in statement.items() if value}


def _as_substitutions(values: Iterable[str]) -> list[str | dict[str, str]]:
    """CloudFormation's pseudo parameters become Fn::Sub; IAM's own variables, as ${aws:username}, are left to IAM."""
    return [{"Fn::Sub": _IAM_VARIABLE.sub("${!", text)} if _PSEUDO_PARAMETER.search(text) else text for text in values]
