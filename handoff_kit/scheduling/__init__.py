"""Expressions of EventBridge Scheduler, and the times that follow from them; pure.

cron.py        a cron expression of five or six fields, translated
expression.py  cron, rate and at: what is wrong with one, and how EventBridge writes it
timezones.py   IANA time zones, and what was meant by a name that is none
next_times.py  the next times of an expression, with the rules for changes of the clocks
"""
