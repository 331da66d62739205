"""What the model container of the case late-payments runs, as code/inference.py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]  # ships no types
import numpy as np


def model_fn(model_dir: str) -> Any:
    """Load the classifier."""
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body: str, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read CSV rows without a header."""
    return np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2)


def predict_fn(rows: Any, model: Any) -> Any:
    """Give each row's probability to pay late."""
    return model.predict_proba(rows)[:, 1].round(6)
