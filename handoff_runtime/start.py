"""Starts the runtime by its path: `python handoff_runtime/start.py`, with the arguments of `python -m handoff_runtime`.

`python -m` puts the working directory, which is the project's, in front of the standard library before it imports
anything, so a `types.py` of a project would end every run. A script's own directory takes that place instead, and
leaves it here before anything is imported from a file.
"""

import os
import sys

OWN = os.path.dirname(os.path.realpath(__file__))
try:
    LEFT_OUT = (OWN, os.path.realpath("."))  # the latter where PYTHONPATH names it
    sys.path[:] = [place for place in sys.path if os.path.realpath(place) not in LEFT_OUT]
except FileNotFoundError:  # the working directory was removed: nothing can be imported from it
    sys.path[:] = [place for place in sys.path if os.path.isabs(place) and os.path.realpath(place) != OWN]
sys.path.insert(0, os.path.dirname(OWN))

import handoff_runtime  # noqa: E402, F401  # the package this file is of, and not another one that is installed

sys.path.append(sys.path.pop(0))

from handoff_runtime.__main__ import start  # noqa: E402

start()
