"""One execution of a state machine for one piece of work, whoever asks for it how often."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow_batchtx.errors import ExecutionFailed, StateMachineRefused
from airflow_batchtx.sagemaker.state_machines import EXISTS, RUNNING, SUCCEEDED, Execution, StateMachines, execution_arn
from airflow_batchtx.spec.naming import Identity, job_name

log = logging.getLogger(__name__)


def begun(
    machines: StateMachines, machine: str, prefix: str, identity: Identity, given: Mapping[str, Any]
) -> Execution:
    """Start the execution of a piece of work, or find it.

    Its name is made of the work alone, and of the attempt. One that runs is adopted, whatever its input; one that
    succeeded with the same input is taken; after any other the next attempt is started.
    StateMachineRefused or ServiceUnavailable.
    """
    for attempt in itertools.count(1):
        name = job_name(prefix, identity, attempt)
        try:
            # Describe may not know it yet.
            return Execution(arn=machines.start(machine, name, given), status=RUNNING, given=given)
        except StateMachineRefused as refused:
            if refused.code != EXISTS:
                raise
        found = machines.describe(execution_arn(machine, name))
        if not found.ended:
            if found.given == given:
                log.info("Execution %s runs already: going on with it", found.arn)
            else:
                log.warning("Execution %s runs already, with another input: going on with it", found.arn)
            return found
        if found.status == SUCCEEDED and found.given == given:
            log.info("Execution %s has succeeded already with the same input", found.arn)
            return found
        log.info("Execution %s is %s: starting the next one", found.arn, found.status)
    raise AssertionError


def waited(look: Callable[[], Execution | None], pause: Callable[[], None]) -> Execution:
    """Look at an execution until it has ended. Looks that fail never end the wait."""
    while (seen := look()) is None or not seen.ended:
        pause()
    return seen


def output_of(execution: Execution) -> Any:
    """Give the output of an execution that has ended; ExecutionFailed unless it succeeded."""
    if execution.status != SUCCEEDED:
        raise ExecutionFailed(execution.arn, execution.status, execution.error, execution.cause)
    return execution.output
