"""What `invoke check` refuses before anything is sent to AWS."""

from __future__ import annotations

from doubles.checkout import Checkout, InvokeResult

STAGES = "commands: [{command: date}]"
SHOWN = "projects/plain/project.yml"


def test_every_fault_of_deploy_and_schedules(checkout: Checkout) -> None:
    checkout.project(
        "plain",
        f"""
{STAGES}
deploy:
  cpu: 1024
  memory: 512
schedules:
  - cron: "60 2 * * *"
    timezone: Europe/berlin
""",
    )
    assert checkout.invoke("check") == InvokeResult(
        2,
        "",
        f"""\
error: {SHOWN}:5:11: `memory` is `512`, expected what goes with cpu 1024: 2GB to 8GB in steps of 1GB
hint: the nearest is `2GB`; or, for 512, cpu: 256
error: {SHOWN}:7:11: `cron`: found minute `60` in `60 2 * * *`, expected 0 to 59
hint: did you mean `0`?
error: {SHOWN}:8:15: `timezone`: found `Europe/berlin`, expected an IANA time zone, like Europe/Berlin
hint: did you mean `Europe/Berlin`?
""",
    )


def test_names_that_are_too_long_or_shared(checkout: Checkout) -> None:
    name, environment = f"{38 * 'p'}_p", 20 * "e"
    checkout.project(name, f"{STAGES}\nschedules: [{{rate: 1 hour}}]\n")
    checkout.project(name.replace("_", "-"), STAGES)
    stack = f"handoff-{environment}-{38 * 'p'}-p"
    shown = f"error: projects/{name}/project.yml"
    assert checkout.invoke("check", "--project", name, "--environment", environment) == InvokeResult(
        2,
        "",
        f"""\
{shown}: the name of a group of schedules would be {stack}, 69 characters; AWS takes at most 64
hint: call the project or the environment by a name that is shorter by 5
{shown}: the projects {name} and {38 * "p"}-p would share the stack {stack} in AWS, expected names that differ there too
hint: rename one: git mv projects/{name} projects/{name}2
""",
    )


def test_credentials_are_named_by_check_and_render(checkout: Checkout) -> None:
    directory = checkout.project("plain", STAGES, {".netrc": "machine x", "data.csv": "1\n"})
    note = "projects/plain: left out of the image, because they look like credentials: .netrc"
    hint = "hint: config with secrets belongs into .local; to have a file in the image: image: {include: [PATH]}\n"
    assert checkout.invoke("check").stderr.splitlines(keepends=True)[2:4] == [f"note: for an image: {note}\n", hint]
    assert checkout.invoke("render").stderr.startswith(f"note: {note}\n{hint}")
    rendered = checkout.root / "build/plain/context/project"
    assert sorted(path.name for path in rendered.iterdir()) == ["data.csv"]
    (directory / "project.yml").write_text(f"{STAGES}\nimage: {{include: [.netrc]}}\n")
    assert "credentials" not in checkout.invoke("render").stderr
    assert sorted(path.name for path in rendered.iterdir()) == [".netrc", "data.csv"]


def test_what_probably_means_something_else_is_noted(checkout: Checkout) -> None:
    text = """
commands:
  - command: cat
    args: ../../README.md --color #fff
  - command: colector_stats
envs: {TOKEN: "${MY_TOKEN}"}
state: none
"""
    checkout.project("plain", text, {".gitignore": "/.local\n/.env\n/.artifacts\n", ".local/a.json": "{"})
    (checkout.root / "README.md").write_text("")
    assert checkout.invoke("check") == InvokeResult(
        0,
        "",
        f"""\
{SHOWN}: no problem found
note: {SHOWN}:4:11: YAML takes "#fff" for a comment, so `args` ends before it
hint: put the whole value into quotes; or write a blank after the # of a comment
note: {SHOWN}:5:14: found no program colector_stats in the project, its venv or on PATH
hint: did you mean `collector_stats`?
note: {SHOWN}:6:15: `TOKEN` holds ${{MY_TOKEN}}, which no shell fills
hint: {{{{ MY_TOKEN }}}} is filled from data or vars; a secret belongs into a file of .local
note: projects/plain/.local/a.json:1:2: this is no JSON: expecting property name enclosed in double quotes
hint: correct it; for another format, choose a name that does not end in .json
note: for an image: {SHOWN}: stage 1 names ../../README.md, which an image does not have
hint: copy it to projects/plain/, and name it so: README.md
next: invoke run-local --project plain
""",
    )
