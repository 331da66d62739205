"""State machines of AWS Step Functions, over an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.sagemaker.state_machines import StateMachines


class StateMachinesHook(CurrentHook):
    """Calls Step Functions with the very settings that the jobs' hook has; AWS_ENDPOINT_URL_SFN counts as well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "stepfunctions"})

    @property
    def machines(self) -> StateMachines:
        """State machines and executions, each call over the client as it is then."""
        return StateMachines(self.current)
