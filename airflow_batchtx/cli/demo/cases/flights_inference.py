"""What the model container of the case flights runs, as code/inference.py: weights, and no library to read them."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any


def model_fn(model_dir: str) -> Any:
    """Load the weights of the features."""
    return json.loads((Path(model_dir) / "learned.json").read_text())


def input_fn(body: str, content_type: str) -> list[list[str]]:  # noqa: ARG001 - the toolkit's signature
    """Read CSV rows without a header: carrier, origin, hour, distance in miles."""
    return list(csv.reader(io.StringIO(body)))


def predict_fn(rows: list[list[str]], model: Any) -> list[float]:
    """Give each flight's probability to arrive late."""
    weights = model["weights"]
    return [_probability(model["intercept"] + _sum(weights, *row)) for row in rows]


def output_fn(scores: list[float], accept: str) -> tuple[str, str]:  # noqa: ARG001 - the toolkit's signature
    """Write a line for each."""
    return "".join(f"{score:.6f}\n" for score in scores), "text/csv"


def _sum(weights: dict[str, float], carrier: str, origin: str, hour: str, distance: str) -> float:
    named = (f"carrier={carrier}", f"origin={origin}", f"hour={hour}")
    return sum(weights.get(name, 0.0) for name in named) + weights["distance"] * float(distance) / 1000


def _probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
