"""The command that puts the data and the models of the example DAGs into S3 and SageMaker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from airflow_batchtx.cli.arguments import Aws, Command, grouped
from airflow_batchtx.errors import InvalidInput, Problem, refuse


@grouped
def seed(
    aws: Aws,
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="[CASE]...", help="Which of them.", show_default="all")
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            envvar="AIRFLOW_VAR_BATCHTX_BUCKET",
            help="The bucket, which is made where there is none.",
            show_default="batchtx-demo",
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="ARN of the IAM role that the models run as; a local engine needs none.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="URI of SageMaker's scikit-learn image; a local engine needs none.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only show the cases, with their sources.")] = False,
) -> None:
    """Put the data and the models of the example DAGs into S3 and SageMaker, on the local engine or on AWS.

    What lies there from an earlier time is replaced.

    Example: `batchtx seed fraud-detection --bucket my-bucket --role arn:aws:iam::… --image ….dkr.ecr.….amazonaws.com/…`
    """
    from airflow_batchtx.cli import connection
    from airflow_batchtx.cli.demo import seeding
    from airflow_batchtx.cli.demo.cases import CASES
    from airflow_batchtx.cli.extras import require

    names = cases or [*CASES]
    if listed:
        _list(names)
        return
    require("demo")
    clients = seeding.Clients(*connection.clients(aws))
    refuse(InvalidInput, "seed", _missing({"bucket": bucket}, clients.s3))
    refuse(InvalidInput, "seed", _missing({"role": role, "image": image}, clients.sagemaker))
    _follow(
        seeding.seed(
            clients,
            bucket or seeding.BUCKET,
            names,
            role or seeding.ROLE,
            image or seeding.IMAGE,
        )
    )


def _list(names: Sequence[str]) -> None:
    from airflow_batchtx.cli import showing
    from airflow_batchtx.cli.demo.cases import load

    cases = [load(name) for name in names]
    showing.listed(("case", "data", "source"), [(case.name, case.summary, case.source) for case in cases])


def _follow(steps: Iterator[str]) -> None:
    from rich.console import Console

    from airflow_batchtx.cli.demo.steps import Steps

    Steps(Console()).follow(steps)


def _missing(given: Mapping[str, str | None], client: Any) -> Iterator[Problem]:
    """Find what a local engine does without; on AWS buckets, roles and images are somebody's."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    if host.endswith(_OF_AWS):
        for name, value in given.items():
            if not value:
                remedy = f'Give --{name}; for the local engine: eval "$(batchtx local env)"'
                yield Problem(name, value, "is needed on AWS", remedy)


_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

COMMANDS: Mapping[str, Command] = {"seed": seed}
