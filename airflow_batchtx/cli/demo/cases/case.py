"""What a case is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """The data and the models of an example DAG; the same ones whenever they are asked for.

    `name` is the folder in the bucket, `summary` says in a line which data it is, and `source` where it comes from and
    under which licence, or "synthetic: ..." and how it is generated. `objects` yields keys below the folder and bodies,
    `models` the names of SageMaker models and their model.tar.gz.
    """

    name: str
    summary: str
    source: str
    objects: Callable[[], Iterator[tuple[str, bytes]]]
    models: Callable[[], Iterator[tuple[str, bytes]]]
