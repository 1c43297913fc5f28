"""A project in AWS, seen from a workstation: its params, files, artifacts, state and history."""
