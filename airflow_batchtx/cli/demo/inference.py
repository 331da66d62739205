"""What the model container runs; the demo packs this file into model.tar.gz as code/inference.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]  # ships no types


def model_fn(model_dir: str) -> Any:
    """Load the classifier."""
    return joblib.load(Path(model_dir) / "model.joblib")


def predict_fn(rows: Any, model: Any) -> Any:
    """Give each row's probability to pay late."""
    return model.predict_proba(rows.reshape(-1, model.n_features_in_))[:, 1].round(6)
