"""The project's own functions: public `def NAME(params, data)` in its `impl.py`, run as a one-stage pipeline.

A function runs in a process of its own, so that it is stopped, logged, masked and recorded like any stage.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # as a script: our own directory is no place to import from, the one above it is the last
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [*(place for place in sys.path if place != HERE), os.path.dirname(HERE)]

import ast
import json
from collections.abc import Mapping

from handoff_runtime import exact_json
from handoff_runtime.annotations import Any
from handoff_runtime.errors import PipelineError
from handoff_runtime.pipeline import Expect, Pipeline, Stage, stage_name
from handoff_runtime.utf8 import require_utf8

IMPL = "impl.py"


def function_names(path: str = IMPL) -> tuple[str, ...]:
    """The public functions of the project's impl.py, read without running it."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), IMPL)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise PipelineError(f"{IMPL}: {error.strerror}, a file with functions expected", f"ls -ld {IMPL}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the latter two: nested too deep
        line, reason = getattr(error, "lineno", None), error.args[0] if error.args else "nested too deep"
        raise PipelineError(f"{IMPL}{f':{line}' if line else ''}: {reason}", "mend it: it is no Python") from None
    return tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_")


def function_pipeline(whole: Pipeline, name: str) -> Pipeline:
    """The pipeline whose only stage is this function; it leaves the state alone."""
    argv = (sys.executable, os.path.abspath(__file__), name)
    stage = Stage(stage_name(name), argv, f"{IMPL}:{name}", None, {})
    return whole._replace(stages=(stage,), state="none", meter="off", expect=Expect())


def open_arguments(params: Mapping[str, Any], data: Mapping[str, Any]) -> int:
    """A descriptor from which the function's process reads its arguments; no file of that name is left."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(exact_json.dumps({"params": params, "data": data}).encode())
        file.flush()
        file.seek(0)
        return os.dup(file.fileno())


def call_function(name: str, params: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Import impl.py from the working directory and call one function of it.

    The project's modules are found after the standard library's, so that its types.py or json.py is nobody else's,
    and before installed packages.
    """
    import importlib

    library = os.path.dirname(os.path.abspath(os.__file__))
    standard = (library, os.path.join(library, "lib-dynload"))  # the latter is below the former
    last = max((index for index, path in enumerate(sys.path) if os.path.abspath(path) in standard), default=-1)
    sys.path.insert(last + 1, os.getcwd())

    function = getattr(importlib.import_module("impl"), name)
    function(dict(params), dict(data))


if __name__ == "__main__":
    require_utf8()
    arguments = json.load(sys.stdin)
    call_function(sys.argv[1], arguments["params"], arguments["data"])
