from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from airflow_batchtx import errors
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.modelserver.contract import ExecutionParameters
from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.uri import S3Uri
from tests.integration.modelserver.servers import Act, Caller, answering, ok, scripted, status

SOURCE = S3Uri("bucket", "day=1/größe.csv")


def invoke(client: ModelClient, body: object = b"1,2\n", accept: str | None = None) -> bytes:
    return client.invoke(body, content_type="text/csv", accept=accept, source_object=SOURCE)  # type: ignore[arg-type]


def header_lines(request: bytes) -> list[bytes]:
    return request.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_request_looks_like_sagemakers() -> None:
    with scripted(answering(ok(b"0.5\n"))) as server, closing(ModelClient(server.url)) as client:
        answer = invoke(client, accept="application/json")

        assert answer == b"0.5\n"
        assert server.requests[0].endswith(b"\r\n\r\n1,2\n")
        lines = header_lines(server.requests[0])
        assert lines[0] == b"POST /invocations HTTP/1.1"
        assert sorted(lines[1:]) == sorted([
            b"Host: " + server.url.removeprefix("http://").encode(),
            b"User-Agent: Go-http-client/1.1",
            b"Content-Length: 4",
            b"Content-Type: text/csv",
            b"Accept: application/json",
            b"Accept-Encoding: gzip",
            b"X-Amzn-Sagemaker-Input-Object: bucket/" + SOURCE.key.encode(),
            b"X-Amzn-Sagemaker-Input-Object-Base64: " + base64.b64encode(f"bucket/{SOURCE.key}".encode()),
        ])  # fmt: skip


def test_an_iterable_is_sent_in_chunks() -> None:
    with scripted(answering(ok())) as server, closing(ModelClient(server.url)) as client:
        invoke(client, iter([b"12", b"", b"345"]))

        assert b"Transfer-Encoding: chunked" in header_lines(server.requests[0])
        assert not any(line.startswith(b"Content-Length") for line in header_lines(server.requests[0]))
        assert server.requests[0].endswith(b"\r\n\r\n2\r\n12\r\n3\r\n345\r\n0\r\n\r\n")


def test_a_url_may_have_a_path() -> None:
    with scripted(answering(ok())) as server, closing(ModelClient(server.url + "/models/churn/")) as client:
        invoke(client)

        assert server.requests[0].startswith(b"POST /models/churn/invocations HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (ok(gzip.compress(b"yes") + gzip.compress(b"!"), b"Content-Encoding: gzip\r\n"), b"yes!"),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"late"), b"late"),
    ],
)
def test_every_2xx_gives_its_body(raw: bytes, body: bytes) -> None:
    with scripted(answering(raw)) as server, closing(ModelClient(server.url)) as client:
        assert invoke(client) == body


def test_an_answer_may_end_with_the_connection() -> None:
    def act(caller: Caller) -> None:
        caller.request()
        caller.send(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    with scripted(act) as server, closing(ModelClient(server.url)) as client:
        assert [invoke(client), invoke(client)] == [b"all of it"] * 2


def test_one_connection_serves_many_calls_whichever_thread_makes_them() -> None:
    with scripted(answering(ok(b"x" * 100_000))) as server, closing(ModelClient(server.url)) as client:
        for _ in range(5):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(invoke, client, b"y" * 100_000).result()

        assert (len(server.requests), server.connections) == (5, 1)


def test_calls_at_once_have_connections_of_their_own() -> None:
    together = threading.Barrier(3)

    def act(caller: Caller) -> None:
        request = caller.request()
        together.wait(10)  # no call ends before all have begun
        caller.send(ok(request[-1:]))

    with scripted(act) as server, closing(ModelClient(server.url)) as client, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda body: invoke(client, body), [b"1", b"2", b"3"])) == [b"1", b"2", b"3"]
        assert server.connections == 3


def test_a_connection_is_not_kept_by_a_call_that_failed() -> None:
    with (
        scripted(answering(b"nonsense\r\n\r\n"), answering(ok(b"yes"))) as server,
        closing(ModelClient(server.url, retries=0)) as client,
    ):
        with pytest.raises(errors.ModelFailed):
            invoke(client)

        assert [invoke(client), invoke(client)] == [b"yes"] * 2
        assert server.connections == 2


def test_4xx_is_the_requests_fault_and_not_tried_again() -> None:
    with scripted(answering(status(415, b"no such type"))) as server, closing(ModelClient(server.url)) as client:
        with pytest.raises(errors.ModelRefused) as raised:
            invoke(client)

        assert (raised.value.status, raised.value.body, len(server.requests)) == (415, "no such type", 1)
        assert str(raised.value) == "ClientError: 415"


def test_a_refusal_in_mid_body_is_heard() -> None:
    def act(caller: Caller) -> None:
        caller.link.recv(1000)
        caller.send(status(413, b"too much"))

    with scripted(act) as server, closing(ModelClient(server.url)) as client:
        with pytest.raises(errors.ModelRefused) as raised:
            invoke(client, b"x" * 20_000_000)

        assert (raised.value.status, raised.value.body) == (413, "too much")


def test_5xx_is_tried_again_and_then_fails() -> None:
    with scripted(answering(status(503, b"busy"))) as server, closing(ModelClient(server.url, retries=2)) as client:
        with pytest.raises(errors.ModelFailed) as raised:
            invoke(client)

        assert (raised.value.status, raised.value.body, len(server.requests)) == (503, "busy", 3)
        assert str(raised.value) == "Bad HTTP status received from algorithm: 503"


def test_a_retry_may_succeed() -> None:
    def act(caller: Caller) -> None:
        for raw in (status(500), status(500), ok(b"now")):
            caller.request()
            caller.send(raw)

    with scripted(act) as server, closing(ModelClient(server.url, retries=2)) as client:
        assert invoke(client) == b"now"


def hung_up(caller: Caller) -> None:
    caller.request()


def reset(caller: Caller) -> None:
    caller.request()
    caller.reset()


def saying(raw: bytes) -> Act:
    def act(caller: Caller) -> None:
        caller.request()
        caller.send(raw)

    return act


@pytest.mark.parametrize(
    "act",
    [
        hung_up,
        reset,
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nab"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Len"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        saying(b"HTTP/1.1 200 OK\r\n"),
        saying(b"HTTP/1.1 2"),
        saying(b"\x00\xff\r\n\r\n" * 50),
        saying(b"x" * 200_000),
        saying(b"SSH-2.0-OpenSSH\r\n"),
        saying(b"HTTP/1.1 twohundred\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n"),
        saying(ok(b"no gzip at all", b"Content-Encoding: gzip\r\n")),
        saying(ok(gzip.compress(b"a" * 1000)[:-9], b"Content-Encoding: gzip\r\n")),
        saying(ok(gzip.compress(b"abc")[:-12] + b"\xff" * 12, b"Content-Encoding: gzip\r\n")),
    ],
)
def test_no_proper_answer_is_tried_again_and_then_fails(act: Act) -> None:
    with scripted(act) as server, closing(ModelClient(server.url, retries=1, timeout=10)) as client:
        with pytest.raises(errors.ModelFailed) as raised:
            invoke(client)

        assert (raised.value.status, server.connections) == (None, 2)
        assert str(raised.value) == "Unable to get response from algorithm"
        assert raised.value.body


def test_nobody_listens() -> None:
    with scripted(hung_up) as server:
        pass
    with closing(ModelClient(server.url)) as client, pytest.raises(errors.ModelFailed) as raised:
        invoke(client)

    assert "ConnectionRefusedError" in raised.value.body


def dripping(caller: Caller) -> None:
    """Never pause for as long as the timeout, and never end."""
    caller.request()
    caller.send(b"HTTP/1.1 200 OK\r\nA: ")
    while True:
        caller.send(b"b")
        caller.link.settimeout(0.02)
        try:
            caller.link.recv(1)
        except TimeoutError:
            continue


def not_reading(caller: Caller) -> None:
    threading.Event().wait(20)


def stuck(caller: Caller) -> None:
    caller.request()
    caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    caller.hang()


@pytest.mark.parametrize("act", [Caller.hang, stuck, dripping, not_reading])
@pytest.mark.parametrize("body", [b"x" * 10_000_000, [b"x" * 1_000_000] * 10])
def test_every_call_ends_by_its_timeout(act: Act, body: object) -> None:
    with scripted(act) as server, closing(ModelClient(server.url, retries=1, timeout=0.25)) as client:
        with pytest.raises(errors.ModelFailed) as raised:
            invoke(client, body)

        assert str(raised.value) == "Model server did not respond to /invocations request within 0.25 seconds"
        assert server.connections == 2


def once_then_close(caller: Caller) -> None:
    caller.request()
    caller.send(ok(b"ok"))


def once_then_swallow(caller: Caller) -> None:
    """Close the kept connection only when the next request is under way, as a server with an idle timeout may."""
    once_then_close(caller)
    caller.link.recv(1)
    caller.reset()


@pytest.mark.parametrize("act", [once_then_close, once_then_swallow])
def test_a_stale_connection_is_no_failed_call(act: Act) -> None:
    with scripted(act) as server, closing(ModelClient(server.url, retries=0)) as client:
        assert [invoke(client, b"a" * 100_000) for _ in range(5)] == [b"ok"] * 5
        assert server.connections == 5


def test_an_iterator_is_never_sent_on_a_stale_connection_nor_twice() -> None:
    with scripted(once_then_swallow, answering(status(500))) as server, closing(ModelClient(server.url)) as client:
        invoke(client)
        with pytest.raises(errors.ModelFailed):
            invoke(client, iter([b"abc"]))

        assert [request.endswith(b"\r\n3\r\nabc\r\n0\r\n\r\n") for request in server.requests[1:]] == [True]


def test_an_iterable_is_sent_anew_for_each_call() -> None:
    with scripted(answering(status(500))) as server, closing(ModelClient(server.url, retries=2)) as client:
        with pytest.raises(errors.ModelFailed):
            invoke(client, [b"abc"])

        assert [request.endswith(b"3\r\nabc\r\n0\r\n\r\n") for request in server.requests] == [True] * 3


@pytest.mark.parametrize("error", [ConnectionResetError("S3 is gone"), errors.RecordTooLarge("", 0, 1, 2)])
def test_an_error_of_the_body_is_not_the_servers(error: Exception) -> None:
    class Failing:
        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"
            raise error

    with scripted(answering(ok())) as server, closing(ModelClient(server.url)) as client:
        with pytest.raises(type(error)) as raised:
            invoke(client, Failing())

        assert raised.value is error
        assert invoke(client) == b""
        assert server.connections == 2


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def pinging(url: str, time: Time, ended: Callable[[], str | None] = lambda: None) -> None:
    with closing(ModelClient(url, sleep=time.sleep, clock=time.clock)) as client:
        client.ping(deadline=10, ended=ended)


def test_ping_waits_for_a_200() -> None:
    acts = [answering(status(code)) for code in (503, 404, 204, 200)]
    with scripted(hung_up, *acts) as server:
        pinging(server.url, time := Time())

        assert server.connections == 5
        assert time.naps == [0.05, 0.1, 0.2, 0.4]
        assert header_lines(server.requests[-1])[0] == b"GET /ping HTTP/1.1"


def test_ping_ends_at_its_deadline_about_once_a_second() -> None:
    with scripted(answering(status(500))) as server:
        with pytest.raises(errors.ModelNotReady) as raised:
            pinging(server.url, time := Time())

        assert time.naps == [0.05, 0.1, 0.2, 0.4] + [1.0] * 9
        assert "responds with an HTTP 200 status code" in str(raised.value)
        assert raised.value.body == "HTTP status 500"


def test_ping_ends_when_the_server_did() -> None:
    with scripted(hung_up) as server:
        with pytest.raises(errors.ModelNotReady, match="killed by SIGKILL"):
            pinging(server.url, time := Time(), ended=lambda: "killed by SIGKILL")

        assert time.naps == []


def test_another_server_on_a_dead_ones_port_does_not_count() -> None:
    with scripted(answering(ok())) as server, pytest.raises(errors.ModelNotReady, match="gone"):
        pinging(server.url, Time(), ended=lambda: "gone")


def test_ping_gives_a_silent_server_two_seconds() -> None:
    with scripted(Caller.hang, answering(ok())) as server:
        began = time.monotonic()
        with closing(ModelClient(server.url)) as client:
            client.ping(deadline=began + 60)

        assert server.connections == 2


@pytest.mark.parametrize(
    ("raw", "parameters"),
    [
        (
            ok(b'{"MaxConcurrentTransforms":8,"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":6}'),
            ExecutionParameters(
                max_concurrent_transforms=8, batch_strategy=BatchStrategy.MULTI_RECORD, max_payload_in_mb=6
            ),
        ),
        (ok(b"{}"), ExecutionParameters()),
        (ok(b"<html>"), None),
        (status(404), None),
        (status(500, b"{}"), None),
        (b"garbage", None),
    ],
)
def test_execution_parameters(raw: bytes, parameters: ExecutionParameters | None) -> None:
    with scripted(saying(raw)) as server, closing(ModelClient(server.url)) as client:
        assert client.execution_parameters() == parameters
        assert header_lines(server.requests[0])[0] == b"GET /execution-parameters HTTP/1.1"
