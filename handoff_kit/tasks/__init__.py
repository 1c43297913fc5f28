"""The invoke tasks. Each parses its options, calls one function of deploy/, run/ or below, and prints the result.

options.py    the values of common flags: project, environment, target, builder, data
task.py       @command: help of common flags, errors as exit codes; apply and finish
local.py      check, install, show-commands, run-local, new
image.py      render, build, images, push
deploy.py     deploy, rollback, verify, destroy, status, cost
schedule.py   schedule, unschedule, schedule.list, missed
alerts.py     alerts.test
run.py        run, stop, logs
params.py     params, params.push, params.pull, params.dump, params.diff, params.history
data.py       files.push, files.list, artifacts.get, artifacts.list, artifacts.clear
state.py      state.show, state.history, state.edit, state.restore, state.clear
history.py    history, history.show
command_line.py   unknown tasks and flags, reported with a hint before invoke parses them
editor.py     a text edited in VISUAL, EDITOR or vi
"""
