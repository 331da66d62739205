"""Train the demo's model, and pack it as SageMaker wants it."""

from __future__ import annotations

import importlib
import io
import tarfile
from importlib.resources import files
from typing import Any

from airflow_batchtx.cli.demo.dataset import FEATURES, LABEL


def train(rows: Any) -> Any:
    """Fit gradient-boosted trees that tell who will pay late."""
    ensemble = importlib.import_module("sklearn.ensemble")
    return ensemble.GradientBoostingClassifier(n_estimators=50, random_state=0).fit(rows[FEATURES].values, rows[LABEL])


def packed(model: Any) -> bytes:
    """Give model.tar.gz: the fitted model, and code/inference.py that serves it."""
    weights = io.BytesIO()
    importlib.import_module("joblib").dump(model, weights)
    code = files("airflow_batchtx.cli.demo").joinpath("inference.py").read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, body in (("model.joblib", weights.getvalue()), ("code/inference.py", code)):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive.getvalue()
