"""Stacks: deploy_stack.py is the operation; stack, template, diff, changeset, wait, events, failure, output are parts."""
