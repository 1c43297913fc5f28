"""CloudFormation stacks.

deploy_stack.py is the operation: prepare, compare, confirm, execute, wait. Its parts: stack.py (what is deployed),
template.py, diff.py, changeset.py, wait.py with events.py, failure.py and output.py.
stack_resources.py, dependents.py and drift.py are for resources that were deleted or changed by hand.
"""
