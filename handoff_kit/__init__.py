"""The workstation side of handoff: the project file, names, rendering, plans, and doing them."""

__version__ = "0.1.0"
