"""Every error: one root, data that survives pickling, a text that tells its data."""

from __future__ import annotations

import pickle
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from airflow_batchtx import errors
from airflow_batchtx.errors import BatchTransformError, FailedObject, InvalidInput, Postponed, Problem, refuse

SAMPLES: dict[Any, Any] = {
    str: "some text",
    int: 7,
    bool: True,
    float: 1.5,
    tuple[Problem, ...]: (Problem("field", "value", "rule", "remedy"),),
    tuple[str, ...]: ("a", "b"),
    tuple[FailedObject, ...]: (FailedObject("s3://b/in/a.csv", 400, "cannot read"),),
    Mapping[str, str]: {"column": "int64"},
}


def kinds(root: type[BatchTransformError] = BatchTransformError) -> Iterator[type[BatchTransformError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


def sample(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    return SAMPLES[annotation]


def example(kind: type[BatchTransformError]) -> BatchTransformError:
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: sample(hints[field.name]) for field in fields(kind)})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.__name__))
def test_an_error_survives_pickling_with_its_data_and_its_text(kind: type[BatchTransformError]) -> None:
    assert is_dataclass(kind), "an error's fields are its contract"
    error = example(kind)

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)
    assert str(error)


def test_every_error_of_the_package_is_in_one_module() -> None:
    ours = {kind.__module__ for kind in kinds() if kind.__module__.startswith("airflow_batchtx.")}

    # A sensor's timeout is Airflow's error as well, so it lies where Airflow may be imported.
    assert ours - {"airflow_batchtx.sensors.batch_transform"} == {errors.__name__}


def test_nothing_is_refused_without_a_problem() -> None:
    refuse(InvalidInput, "subject", ())


def test_a_long_value_is_shown_in_part() -> None:
    text = str(Problem("field", "x" * 1000, "is too long", "Cut it."))

    assert len(text) < 200
    assert "is too long" in text


@pytest.mark.parametrize(
    "reason", ["The limit is 2 Instances. Ask for more.", "The limit is 2 Instances. Ask for more"]
)
def test_why_a_job_has_to_wait_can_be_followed_by_a_sentence(reason: str) -> None:
    assert f"{Postponed('j', reason)}." == "Transform job 'j' has to wait: The limit is 2 Instances. Ask for more."
