"""Calls of AWS for a project: session and target, buckets and objects, ECR, params, state, history, deployments,
the dead-letter queue of schedules.

cloudformation/ creates, updates and deletes stacks; ecs/ runs, watches and stops tasks.
"""
