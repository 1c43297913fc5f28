"""Use cases of deployments: deploy, schedule, status, verify, repair, destroy.

Each reads, makes a plan, and hands it to apply.py.

deploy_project.py     deploys projects, stage by stage; start reading here
desired.py            the desired state, from the project files
current.py            the current state, from AWS
plan.py               the steps between the two
templates.py          the CloudFormation templates, rendered; of a task stack with the hourly check of `expect`
alert_template.py     what notifies people: recipients, bodies of webhooks, messages that no run writes
schedule_project.py   the schedules of a project: from options or the project file to the schedule stack
schedule_template.py  the template of the schedule stack, and the schedules in a deployed one
schedule_output.py    next times, notes and lists of schedules for people and programs
inventory.py          the resources and data of a project in AWS
rollback.py           deploys the image and the params of an earlier run again
registry_images.py    the images in the registry: when each was deployed, and what runs it
destroy.py            deletes a project
destroy_shared.py     deletes the shared stack of an environment
status.py             compares what is deployed with the local projects
status_output.py      a status as table, page or JSON
verify.py             reads what a deployed project needs in AWS, and checks it
checks.py             the checks, without calls
verify_output.py      checks as a tree or JSON
repair.py             creates again what was deleted by hand, as part of a deployment
cost.py               what projects cost, estimated from their runs
"""
