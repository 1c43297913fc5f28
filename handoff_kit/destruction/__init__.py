"""The contents of buckets and repositories: counted, and the calls that delete them."""
