"""Use cases of deployments: deploy, schedule, status, destroy. Each reads, makes a plan, and hands it to apply.py.

deploy_project.py     deploys projects, stage by stage; start reading here
desired.py            what is to be deployed, from the project files
current.py            what is deployed, from AWS
plan.py               the steps between the two
templates.py          the CloudFormation templates, filled
schedule_project.py   the schedules of a project: from options or the project file to the schedule stack
schedule_template.py  the template of the schedule stack, and the schedules that a deployed one holds
schedule_output.py    next times, notes and lists of schedules for people and programs
inventory.py          what a project has in AWS
destroy.py            deletes a project
destroy_shared.py     deletes what the projects of an environment share
status.py             compares what is deployed with the local projects
status_output.py      a table, a page or JSON of that
"""
