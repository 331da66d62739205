"""The exit codes of `batchtx`, for scripts."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_batchtx.errors import (
    BatchTransformError,
    JobFailed,
    JobStopped,
    JobTimedOut,
    Postponed,
    QuotaExceeded,
    ServiceUnavailable,
)
from airflow_batchtx.spec.enums import JobStatus

ERROR, FAILED, STOPPED, RUNNING, TRY_LATER, INTERRUPTED = 1, 3, 4, 5, 75, 130

HELP = (
    "Exit codes: 0 done, 1 an error, or problems found, 2 a wrong command line, 3 the job failed, 4 the job was"
    " stopped, 5 the job is running (`status --exit-code`), 75 try again later (AWS could not be asked, or a quota),"
    " 130 Ctrl-C."
)

# The first that fits.
_ERRORS: Mapping[type[BatchTransformError], int] = {
    JobStopped: STOPPED,
    JobTimedOut: STOPPED,
    JobFailed: FAILED,
    Postponed: TRY_LATER,
    QuotaExceeded: TRY_LATER,
    ServiceUnavailable: TRY_LATER,
}
OF_STATUS: Mapping[str, int] = {
    JobStatus.COMPLETED: 0,
    JobStatus.FAILED: FAILED,
    JobStatus.STOPPED: STOPPED,
    JobStatus.STOPPING: RUNNING,
    JobStatus.IN_PROGRESS: RUNNING,
}


def exit_code(error: BatchTransformError) -> int:
    """Give the exit code of a command that ends with an error."""
    return next((code for kind, code in _ERRORS.items() if isinstance(error, kind)), ERROR)
