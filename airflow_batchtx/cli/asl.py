"""The command that writes a job as a state machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from airflow_batchtx.cli.arguments import Command

# As in `spec.state_machine`, which is not imported for the help alone.
_ATTEMPTS, _MOST_ATTEMPTS, _INTERVAL = 3, 10, 60


def asl(
    file: Annotated[str, typer.Argument(help="A CreateTransformJob request as JSON; `-` reads standard input.")],
    sdk: Annotated[
        bool, typer.Option("--sdk", help="Call SageMaker by the AWS SDK integration, in the place of `.sync`.")
    ] = False,
    notify: Annotated[
        str | None, typer.Option(metavar="ARN", help="An SNS topic that is told why an execution fails.")
    ] = None,
    attempts: Annotated[
        int, typer.Option(help="The most jobs, where AWS lacks capacity or fails itself.", min=1, max=_MOST_ATTEMPTS)
    ] = _ATTEMPTS,
    interval: Annotated[
        int, typer.Option(help="Seconds between two looks at a job, where Step Functions does not wait.", min=1)
    ] = _INTERVAL,
    partition: Annotated[str, typer.Option(help="The AWS partition, such as aws-cn.")] = "aws",
) -> None:
    """Print a state machine of AWS Step Functions that runs the job, in the Amazon States Language.

    What holds a template, such as `"S3Uri": "{{ day }}"`, is read from the input of an execution, under the name that
    a TransformJob has it by: `{"input": "s3://lake/day=2026-01-01/"}`.

    Example: `batchtx asl churn.json --notify arn:aws:sns:eu-west-1:123456789012:failures > churn.asl.json`
    """
    from airflow_batchtx.cli import documents, showing
    from airflow_batchtx.spec.job import check
    from airflow_batchtx.spec.state_machine import state_machine

    request = documents.request_of(file)
    check(request)
    showing.as_json(
        state_machine(request, sdk=sdk, notify=notify, attempts=attempts, interval=interval, partition=partition)
    )


COMMANDS: Mapping[str, Command] = {"asl": asl}
