"""What this package makes of the files, and tools of files with copies from and to S3 around them.

`python -m benchmarks.table_tasks <task> <JSON>` prints the seconds that it took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.storage.recipe import StoreRecipe
from airflow_batchtx.storage.s3 import S3Store
from benchmarks.folder import Folder
from benchmarks.processes import ACCESS, BUCKET, s3_client
from benchmarks.scored_rows import COLUMNS, FEATURES

RESULT = {"job_name": "j", "status": "Completed", "content_type": "text/csv", "accept": "text/csv"}
KINDS = {"csv": "string", "parquet": "double"}


def store_of(told: dict[str, Any]) -> tuple[str, Any, Callable[[], Any]]:
    """Give the bucket, a store, and how another process opens it."""
    if endpoint := told.get("endpoint"):
        from botocore.credentials import ReadOnlyCredentials

        client = s3_client(endpoint)
        keys = ReadOnlyCredentials(ACCESS["aws_access_key_id"], ACCESS["aws_secret_access_key"], None)
        return BUCKET, S3Store(client), lambda: StoreRecipe.of(client, keys, endpoint_url=endpoint)
    folder = Folder(Path(told["root"]))
    return "b", folder, lambda: folder


def associated(told: dict[str, Any]) -> None:
    bucket, store, opener = store_of(told)
    values = {
        "result": RESULT | {"input": f"s3://{bucket}/input/", "output": f"s3://{bucket}/answers/"},
        "output": f"s3://{bucket}/{told['target']}/",
        "format": told["ending"],
        "input_columns": COLUMNS,
        "predictions": {"score": KINDS[told["ending"]]},
        "processes": told["processes"],
    }
    associate(store, AssociateRequest.read(values), opener=opener)


def prepared(told: dict[str, Any]) -> None:
    bucket, store, _ = store_of(told)
    values = {
        "source": f"s3://{bucket}/features/",
        "output": f"s3://{bucket}/{told['target']}/",
        "columns": FEATURES,
        "keep": ["id", "name"] if told.get("keep") else [],
    }
    prepare(store, PrepareRequest.read(values))


def pasted_in_copies(told: dict[str, Any]) -> None:
    """Copy objects here, paste them, and copy what comes of it back."""
    client = s3_client(told["endpoint"])
    names = sorted(Path(one["Key"]).name for one in client.list_objects_v2(Bucket=BUCKET, Prefix="input/")["Contents"])
    with tempfile.TemporaryDirectory(dir=told["root"]) as folder:
        source, answers, target = (Path(folder) / name for name in ("source", "answers", "target"))
        for name in names:
            client.download_file(BUCKET, f"input/{name}", str(source))
            client.download_file(BUCKET, f"answers/{name}.out", str(answers))
            with target.open("wb") as file:
                subprocess.run(["paste", "-d,", source, answers], check=True, stdout=file)
            client.upload_file(str(target), BUCKET, f"{told['target']}/{name}")


TASKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "associate": associated,
    "prepare": prepared,
    "paste with copies": pasted_in_copies,
}


def main(task: str, told: dict[str, Any]) -> None:
    began = time.perf_counter()
    TASKS[task](told)
    print(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
