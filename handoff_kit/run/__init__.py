"""Runs of a project: local, in a container, on Fargate."""
