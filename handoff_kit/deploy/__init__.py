"""Deploy projects.

schedule_project.py   the schedules of a project: from options or the project file to the schedule stack
schedule_template.py  the template of the schedule stack, and the schedules that a deployed one holds
schedule_output.py    next times, notes and lists of schedules for people and programs
"""
