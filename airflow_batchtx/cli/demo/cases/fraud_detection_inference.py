"""What the model container of the case fraud-detection runs, as code/inference.py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np


def model_fn(model_dir: str) -> Any:
    """Load the numbers of a logistic regression."""
    with np.load(Path(model_dir) / "model.npz") as file:
        return dict(file)


def input_fn(body: str, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read CSV rows without a header: the id of a transaction, and numbers."""
    return np.loadtxt(io.StringIO(body), delimiter=",", dtype=str, ndmin=2)


def features(numbers: Any) -> Any:
    """Say of amount, usual amount, km from home, hour, minutes since the last one, and abroad what is unusual."""
    amount, usual, distance, hour, minutes, abroad = numbers.T
    night = ((hour < 6) | (hour > 22)).astype(float)
    return np.column_stack([np.log(amount / usual), np.log1p(distance), night, np.log1p(minutes), abroad])


def predict_fn(rows: Any, model: Any) -> Any:
    """Give id, score and decision of each transaction, the riskiest of a request first."""
    scaled = (features(rows[:, 1:].astype(float)) - model["mean"]) / model["scale"]
    scores = (1 / (1 + np.exp(-(scaled @ model["weights"] + model["bias"])))).round(6)
    decisions = np.where(scores >= 0.5, "alert", "pass")
    return np.column_stack([rows[:, 0], scores.astype(str), decisions])[np.argsort(-scores, kind="stable")]
