"""The checker of state machines finds what it is there to find."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from airflow_batchtx import TransformJob
from tests.asl import faults

DEFINITION = TransformJob(
    model_name="churn", input="s3://b/in/", output="s3://b/out/", instance_type="ml.m5.large"
).to_state_machine()

BREAKS: dict[str, tuple[list[Any], Any]] = {
    "Transform: no state Nowhere": (["Transform", "Next"], "Nowhere"),
    "Wait: has both or neither of Next and End": (["Wait", "End"], True),
    "Transform: has ['Seconds']": (["Transform", "Seconds"], 1),
    "Transform: calls sagemaker:createTransformJob": (["Transform", "Resource"], "sagemaker:createTransformJob"),
    "Name: name.$ is no path: churn": (["Name", "Parameters", "name.$"], "churn"),
    "Pause: path wait": (["Pause", "SecondsPath"], "wait"),
    "Look: Retry: JitterStrategy": (["Look", "Retry", 0, "JitterStrategy"], "HALF"),
    "Look: Retry: MaxDelaySeconds = 1": (["Look", "Retry", 0, "MaxDelaySeconds"], 1),
    "Look: Catch: States.ALL beside another": (["Look", "Catch", 0, "ErrorEquals"], ["States.ALL", "a"]),
    "Transform: Catch: States.ALL before another": (["Transform", "Catch", 0, "ErrorEquals"], ["States.ALL"]),
    "Ended: never reached": (["Judge", "Default"], "Reason"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_it_names_what_is_wrong(fault: str) -> None:
    path, value = BREAKS[fault]
    broken = copy.deepcopy(DEFINITION)
    here: Any = broken["States"]
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value

    assert fault in faults(broken)
