"""Virtual environments of a project.

install.py  the steps that create them with uv, and whether one is ready
indexes.py  the package indexes named for pip, passed on to uv
locks.py    locks/NAME.txt: exact versions, each file with its hash
"""
