"""What can be wrong with a project file, each problem with its place and a hint.

rules           every rule, in order, and the problems they find
fault           a problem before it has line and column; the file of any shape that the rules look at
keys            unknown and misplaced keys
shapes          values that are missing, or of another form than the declaration of their key
stages          commands, words, variables, virtual environments, requirements
image           base, packages, steps, services, patterns
fargate         sizes, processor, tags
aws_resources   policies, network
schedules       times, time zones, names
"""
