"""The project file: reading, validation and model; and the documents rendered from it.

yaml_reader, yaml_errors    YAML with every scalar as text, and line and column of every value
model, deploy_settings, schedule_settings    the keys: type, default, description, example
fields, patterns, suggestions, fargate_sizes    declarations of keys, their valid values, hints for invalid ones
validation                  the rules, and the problems they find, each with line, column and a hint
load                        from a path to a Project, or to all problems of the file
recipients                  `alerts`: who is notified, and how a message reaches them
retention                   `keep`: the lifecycle rules of the bucket, and the one that a value takes
params_document             the input of a run: the pipeline, and the sensitive config of `.local`
schema, reference           the JSON Schema, and the reference in the docs, rendered from the models
"""
