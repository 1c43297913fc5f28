"""The image of a project: what goes in, how it is built, and what becomes of it."""
