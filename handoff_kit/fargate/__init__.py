"""A task on AWS Fargate: how large it may be, where it runs, how it is started, followed and told of."""
