"""Tasks for deployments: deploy, rollback, verify, destroy, status."""

from __future__ import annotations

import os
from functools import cache

from invoke.context import Context
from invoke.exceptions import Exit

from handoff_kit.console import print_data, print_output, print_progress
from handoff_kit.errors import ProjectError
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply_options, command, finish


@command(
    iterable=["shared_tag"],
    help={
        "all": "Deploy every project under projects/; default: one project",
        "move-bucket": "Copy files, artifacts, state and history to the bucket that S3_BUCKET_NAME or deploy.bucket "
        "names, and deploy with it; default: refuse a bucket other than the deployed one",
        "repair": "Create resources again that were deleted by hand, and change back those that were changed, besides "
        "deploying; default: deploy only what differs from the deployed templates",
        "rebuild": "Build the image again from the newest base and packages, and deploy it; "
        "default: build it only if the project changed",
        "shared-tag": "Tag of the shared stack as NAME=VALUE, e.g. cost-center=42; may be repeated; "
        "default: the tags it has, or when it is created those of deploy.tags",
    },
)
def deploy(
    c: Context,
    project: str = "",
    all: bool = False,  # noqa: A002  # the flag's name
    environment: str = "",
    builder: str = "",
    move_bucket: bool = False,
    prune: bool = False,
    rebuild: bool = False,
    repair: bool = False,
    shared_tag: list[str] | None = None,
    yes: bool = False,
) -> None:
    """Deploy a project to AWS: stacks, image, params, files. Prints the changes of each stack, and asks first."""
    from dataclasses import replace

    from handoff_kit.aws.session import account_of, open_session
    from handoff_kit.deploy import deploy_project
    from handoff_kit.deploy.desired import desired_projects, desired_shared

    if all and project:
        raise ProjectError("--all and --project exclude each other", "leave out --project")
    name = options.parse_environment(environment, os.environ)
    project_paths = options.all_projects(c) if all else (options.find_project(c, project),)
    projects, errors = desired_projects(project_paths, name, os.environ)
    if not all and errors:
        raise errors.popitem()[1]
    for error in errors.values():
        print_progress(str(error))
    if not projects:
        raise ProjectError(
            "no project can be deployed: each file has errors", "correct them, then: invoke deploy --all"
        )
    tags = options.parse_tags(shared_tag or [])
    shared = replace(desired_shared(projects[0].paths.root, name), own_tags=tags)
    for desired in projects:
        options.warn_of_git(desired.paths)
        options.warn_of_credentials(desired.paths, desired.project)
    session = open_session(os.environ, print_progress)
    context = deploy_project.DeployContext(
        session,
        account_of(session),
        os.environ,
        cache(lambda: options.find_image_builder(builder)),
        apply_options(c, yes=yes),
        prune=prune,
        move_bucket=move_bucket,
        rebuild=rebuild,
        repair=repair,
    )
    changes = deploy_project.deploy_projects(projects, shared, context, tuple(errors))
    if not changes:
        print_progress(f"no changes: {'nothing to repair, ' if repair else ''}the deployment is up to date")
    finish(c, changes, deploy_project.next_command(projects, context.target(projects[0]), changed=bool(changes)))


@command(
    operates=True,
    help={
        "to": "Run or params version to return to: a run's id, e.g. 20270131T060000Z-3fc643, for its image and params, "
        "or a number, e.g. 3, for the newest deployment with these params; default: the newest successful run with "
        "another image or other params",
    },
)
def rollback(c: Context, project: str = "", to: str = "", environment: str = "", yes: bool = False) -> None:
    """Deploy the image and the params of an earlier run again. Prints what changes, and asks first."""
    from handoff_kit.deploy.rollback import roll_back

    deployed = options.find_deployed(c, project, environment)
    changes = roll_back(deployed, to, apply_options(c, yes=yes))
    finish(c, changes, f"invoke {'run' if changes else 'status'} {deployed.target.options}")


@command(
    operates=True,
    help={
        "data": "Delete files, artifacts, state, history and params too; default: keep them",
        "running": "What to do with runs in progress: wait (for their end) or stop; default: ask; without a terminal "
        "or with --yes, refuse to delete",
        "shared": "Delete the stack that the projects of the environment share, once none of them is deployed; "
        "default: delete a project",
    },
)
def destroy(
    c: Context,
    project: str = "",
    shared: bool = False,
    data: bool = False,
    running: str = "",
    environment: str = "",
    yes: bool = False,
) -> None:
    """Delete a project from AWS: schedules, task, log, images. Prints what is deleted and kept, and asks first."""
    from handoff_kit import resource_names
    from handoff_kit.aws.ecs.cluster import settings_in_use
    from handoff_kit.aws.session import account_of, open_session
    from handoff_kit.deploy.destroy import destroy_project
    from handoff_kit.deploy.destroy_shared import destroy_shared, shared_target
    from handoff_kit.steps import Running

    name = options.parse_environment(environment, os.environ)
    choice = options.parse_choice("--running", running, ("wait", "stop"))
    mode: Running = "wait" if choice == "wait" else "stop" if choice else ""
    if shared and project:
        raise ProjectError("--shared and --project exclude each other", "leave out --project")
    if shared:
        session = open_session(os.environ, print_progress)
        target = shared_target(session, name, account_of(session))
        changes = destroy_shared(target, data=data, options=apply_options(c, yes=yes))
        finish(c, changes, "invoke deploy --project NAME")
        return
    deployed = options.find_deployed(c, project, environment, required=False)
    cluster = settings_in_use(deployed, print_progress).cluster or resource_names.cluster(name)
    changes = destroy_project(deployed.target, cluster, data=data, options=apply_options(c, yes=yes), running=mode)
    is_here = deployed.paths.file.exists()
    finish(c, changes, f"invoke deploy {deployed.target.options}" if is_here else "invoke status")


@command(
    help={
        "json": "Print JSON, one object per project; default: text",
        "project": "Name of a project, e.g. word-count, to show in detail, also of one that is only deployed; "
        "default: every project, one line each",
    },
)
def status(c: Context, project: str = "", environment: str = "", json: bool = False) -> None:
    """Print what is deployed, and whether it is up to date: stack, image, params, next run, last run, outcome."""
    from handoff_kit.aws.session import open_session
    from handoff_kit.deploy import status_output
    from handoff_kit.deploy.status import read_status, read_statuses

    name = options.parse_environment(environment, os.environ)
    session = open_session(os.environ, print_progress)
    if project:
        status, detail, notes = read_status(*options.find_any_project(c, project), name, os.environ, session)
        statuses = [status]
        if json:
            print_data(status_output.status_json(statuses, detail))
        else:
            print_output(status_output.status_page(status, detail, options.utc_now().date()))
    else:
        statuses, notes = read_statuses(options.project_root(c), name, os.environ, session)
        if not statuses:
            options.all_projects(c)  # raises
        print_data(status_output.status_json(statuses)) if json else print_output(status_output.status_table(statuses))
    for note in (*(f"note: {problem}" for project_status in statuses for problem in project_status.problems), *notes):
        print_progress(note)
    print_progress(f"next: {status_output.next_command(statuses)}")


@command(
    operates=True,
    help={
        "drift": "Also compare the properties of every resource with the deployed templates, which takes minutes; "
        "default: whether each resource exists",
        "json": "Print JSON, one object per check; default: text",
    },
)
def verify(c: Context, project: str = "", environment: str = "", drift: bool = False, json: bool = False) -> None:
    """Check what a deployed project needs in AWS, part by part, with the fix for what failed; exit with 1 then."""
    from handoff_kit.aws import session as aws
    from handoff_kit.aws.cloudformation.stack import describe_all
    from handoff_kit.deploy import verify_output
    from handoff_kit.deploy.checks import FAILED, has_failed
    from handoff_kit.deploy.verify import verify_access, verify_drift, verify_project

    name = options.parse_environment(environment, os.environ)
    paths, unknown = options.find_any_project(c, project)
    session = aws.open_session(os.environ, print_progress)
    groups, after = [verify_access(session)], ""
    if groups[0].checks[0].outcome != FAILED:
        stacks = describe_all(session)
        deployed = aws.find_deployed(paths, name, os.environ, print_progress, unknown, session=session, stacks=stacks)
        groups += verify_project(deployed, stacks)
        groups += verify_drift(deployed, stacks, print_progress) if drift else ()
        after = f"next: invoke run {deployed.target.options}"
    show = verify_output.checks_json if json else verify_output.checks_tree
    print_data(show(groups)) if json else print_output(show(groups))
    print_progress(f"{paths.name}: {verify_output.counts(groups)}")
    if has_failed(groups):
        raise Exit(code=1)
    print_progress(after)


@command(
    help={"project": "Name of the only project to estimate, e.g. word-count; default: every deployed project"},
)
def cost(c: Context, project: str = "", environment: str = "", json: bool = False) -> None:
    """Estimate what projects cost, per run and month: task size, durations of the last 30 days, Spot, stored data."""
    from handoff_kit.aws.session import find_all_deployed
    from handoff_kit.deploy import cost as costs
    from handoff_kit.errors import AWSError
    from handoff_kit.text import json_lines

    name = options.parse_environment(environment, os.environ)
    if project:
        deployed = [options.find_deployed(c, project, environment)]
        deployed = [each for each in deployed if each.stack]
    else:
        deployed = find_all_deployed(options.project_root(c), name, os.environ, print_progress)
    if not deployed:
        what = f"project {project}" if project else "any project"
        flags = f" --project {project}" if project else ""
        message = f"environment {name}: found no deployment of {what}"
        raise AWSError(message, f"invoke deploy{flags or ' --all'} --environment {name}")
    region = deployed[0].target.session.region
    found = costs.read_costs(deployed, options.utc_now(), print_progress)
    if json:
        print_data(json_lines(costs.cost_as_json(each, region) for each in found))
    else:
        print_output(costs.cost_table(found))
    for note in costs.cost_notes(found, region):
        print_progress(f"note: {note}")
    print_progress(f"next: invoke history --remote {deployed[0].target.options}")
