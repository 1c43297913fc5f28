"""A project on its way into AWS: what it is here, what is there, the steps between the two, and taking them.

`wanted` reads the files and calls nobody, `account` asks AWS and changes nothing, `plan` is pure, `execute` acts.
"""
