"""The store in AWS: params in Parameter Store; files, artifacts, state and history in S3.

The first call loads boto3.

store.py        the store as run.py uses it
session.py      clients, calls, pages; retry.py repeats, errors.py explains, concurrency.py calls at once
params.py       the parameter of a project; references.py values of other parameters and secrets
transfer.py     plans of files; download.py, upload.py and checksum.py move them
lease.py        the lock of a project: acquire, renew, release
state.py        state, and checkpoints of it during a run
history.py      the index of runs, and runs that were killed
"""
