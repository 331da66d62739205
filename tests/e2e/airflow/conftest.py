"""The one Airflow of this folder, with the engine and its S3 beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.airflow.gate import gate_to
from tests.e2e.airflow.stack import running_airflow
from tests.e2e.airflow.stage import BUCKET, World
from tests.engines import Models, running_engine
from tests.queues import bare_queues

# Of the type that the backfilled examples ask for, and nobody else.
QUOTA = "ml.m5.xlarge=2"


@pytest.fixture(scope="session")
def world(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home: Path = tmp_path_factory.mktemp("engine")
    with running_engine(home, "--quota", QUOTA) as engine, gate_to(engine.url) as gate:
        engine.s3.create_bucket(Bucket=BUCKET)
        bare_queues(engine)  # the examples' watchers look for them from the beginning
        services = {
            "AWS_ENDPOINT_URL": engine.storage,
            "AWS_ENDPOINT_URL_SAGEMAKER": gate.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
            "AIRFLOW_VAR_BATCHTX_BUCKET": BUCKET,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        with running_airflow(services) as stack:
            yield World(stack, gate, engine, models)
