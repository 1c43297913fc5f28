"""Tasks on Fargate.

cluster.py (where a project's tasks run), overrides.py with secret_detection.py (options of one run),
executions.py (of the state machine that starts tasks), tasks.py (list, describe, stop), watch.py with
task_observer.py, log_stream.py and stop_reasons.py, and logs.py. execution_outcome.py (what became
of an execution) and run_history.py (the history joined with executions and missed schedules). start_check.py (before
a run whose predecessor did not start).
"""
