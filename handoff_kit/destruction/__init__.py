"""Taking a project, or what the projects of an environment share, out of AWS again: read, planned, done, proven."""
