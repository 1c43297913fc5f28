"""Calls of AWS for a project: session and target, buckets and objects, ECR, params, state, history, deployments,
the dead-letter queue of schedules; alerts.py (who is notified, and a test message); prices.py, which has no calls.

reader.py makes each call that reads once; probes.py and network.py look up whether the resources of stacks exist.
cloudformation/ creates, updates and deletes stacks; ecs/ runs, watches and stops tasks.
"""
