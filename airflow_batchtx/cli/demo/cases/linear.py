"""A logistic regression as plain numbers, which linear_inference.py serves."""

from __future__ import annotations

import importlib
from typing import Any

from airflow_batchtx.cli.demo.cases.packing import arrays


def fitted(rows: Any, outcomes: Any) -> dict[str, bytes]:
    """Fit one to numeric rows and their outcomes, 0 or 1, and give its files for a model.tar.gz."""
    scaler = importlib.import_module("sklearn.preprocessing").StandardScaler().fit(rows)
    regression = importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=1000)
    regression.fit(scaler.transform(rows), outcomes)
    return arrays(mean=scaler.mean_, scale=scaler.scale_, weights=regression.coef_[0], bias=regression.intercept_[0])
