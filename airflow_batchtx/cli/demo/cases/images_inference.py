"""What the model container that reads digits runs, as code/inference.py: one image a request, one answer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def model_fn(model_dir: str) -> Any:
    """Load the weights of the pixels."""
    with np.load(Path(model_dir) / "model.npz") as file:
        return dict(file)


def input_fn(body: bytes, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read an image as grey pixels from 0 to 1."""
    return np.asarray(Image.open(io.BytesIO(body)).convert("L"), dtype=float).ravel() / 255


def predict_fn(pixels: Any, model: Any) -> Any:
    """Tell which digit it is, and how sure that is."""
    raw = model["weights"] @ pixels + model["bias"]
    shares = np.exp(raw - raw.max())
    return {"digit": int(raw.argmax()), "confidence": round(float(shares.max() / shares.sum()), 4)}
