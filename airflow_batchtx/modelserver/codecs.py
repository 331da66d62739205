"""What handlers without an input_fn or output_fn get: the inference toolkit's codecs between bytes and numpy arrays.

A content type is compared as it stands: `text/csv; charset=utf-8` is not `text/csv`, here as in the toolkit.
numpy and scipy are imported when a codec needs them, since a handler with functions of its own may do without.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from airflow_batchtx import errors

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
NPZ = "application/x-npz"

TEXTS = frozenset({JSON, CSV})
"""Whose bytes a handler gets as a str."""


def decode(data: Any, content_type: str | None) -> Any:
    """Make an array (of NPZ a sparse matrix) of a payload; ModelServerError where there is no codec for it."""
    if content_type not in DECODERS:
        raise unsupported(content_type)
    return DECODERS[content_type](data)


def encode(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """Encode an array in the first type of `accept` that has a codec, and name that type."""
    for content_type in accept.replace(" ", "").split(","):
        if content_type in ENCODERS:
            return ENCODERS[content_type](prediction), content_type
    raise unsupported(accept)


def unsupported(content_type: str | None) -> errors.ModelServerError:
    """Give the error for a type without a codec."""
    return errors.ModelServerError(
        f"Content type {content_type} is not supported by the default codecs. "
        "Write an input_fn to read the request, or an output_fn to write the response."
    )


def _read_json(text: str) -> Any:
    import numpy as np

    return np.array(json.loads(text))


def _read_csv(text: str) -> Any:
    import numpy as np

    return np.genfromtxt(io.StringIO(text), dtype=None, delimiter=",")


def _read_npy(data: bytes) -> Any:
    import numpy as np

    # The toolkit allows pickles, so data could run code; on the machine of a developer it shall not.
    return np.load(io.BytesIO(data), allow_pickle=False)


def _read_npz(data: bytes) -> Any:
    import scipy.sparse  # type: ignore[import-untyped]  # it ships no types

    return scipy.sparse.load_npz(io.BytesIO(data))


def _write_json(prediction: Any) -> str:
    def plain(value: Any) -> Any:
        return value.tolist() if hasattr(value, "tolist") else json.JSONEncoder().default(value)

    return json.dumps(prediction, default=plain)


def _write_csv(prediction: Any) -> str:
    import numpy as np

    stream = io.StringIO()
    np.savetxt(stream, prediction, delimiter=",", fmt="%s")
    return stream.getvalue()


def _write_npy(prediction: Any) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, prediction)
    return stream.getvalue()


DECODERS: Mapping[str | None, Callable[[Any], Any]] = {JSON: _read_json, CSV: _read_csv, NPY: _read_npy, NPZ: _read_npz}
ENCODERS: Mapping[str, Callable[[Any], str | bytes]] = {JSON: _write_json, CSV: _write_csv, NPY: _write_npy}
