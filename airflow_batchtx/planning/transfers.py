"""Which object is read, where its answers are written, and which instance does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True)
class Transfer:
    """One input object on its way to one output object."""

    source: S3Uri
    target: S3Uri


def transfers(prefix: S3Uri, sources: Iterable[S3Uri], output: S3Uri) -> tuple[Transfer, ...]:
    """Name the output of every object below `prefix`, each once, in the order of the keys' bytes.

    Keys that end in a slash are the folder markers of S3 browsers, not data: they are left out.
    """
    base = len(prefix.folder.key)
    return tuple(
        Transfer(source, output_of(source.key[base:], output))
        for source in sorted(set(sources), key=lambda found: found.key.encode())
        if not is_marker(source)
    )


def is_marker(uri: S3Uri) -> bool:
    """Tell whether an object only makes a folder visible."""
    return uri.key.endswith("/")


def output_of(path: str, output: S3Uri) -> S3Uri:
    """Name the object below `output` that holds the answers for the input at `path` below the input prefix."""
    # botocore, sagemaker model, TransformOutput.S3OutputPath: "with an .out suffix", subfolders kept in practice.
    return S3Uri(output.bucket, f"{output.as_folder().key}{path}.out")


def shares(todo: Iterable[Transfer], instance_count: int) -> tuple[tuple[Transfer, ...], ...]:
    """Deal transfers to instances in turn; with fewer objects than instances some get none (and still bill)."""
    # AWS partitions objects "by key" and does not publish the function.
    dealt = tuple(todo)
    return tuple(dealt[index::instance_count] for index in range(instance_count))
