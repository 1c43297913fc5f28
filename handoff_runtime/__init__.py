"""The part of handoff that runs a pipeline, here and in the container; standard library only."""
