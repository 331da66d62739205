"""model.tar.gz, as SageMaker wants it: what was learned, and the code that serves it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_HERE = "airflow_batchtx.cli.demo.cases"


def packed(code: str, learned: Mapping[str, bytes]) -> bytes:
    """Pack what was learned, and `<code>_inference.py` of this folder as code/inference.py.

    Equal input gives equal bytes, so that a model that is seeded again is the same model.
    """
    serving = files(_HERE).joinpath(f"{code}_inference.py").read_bytes()
    archive = io.BytesIO()
    # gzip writes the time into its header unless told one.
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, body in {**learned, "code/inference.py": serving}.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive.getvalue()


def arrays(**named: Any) -> dict[str, bytes]:
    """Write numpy arrays as model.npz: any numpy reads it, where a pickle wants the library that wrote it."""
    import numpy as np

    file = io.BytesIO()
    np.savez(file, **named)
    return {"model.npz": file.getvalue()}
