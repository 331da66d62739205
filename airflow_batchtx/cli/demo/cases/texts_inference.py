"""What the model container that sorts catalogue cards runs, as code/inference.py: one text a request, one answer."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 4096
_WORD = re.compile(r"\w+")


def counted(text: str) -> Any:
    """Count words; each has a place by its checksum, which it may share."""
    places = [zlib.crc32(word.encode()) % WIDTH for word in _WORD.findall(text.lower())]
    return np.bincount(places, minlength=WIDTH)


def model_fn(model_dir: str) -> Any:
    """Load the weights of the words."""
    with np.load(Path(model_dir) / "model.npz") as file:
        return dict(file)


def input_fn(body: bytes, content_type: str) -> Any:  # noqa: ARG001 - the toolkit's signature
    """Read a text."""
    return counted(body.decode())


def predict_fn(counts: Any, model: Any) -> Any:
    """Tell which kind of work the card is about, and how sure that is."""
    raw = model["weights"] @ counts + model["bias"]
    shares = np.exp(raw - raw.max())
    return {"kind": str(model["kinds"][raw.argmax()]), "confidence": round(float(shares.max() / shares.sum()), 4)}
