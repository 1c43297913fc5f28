"""When a project runs: expressions as people and AWS write them, the times that follow, and the stack that does it."""
