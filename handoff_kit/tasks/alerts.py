"""Tasks for the people who are notified of runs: alerts.test."""

from __future__ import annotations

from invoke.context import Context

from handoff_kit.console import print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import command


@command("test", operates=True)
def send_test(c: Context, project: str = "", environment: str = "") -> None:
    """Send a test message to everyone who is notified of failed runs, and print to whom. Fails if one is refused."""
    from handoff_kit import resource_names
    from handoff_kit.aws import alerts

    deployed = options.find_deployed(c, project, environment)
    target = deployed.target
    message = f"send a message by state machine {resource_names.alert_machine(target.name)}"
    if c.config.run.dry:
        print_progress(f"would {message}\nnothing was done: --dry")
        return
    print_progress(message)
    sent = alerts.send_test(target, deployed.stack)
    for recipient in alerts.describe_subscribers(sent):
        print_progress(f"sent to {recipient}")
    if sent.webhooks:
        print_progress("note: EventBridge calls webhooks, for up to an hour; see there whether the message has arrived")
    print_progress(f"next: invoke status {target.options}")
