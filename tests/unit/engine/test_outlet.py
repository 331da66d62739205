from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from airflow_batchtx.engine.outlet import PAUSES, REST_SECONDS, Outlet, Silence


def refusal(status: int, code: str = "Code") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Put")  # type: ignore[typeddict-item]  # the rest is of no interest


SILENT = EndpointConnectionError(endpoint_url="http://nowhere")


class Service:
    """Answers calls with what it is given, one after the other, and with success when that is used up."""

    def __init__(self, *answers: Exception | None) -> None:
        self.now, self.slept, self.calls = 0.0, list[float](), 0
        self._answers: Iterator[Exception | None] = chain(answers, repeat(None))
        self.silence = Silence(lambda: self.now)
        self.outlet = self.another("logs")

    def another(self, name: str) -> Outlet:
        """Make another outlet of the same endpoint."""
        return Outlet(name, lambda: self, sleep=self.slept.append, clock=lambda: self.now, silence=self.silence)

    def send(self) -> bool:
        return self.outlet.send(Service.take)

    def take(self) -> None:
        self.calls += 1
        if (error := next(self._answers)) is not None:
            raise error


@pytest.mark.parametrize(
    "error", [SILENT, refusal(503), refusal(500), refusal(429), refusal(400, "ThrottlingException")]
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    service = Service(error, error)

    assert service.send()
    assert (service.calls, service.slept) == (3, list(PAUSES))


@pytest.mark.parametrize(
    "error",
    [
        refusal(404),
        refusal(405),
        refusal(501),
        refusal(403, "<a>"),
        ResponseParserError("no\nXML"),
        ValueError("no URL"),
    ],
)
def test_a_service_that_refuses_the_first_call_is_never_asked_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(error)
    with caplog.at_level(logging.WARNING):
        sent = [service.send(), service.send()]
        service.now += 10 * REST_SECONDS
        sent.append(service.send())

    assert sent == [False] * 3
    assert (service.calls, len(caplog.records)) == (1, 1)
    assert "\n" not in caplog.text.rstrip()


@pytest.mark.parametrize("answers", [[SILENT] * 3, [None, refusal(400)]])
def test_one_that_fails_rests_for_a_while_with_one_warning(
    answers: list[Exception | None], caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(*answers, *answers)
    proved = answers[0] is None and service.send()
    with caplog.at_level(logging.WARNING):
        first, resting = service.send(), service.send()
        calls = service.calls
        service.now += REST_SECONDS
        again = service.send()

    assert (first, resting, calls) == (False, False, len(answers))
    assert again == proved
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", [ConnectTimeoutError, ReadTimeoutError])
def test_one_time_out_is_enough_for_all_services_of_an_endpoint(
    kind: type[ConnectTimeoutError | ReadTimeoutError], caplog: pytest.LogCaptureFixture
) -> None:
    silent = kind(endpoint_url="http://nowhere")
    service = Service(silent, silent)
    other = service.another("events")
    with caplog.at_level(logging.WARNING):
        sent = [service.send(), service.send(), other.send(Service.take)]
        service.now += REST_SECONDS
        sent += [other.send(Service.take), service.send()]
        service.now += REST_SECONDS
        back = [service.send(), other.send(Service.take)]

    assert sent == [False] * 5
    assert back == [True, True]
    assert (service.calls, service.slept) == (4, [])
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("answers", "rests"),
    [
        ([ReadTimeoutError(endpoint_url="http://nowhere")], True),
        ([SILENT] * 3, True),
        ([None, SILENT, SILENT, SILENT], True),
        ([refusal(404)], False),  # it is absent
        ([None, refusal(400)], False),  # it would refuse the same again
    ],
)
def test_what_a_silent_service_did_not_take_is_worth_another_try(answers: list[Exception | None], rests: bool) -> None:
    service = Service(*answers)
    proved = answers[0] is None and service.send()
    before = service.outlet.rests

    assert not service.send()
    found = service.outlet.rests
    service.now += REST_SECONDS

    assert (before, found, service.outlet.rests) == (False, rests, False)
    assert service.send() == (proved or rests)
