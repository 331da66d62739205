"""One engine with the data and models of the example DAGs, and an Airflow that runs them, for all tests of a room."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.cli.demo.seeding import Clients, seed
from tests.engines import Engine, running_engine
from tests.integration.airflow.conftest import Finished, airflow_database, finished

__all__ = ["airflow_database"]

ROOT = Path(__file__).parents[3]
BUCKET = "examples"
CASES = [
    "fraud-detection", "predictive-maintenance", "customer-segmentation", "document-processing", "associate-predictions"
]  # fmt: skip


@dataclass(frozen=True)
class Lake:
    """The bucket of the example DAGs."""

    engine: Engine

    def keys(self, prefix: str) -> list[str]:
        pages = self.engine.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def get(self, key: str) -> bytes:
        return self.engine.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def csv(self, key: str, **options: Any) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(self.get(key)), **options)

    def folder(self, home: str, name: str) -> str:
        """The folder of the one table of this name that a DAG has written, whichever day it was."""
        [end] = [key for key in self.keys(f"{home}/") if key.endswith(f"/{name}/_SUCCESS")]
        return end.removesuffix("_SUCCESS")

    def table(self, folder: str) -> pd.DataFrame:
        """All parts below a folder, in their order."""
        parts = [key for key in self.keys(folder) if key.endswith(".parquet")]
        return pa.concat_tables([pq.read_table(io.BytesIO(self.get(key))) for key in parts]).to_pandas()

    def model(self, case: str, name: str, inference: ModuleType, folder: Path) -> Any:
        """Load a model that was seeded, as its container does."""
        with tarfile.open(fileobj=io.BytesIO(self.get(f"{case}/models/{name}/model.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        return inference.model_fn(str(folder))


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        for _ in seed(Clients(engine.s3, engine.sagemaker()), BUCKET, CASES):
            pass
        yield Lake(engine)


class Run(Protocol):
    """Runs an example DAG to its end, once: a second test that wants the run is given the first one's."""

    def __call__(self, name: str, **conf: Any) -> Finished: ...


@pytest.fixture(scope="session")
def run(lake: Lake, airflow_database: None) -> Run:
    from airflow.dag_processing.dagbag import DagBag

    environment = {
        "AWS_ENDPOINT_URL": lake.engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": lake.engine.url,
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://", "AIRFLOW_VAR_BATCHTX_BUCKET": BUCKET, "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    done: dict[tuple[str, str], Finished] = {}

    def once(name: str, **conf: Any) -> Finished:
        if (known := done.get((name, str(conf)))) is not None:
            return known
        # For no longer than the run: tests of other folders may come between two of these.
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in environment.items():
                patch.setenv(variable, value)
            bag = DagBag(str(ROOT / "dags" / f"{name}.py"))
            assert bag.import_errors == {}
            ended = done[name, str(conf)] = finished(bag.dags[name], conf)
        assert set(ended.states.values()) == {"success"}, ended.errors
        return ended

    return once
