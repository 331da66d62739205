"""What a Lambda function is invoked with: S3 itself, EventBridge, or a batch of messages of a queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow_batchtx.events.arrivals import Arrival, arrivals

log = logging.getLogger(__name__)

_QUEUE = "aws:sqs"

Work = Callable[[Arrival], None]


def delivered(event: Mapping[str, Any], work: Work) -> dict[str, Any]:
    """Do the work for every object that an invocation tells of, and give what the function has to return.

    Of a queue's messages those that fail, or are no events of S3, are named (`ReportBatchItemFailures`): they alone
    come again, and in the end go to the queue's dead-letter queue. Anybody else's event is tried as a whole, and the
    first error raised once all was tried: Lambda invokes the function with it again.
    """
    records = event.get("Records") or ()
    if records and records[0].get("eventSource") == _QUEUE:
        failed = [record["messageId"] for record in records if not _handled(record, work)]
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
    errors = [error for arrival in arrivals(event) if (error := _error_of(arrival, work))]
    if errors:
        raise errors[0]
    return {"batchItemFailures": []}


def _handled(record: Mapping[str, Any], work: Work) -> bool:
    try:
        told = arrivals(record["body"])
    except ValueError as error:
        log.error("Message %s %s: left for the dead-letter queue", record["messageId"], error)  # noqa: TRY400
        return False
    return not [arrival for arrival in told if _error_of(arrival, work)]


def _error_of(arrival: Arrival, work: Work) -> Exception | None:
    try:
        work(arrival)
    except Exception as error:  # what fails for one object is no reason to leave out the next one
        log.exception("%s", arrival.uri)
        return error
    return None
