"""The project file: read, validated, understood; and the documents that are made from it.

yaml_reader, yaml_errors    YAML as its author wrote it: every scalar as text, every value with its place
model, deploy_settings, schedule_settings    the keys: type, default, description, example
fields, patterns, suggestions, fargate_sizes    how a key is declared, and which values are right
validation                  what can be wrong with a file, each problem with its place and a hint
load                        from a path to a Project, or to all problems of the file
params_document             what a run is given: the pipeline, and the sensitive config of `.local`
schema, reference           the JSON Schema, and the reference in the docs, made from the models
"""
