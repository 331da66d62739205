"""What the model container of the case customer-segmentation runs, as code/inference.py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np


def model_fn(model_dir: str) -> Any:
    """Load the middles of the segments."""
    with np.load(Path(model_dir) / "model.npz") as file:
        return dict(file)


def input_fn(body: str, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read CSV rows without a header."""
    return np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2)


def predict_fn(rows: Any, model: Any) -> Any:
    """Give each customer's nearest segment, and the distance from its middle."""
    scaled = (rows - model["mean"]) / model["scale"]
    distances = np.linalg.norm(scaled[:, None, :] - model["centers"], axis=2)
    nearest = distances.argmin(axis=1)
    return np.column_stack([nearest.astype(str), distances.min(axis=1).round(4).astype(str)])
