"""Runs a pipeline, here and in the container, with the standard library alone (boto3 only inside aws/).

__main__.py      the command line: chooses the store, turns errors into exit codes; start.py starts it by its path
run.py           one run, stage by stage; start reading here
store.py         what a run calls of its store, and what that does without AWS; aws/store.py is the store in AWS
params.py        the params document: read, checked, packed into a parameter
pipeline.py      stages and links of a pipeline; placeholders.py fills `{{ name }}`; functions.py calls impl.py
supervisor/      the processes of a run
state.py         state before and after; record.py run.json; history.py the index of runs; stored_json.py checks them
log.py           the log, masked by masking.py, which knows secrets by secret_rules.py and secret_values.py
alert.py         what people are notified of; refusal.py what a run leaves that was refused
workspace.py     the paths of a run; symlinks.py refuses links that lead out; overlap.py runs at the same time
terminal.py      what may reach a terminal; errors.py, polling.py, utf8.py; namedtuple.py, annotations.py
s3_keys.py       where things are stored; retention.py how long: the tags of objects
show_commands.py, collector_stats.py   the commands of these names
"""
