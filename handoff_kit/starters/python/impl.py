"""Functions that run in place of the pipeline: every public f(params, data) here is a command."""

from typing import Any


def describe(params: dict[str, Any], data: dict[str, Any]) -> None:
    """Tell what the pipeline would run: `run-local --command describe`."""
    print(f"hello, {data.get('name', 'world')}")
    for stage in params["pipeline"]["stages"]:
        print(f"stage: {stage['name']}")
