"""What the model containers of several cases run, as code/inference.py: a logistic regression over CSV rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np


def model_fn(model_dir: str) -> Any:
    """Load the numbers."""
    with np.load(Path(model_dir) / "model.npz") as file:
        return dict(file)


def input_fn(body: str, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read CSV rows without a header."""
    return np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2)


def predict_fn(rows: Any, model: Any) -> Any:
    """Give each row's probability."""
    raw = (rows - model["mean"]) / model["scale"] @ model["weights"] + model["bias"]
    return (1 / (1 + np.exp(-raw))).round(6)
