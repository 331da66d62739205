"""`batchtx asl`: a job as a state machine, from a shell."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.spec import state_machine
from tests.asl import faults
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST
from tests.unit.cli.shell import batchtx, written


@pytest.mark.parametrize("options", [[], ["--sdk"], ["--notify", "arn:aws:sns:us-east-1:123456789012:t"]])
def test_it_prints_a_state_machine(tmp_path: Path, options: list[str]) -> None:
    ran = batchtx(World(), "asl", written(tmp_path), *options)

    assert ran.exit_code == 0, ran.output
    definition = json.loads(ran.stdout)
    assert faults(definition) == []
    assert ("Tell" in definition["States"]) == ("--notify" in options)
    assert ("aws-sdk" in definition["States"]["Transform"]["Resource"]) == ("--sdk" in options)


def test_its_defaults_are_those_of_the_state_machine(tmp_path: Path) -> None:
    ran = batchtx(World(), "asl", "-", sent=json.dumps(REQUEST))

    assert json.loads(ran.stdout) == state_machine.state_machine(REQUEST)


def test_it_takes_as_many_attempts_as_a_state_machine(tmp_path: Path) -> None:
    most = state_machine.MOST_ATTEMPTS

    codes = [batchtx(World(), "asl", written(tmp_path), "--attempts", str(n)).exit_code for n in (most, most + 1)]

    assert codes == [0, 2]


def test_a_request_that_sagemaker_would_refuse(tmp_path: Path) -> None:
    wrong = copy.deepcopy(REQUEST)
    wrong["TransformResources"]["InstanceCount"] = 0

    ran = batchtx(World(), "asl", written(tmp_path, wrong))

    assert isinstance(ran.exception, InvalidJob)
