"""The options of job control."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.spec.policy import DEFAULTS, OPTIONS, OnExisting, Policy, problems


def test_the_defaults_are_those_of_the_house() -> None:
    assert Policy.read(DEFAULTS) == Policy()
    assert set(OPTIONS) == set(DEFAULTS)


def test_rendered_texts_are_read() -> None:
    texts = {
        "on_existing": "rerun", "resume": "False", "max_runtime": "3600", "max_cost": "2.5",
        "instance_types": "['ml.m5.large', 'ml.c5.xlarge']", "include": "*.csv, *.tsv",
    }  # fmt: skip
    read = Policy.read({**DEFAULTS, **texts})
    assert read.on_existing is OnExisting.RERUN
    assert (read.resume, read.max_runtime, read.max_cost) == (False, 3600.0, 2.5)
    assert read.instance_types == ("ml.m5.large", "ml.c5.xlarge")
    assert read.include == ("*.csv", "*.tsv")


@pytest.mark.parametrize("unset", [None, "", "None"])
@pytest.mark.parametrize("name", ["include", "exclude", "instance_types", "quota_timeout", "max_runtime", "max_cost"])
def test_what_an_unset_parameter_renders_to_is_the_default(name: str, unset: str | None) -> None:
    assert Policy.read({**DEFAULTS, name: unset}) == Policy()


def test_a_time_span_is_read_as_seconds() -> None:
    assert Policy.read({**DEFAULTS, "max_runtime": timedelta(hours=2)}).max_runtime == 7200.0


WRONG: list[tuple[str, Any, str]] = [
    ("on_existing", "again", "must be one of reuse, rerun, fail"),
    ("on_changed", None, "must be one of adopt, replace, fail"),
    ("verify", True, "must be one of outputs, none"),
    ("resume", "maybe", "must be true or false"),
    ("max_runtime", 0, "must be a number above 0"),
    ("max_runtime", "soon", "must be a number above 0"),
    ("max_cost", float("inf"), "must be a number above 0"),
    ("instance_types", ["m5.large"], "must be instance types"),
    ("include", [1], "must be patterns of names"),
]


@pytest.mark.parametrize(("name", "value", "rule"), WRONG, ids=[f"{name}={value!r}" for name, value, _ in WRONG])
def test_a_wrong_value_is_named_with_its_rule(name: str, value: Any, rule: str) -> None:
    [problem] = problems({**DEFAULTS, name: value})
    assert problem.field == name
    assert re.search(rule, problem.rule)


def test_everything_wrong_is_told_at_once_and_templates_wait() -> None:
    with pytest.raises(InvalidJob) as error:
        Policy.read({**DEFAULTS, "on_quota": "never", "max_cost": -1, "max_runtime": "{{ params.hours }}"})
    assert [problem.field for problem in error.value.problems] == ["on_quota", "max_cost"]


@pytest.mark.parametrize(
    ("types", "failed", "following"),
    [
        ((), "ml.m5.large", None),
        (("ml.m5.xlarge",), "ml.m5.large", "ml.m5.xlarge"),
        (("ml.m5.large", "ml.m5.xlarge"), "ml.m5.large", "ml.m5.xlarge"),
        (("ml.m5.xlarge", "ml.c5.xlarge"), "ml.m5.xlarge", "ml.c5.xlarge"),
        (("ml.m5.xlarge", "ml.c5.xlarge"), "ml.c5.xlarge", None),
    ],
)
def test_instance_types_are_tried_in_turn(types: tuple[str, ...], failed: str, following: str | None) -> None:
    assert Policy(instance_types=types).next_instance_type(failed) == following
