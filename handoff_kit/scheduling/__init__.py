"""Expressions of EventBridge Scheduler, and the times that follow from them; pure.

cron.py        a cron expression of five or six fields, translated
expression.py  cron, rate and at: validated and translated
timezones.py   IANA time zones, and hints for invalid names
next_times.py  the next times of an expression, with the rules for changes of the clocks
"""
