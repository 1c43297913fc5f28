"""Runs of a project.

local_run.py        a run on this machine: planned, previewed, executed, summarized
runtime_process.py  the runtime as a child process
container.py        the container of a run: its command line, mounts, removal
fargate_run.py      runs and stops tasks on Fargate
starters.py         the files of a new project
gitignore.py        .gitignore, and notes on private files that git tracks
"""
