"""What there is of projects in AWS, against what lies here: image, params, schedules, the last run.

`here` reads the files, `account` asks AWS for all projects at once, `row` compares the two, `shown` tells it.
"""
