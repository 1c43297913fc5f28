"""Validation of a project file: the rules, and the problems they find.

rules           every rule, in order, and the problems they find
fault           a problem before it has line and column: what a rule yields
keys            unknown and misplaced keys
shapes          values that are missing, or of another form than the declaration of their key
stages          commands, words, variables, virtual environments, requirements
image           base, packages, steps, services, patterns
fargate         sizes, processor, tags
aws_resources   policies, network
schedules       times, time zones, names
"""
