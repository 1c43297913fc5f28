"""The CloudFormation templates: the files of templates/, filled with what the project files say.

The same files make the same text, byte for byte: nothing of the machine, the account or the time goes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_kit.names import ProjectPlace, known
from handoff_kit.project.load import load
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.remote import names
from handoff_kit.templates import lifecycle, permissions
from handoff_kit.templates.filling import FOLDER, render
from handoff_kit.templates.lifecycle import MOST_RULES, Rule, rules
from handoff_runtime import keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from handoff_kit.project.model import Project
    from handoff_kit.project.problem import Problem

__all__ = ["FOLDER", "MOST_RULES", "Rule", "every", "registry", "render", "rules", "shared", "task"]

FREE_STORAGE = 20  # GiB; a task definition names only what is beyond


def shared(root: Path, environment: str, loaded: Mapping[str, Project] | None = None, *, projects: bool = True) -> str:
    """The template of the shared stack of an environment, for all projects under a root.

    Those that are `loaded` already are not read again. Without `projects` it is short enough to be sent while there
    is no bucket to send it by: the same stack, whose bucket does not know yet how long to keep what.
    """
    found = every(root, loaded) if projects else {}
    ruled = [(name, rules(names.stack(name, environment), project.keep)) for name, project in found.items()]
    lifecycle.check(ruled)
    values = {
        "environment": environment,
        "name": names.shared(environment),
        "cluster": names.cluster(environment),
        "topic": names.topic(environment),
        "bucket": _bucket(environment),
        "mark": names.BUCKET_MARK,
        "templates": f"{names.TEMPLATES}/",
        "projects": ruled,
    }
    return render(root, "shared.yml.j2", values)


def registry(root: Path, project: str, loaded: Project, stack: str, environment: str) -> str:
    """The template of the stack that holds a project's images."""
    del loaded  # nothing of it yet; each project's templates are asked for alike
    values = {"project": project, "environment": environment, "repository": names.repository(stack)}
    return render(root, "registry.yml.j2", values)


def task(root: Path, project: str, loaded: Project, stack: str, environment: str) -> str:
    """The template of a project's task stack."""
    deploy = loaded.deploy
    values = {
        **_names(stack, environment),
        "project": project,
        "environment": environment,
        "deploy": deploy,
        "storage": deploy.storage if deploy.storage > FREE_STORAGE else None,
        "own_group": deploy.vpc is not None and not deploy.security_groups,
        "written": permissions.written(stack),
        "arns": permissions.arns(deploy.policies),
        "statements": permissions.statements(deploy.policies),
    }
    return render(root, "task.yml.j2", values)


def every(root: Path, loaded: Mapping[str, Project] | None = None) -> dict[str, Project]:
    """Every project under a root by its name, sorted; ProjectFileError tells the problems of all of them."""
    ready = loaded or {}
    found = {name: ready.get(name) or _loaded(ProjectPlace(name, root)) for name in known(root)}
    if problems := [problem for faulty in found.values() if isinstance(faulty, tuple) for problem in faulty]:
        raise ProjectFileError(problems)
    return {name: loaded for name, loaded in found.items() if not isinstance(loaded, tuple)}


def _names(stack: str, environment: str) -> dict[str, Any]:
    return {
        "stack": stack,
        "family": names.family(stack),
        "container": names.CONTAINER,
        "repository": names.repository(stack),
        "log_group": names.log_group(stack),
        "log_prefix": names.log_prefix(),
        "role_path": names.role_path(stack),
        "parameter": keys.parameter(stack),
        "topic": names.topic(environment),
    }


def _bucket(environment: str) -> str:
    """What names.bucket says, as Fn::Sub takes it."""
    return f"handoff-{environment.lower()}-${{AWS::AccountId}}-${{AWS::Region}}"


def _loaded(place: ProjectPlace) -> Project | tuple[Problem, ...]:
    try:
        return load(place.file, place.shown)
    except ProjectFileError as error:
        return error.problems
