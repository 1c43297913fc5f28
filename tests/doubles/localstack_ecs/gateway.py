# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204
"""ECS and ECR at LocalStack's own address: their requests go to the proxy before moto as they are, the answers come back so."""

import os

from localstack.aws import handlers
from localstack.http.proxy import Proxy

SERVICES = ("ecs", "ecr")


class Passage:
    """A handler before LocalStack finds out that it does not have the service; the account is in a header by now."""

    def __init__(self, front):
        self.proxy = Proxy(front)

    def __call__(self, chain, context, response):
        if context.service and context.service.service_name in SERVICES:
            response.update_from(self.proxy.forward(context.request, forward_path="/"))
            chain.stop()


def install():
    """Put the handler where LocalStack takes one."""
    handlers.serve_custom_service_request_handlers.append(Passage(os.environ["HANDOFF_FRONT"]))
