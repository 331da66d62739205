from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batchtx.engine.conditions import read
from airflow_batchtx.engine.faults import NONE, Faults, of_job, parsed
from airflow_batchtx.engine.throttle import Rate
from airflow_batchtx.errors import InvalidFaults, LocalEngineError


def test_a_definition_is_read() -> None:
    wanted: dict[str, Any] = {"provisioning_seconds": 0.5, "transform_seconds": 2, "fail_every": 3, "drop_every": 5}

    found = parsed(json.dumps({**wanted, "capacity_error": ["ml.m5.large"]}))

    assert found == Faults(**wanted, capacity_error=("ml.m5.large",))
    assert (found.lacks("ml.m5.large"), found.lacks("ml.m5.xlarge")) == (True, False)
    assert parsed("{}") == NONE


def test_without_a_list_all_types_lack_capacity_or_none() -> None:
    assert parsed('{"capacity_error": true}').lacks("ml.m5.large")
    assert not NONE.lacks("ml.m5.large")


def test_a_jobs_own_faults_go_over_those_of_the_engine() -> None:
    engine = Faults(fail_every=2, provisioning_seconds=1)

    assert of_job({}, engine) == engine
    assert of_job({"Environment": {"BATCHTX_FAULTS": '{"fail_every": 0}'}}, engine) == Faults(provisioning_seconds=1)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = (
        '{"fail_every": -1, "drop_every": true, "provisioning_seconds": NaN, "transform_seconds": "1",'
        ' "capacity_error": [1], "typo": 1}'
    )

    with pytest.raises(InvalidFaults) as refused:
        parsed(text)

    assert [problem.field for problem in refused.value.problems] == [
        "fail_every",
        "drop_every",
        "provisioning_seconds",
        "transform_seconds",
        "capacity_error",
        "typo",
    ]


@pytest.mark.parametrize("seconds", ["1e12", "NaN", "Infinity", "-1", "31536001"])
def test_nobody_waits_longer_than_a_platform_can(seconds: str) -> None:
    with pytest.raises(InvalidFaults, match="from 0 to 31536000"):
        parsed(f'{{"provisioning_seconds": {seconds}}}')

    assert parsed('{"transform_seconds": 31536000}').transform_seconds == 365 * 24 * 3600


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"a"', "null"])
def test_only_an_object_is_a_definition(text: str) -> None:
    with pytest.raises(InvalidFaults, match="must be a JSON object"):
        parsed(text)


def test_conditions_are_read_as_a_command_line_gives_them() -> None:
    found = read('{"fail_every": 2}', ["ml.m5.large=2", "all=0"], "0.5")

    assert (found.faults, found.quotas) == (Faults(fail_every=2), {"ml.m5.large": 2, "all": 0})
    assert found.rate == Rate(0.5, 1)
    assert read(None, [], "5").rate == Rate(5, 5)
    assert read(None, [], "5:20").rate == Rate(5, 20)
    assert read(None, [], None).rate is None


@pytest.mark.parametrize(("quotas", "rate"), [(["m5=1"], None), (["all=-1"], None), ([], "x"), ([], "0"), ([], "5:0")])
def test_conditions_that_cannot_be_read(quotas: list[str], rate: str | None) -> None:
    with pytest.raises(LocalEngineError, match="write a"):
        read(None, quotas, rate)
