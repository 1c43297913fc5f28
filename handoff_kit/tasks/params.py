"""Tasks for the params document: params, params.push, params.pull, params.dump, params.diff, params.history."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from invoke.context import Context

from handoff_kit.console import print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply, command, finish

VERSION = "Number of a stored version as `invoke params.history` prints it, e.g. 3; default: the newest"


@command("make", help={"output": "File to write, with mode 600, e.g. params.json; default: print to stdout"})
def make_params(c: Context, project: str = "", output: str = "", environment: str = "") -> None:
    """Print or write the params document: the pipeline, and the sensitive config of .local in plain text."""
    from handoff_kit.project import params_document
    from handoff_kit.steps import WriteFile

    paths = options.find_project(c, project)
    text = params_document.to_json(
        params_document.load_params_document(paths, options.parse_environment(environment, os.environ))
    )
    if output:
        apply(c, [WriteFile(Path.cwd() / output, text, 0o600)])
        finish(c, 1, f"invoke run-local --project {paths.name} --params {shlex.quote(output)}")
    elif c.config.run.dry:
        print_progress(f"would print the params document ({len(text.encode()):,} bytes)")
    else:
        print_data(text)


@command("push", help={"params": "Params document to store, e.g. params.json; default: the project file and .local"})
def push_params(
    c: Context, project: str = "", params: str = "", prune: bool = False, environment: str = "", yes: bool = False
) -> None:
    """Store the params document in Parameter Store, encrypted. Keeps stored config files that are not in .local."""
    from handoff_kit.aws.deployments import record_push
    from handoff_kit.aws.params import (
        StoredParams,
        confirm_push,
        find_replaceable_params,
        new_references,
        parameter_settings,
        plan_push,
    )
    from handoff_kit.project import params_document
    from handoff_kit.project.retention import describe_keep, on_ladder

    paths, loaded = options.load_project(c, project)
    if params:
        document = params_document.read_params_file(Path.cwd() / params, paths)
    else:
        params_document.check_functions(paths)
        document = params_document.params_document(paths, loaded, options.parse_environment(environment, os.environ))
    _, target = options.find_target(c, project, environment, bucket=False)
    stored = find_replaceable_params(target)
    if isinstance(stored, StoredParams):  # a deployment tags what is stored before runs go by another `keep`
        pipeline, later = stored.params.pipeline, "takes effect with the next deployment"
        document = params_document.with_keep(document, pipeline.keep)
        document = params_document.with_success_within(document, pipeline.expect.success_within)
        if pipeline.keep != (keep := on_ladder(loaded.keep)):
            print_progress(f"note: keep: {{{describe_keep(keep)}}} {later}")
        if pipeline.expect.success_within != loaded.expect.success_within:
            print_progress(f"note: expect.success_within {later}")
    plan = plan_push(
        target,
        document,
        stored,
        advanced=loaded.params.tier == "advanced",
        prune=prune,
        parameter=parameter_settings(target, loaded.deploy),
    )
    if not c.config.run.dry:
        again = f"invoke params.push --prune{f' --params {shlex.quote(params)}' if params else ''} {target.options}"
        confirm_push(plan, again, yes=yes)
    changes = apply(c, [plan], target)
    if changes and not c.config.run.dry:
        target.session.set_keep(target.name, stored.params.pipeline.keep if isinstance(stored, StoredParams) else None)
        record_push(target, print_progress)
    if stored and (references := new_references(plan.document, stored)):
        print_progress(f"note: the task may read {references} after the next deployment")
        print_progress(f"hint: invoke deploy {target.options}")
    if not changes and stored:
        print_progress(f"parameter {target.parameter} is up to date (version {stored.version})")
    after = "files.push" if (paths.directory / "files").is_dir() else "params.dump"
    finish(c, changes, f"invoke {after} {target.options}")


@command(
    "pull",
    help={
        "force": "Overwrite files of .local that differ; default: write nothing if one differs",
        "version": VERSION,
    },
)
def pull_params(c: Context, project: str = "", force: bool = False, version: str = "", environment: str = "") -> None:
    """Write the stored config files to .local with mode 600, without printing their values."""
    from handoff_kit.aws.history import parse_count
    from handoff_kit.aws.params import get_params
    from handoff_kit.project import params_document

    number = parse_count("--version", version)
    paths = options.find_project(c, project)  # whose .local is written
    _, target = options.find_target(c, project, environment, bucket=False)
    stored = get_params(target, number)
    again = f"invoke params.pull{f' --version {number}' if number else ''} {target.options}"
    steps, equal = params_document.plan_pull(paths, stored.params.files, again, force=force)
    apply(c, steps)
    if equal:
        print_progress(f"already up to date: {', '.join(equal)}")
    if not steps and not equal:
        print_progress(f"version {stored.version} of parameter {target.parameter} holds no config file")
    finish(c, len(steps), f"invoke params.diff {target.options}")


@command(
    "dump", operates=True, help={"reveal": "Print secrets in plain text; default: masked as ***", "version": VERSION}
)
def dump_params(c: Context, project: str = "", reveal: bool = False, version: str = "", environment: str = "") -> None:
    """Print the stored params document, the values of config files masked."""
    from handoff_kit.aws.history import parse_count
    from handoff_kit.aws.params import get_params, mask_document
    from handoff_kit.project import params_document

    number = parse_count("--version", version)
    paths, target = options.find_target(c, project, environment, bucket=False)
    stored = get_params(target, number)
    print_data(params_document.to_json(stored.document if reveal else mask_document(stored.params)))
    after = "params.diff" if paths.file.exists() else "params.history"
    print_progress(f"parameter {target.parameter}, version {stored.version}\nnext: invoke {after} {target.options}")


@command("diff")
def diff_params(c: Context, project: str = "", environment: str = "") -> None:
    """Print the differences between stored and local params: keys, short hashes of values, stored-only files."""
    from handoff_kit.aws.params import compare_params, format_params_diff, get_params
    from handoff_kit.project import params_document

    name = options.parse_environment(environment, os.environ)
    local = params_document.load_params_document(options.find_project(c, project), name)
    _, target = options.find_target(c, project, environment, bucket=False)
    stored = get_params(target)
    merged = params_document.merge(local, stored.document)
    differences = compare_params(stored.document, merged.document)
    print_output(format_params_diff(differences, merged.kept))
    if not differences and not merged.kept:
        print_progress(f"no difference: version {stored.version} of parameter {target.parameter} is up to date")
        return
    if merged.kept:
        print_progress(f"= stored in version {stored.version} only; a push keeps it")
    if differences:
        print_progress(f"- stored in version {stored.version}, + local")
    print_progress(f"next: invoke params.{'push' if differences else 'pull'} {target.options}")


@command("history", operates=True)
def list_params(c: Context, project: str = "", environment: str = "") -> None:
    """Print the stored versions of the params: time, author and tier."""
    from handoff_kit.aws.params import params_history

    _, target = options.find_target(c, project, environment, bucket=False)
    print_output(params_history(target))
    print_progress(f"next: invoke params.dump --version N {target.options}")
