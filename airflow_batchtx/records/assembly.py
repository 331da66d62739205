"""Outputs of payloads into one output object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_batchtx.spec.enums import AssembleWith


def as_it_is(output: bytes) -> bytes:
    """Give the output byte for byte."""
    return output


def terminated(output: bytes) -> bytes:
    """Give the output with a newline at its end.

    Containers differ in whether their answers end in one (XGBoost's do, others' do not): none gets a second.
    """
    return output if output.endswith(b"\n") else output + b"\n"


ASSEMBLERS: Mapping[AssembleWith, Callable[[bytes], bytes]] = {
    AssembleWith.NONE: as_it_is,
    AssembleWith.LINE: terminated,
}
