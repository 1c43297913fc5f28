"""The processes of a run: start, pipes, counts, signals, shutdown, outcome.

supervisor.py runs the stages in event_loop.py. process.py starts a stage, start_failure.py says why it cannot;
stage.py is one that runs; open_files.py raises the limit of open files for them.
meter.py with line_count.py moves and counts the bytes between two stages; stderr.py reads their messages; progress.py
reports figures.
signals.py and shutdown.py end stages within the grace time; orphans.py and watchdog.py end what stages leave.
outcome.py judges all exits; oom.py knows a kill for memory; syscalls.py has the system calls that Python lacks.
"""
