"""The status of projects: `status` reads and compares, `shown` prints."""
