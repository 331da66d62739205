"""The amazon provider's operator, deferred: `python amazon_deferred.py REQUEST`; what came of it is the last line."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator
from airflow.sdk.exceptions import TaskDeferred


async def first_event(trigger):
    """Run a trigger as a triggerer does: from what it is serialized to."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)
    return dict((await anext(again.run())).payload)


def deferred(operator):
    try:
        operator.execute({})
    except TaskDeferred as deferral:
        return deferral
    raise SystemExit("the operator did not defer")


if __name__ == "__main__":
    operator = SageMakerTransformOperator(
        task_id="score", config=json.loads(sys.argv[1]), aws_conn_id=None, check_interval=1, deferrable=True
    )
    deferral = deferred(operator)
    event = asyncio.run(asyncio.wait_for(first_event(deferral.trigger), 60))
    result = operator.execute_complete({}, event) if event["status"] == "success" else None
    print(json.dumps({"event": event, "result": result}, default=str))
