"""Runs of a project.

local_run.py        run-local: with local files, in a container of the image, or with the data in AWS
runtime_process.py  handoff_runtime as a process, and what it reports
container.py        the same in docker or podman
fargate_run.py      run: a task on Fargate, with its log and its result
starters.py         new: a project from handoff_kit/starters/; gitignore.py keeps its private files out of git
"""
