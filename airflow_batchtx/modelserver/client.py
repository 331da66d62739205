"""What SageMaker's agent does to a model container: ping it, ask for its parameters, send it mini-batches."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPException
from itertools import chain, repeat
from urllib.parse import urlsplit

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract
from airflow_batchtx.modelserver.connection import Answer, Body, Connection
from airflow_batchtx.spec.uri import S3Uri

DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_RETRIES = 3

# How long an answer to /execution-parameters may take is not documented.
_PARAMETERS_SECONDS = 60.0
# SageMaker pings about once a second; the first looks come quicker, since a local server starts in a fraction of one.
_FIRST_PAUSES = (0.05, 0.1, 0.2, 0.4)
_PAUSE = 1.0
_LEAST_SECONDS = 0.001
# How much of an error's body is kept for people to read.
_KEPT_BODY = 64 * 1024

# Everything that a server can do to us in place of an answer (gzip raises the last two).
_NO_ANSWER = (OSError, HTTPException, EOFError, zlib.error)


class ModelClient:
    """A client of one model server, for any number of threads; it keeps as many connections as calls were made at once.

    `base_url` is `http://host:port`, a path is allowed. `timeout` is seconds for one call, `retries` the number of
    further calls after a failed one. `clock` gives seconds that only rise. `connect` makes a Connection.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        retries: int = DEFAULT_RETRIES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        connect: Callable[..., Connection] = Connection,
    ) -> None:
        self._url = urlsplit(base_url)
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._clock = clock
        self._connect = connect
        self._idle: deque[Connection] = deque()

    def close(self) -> None:
        """Close the connections; call it when no thread is in a call."""
        for connection in self._idle:
            connection.close()

    def ping(self, *, deadline: float, ended: Callable[[], str | None] = lambda: None) -> None:
        """Return when the server answers a ping with 200; ModelNotReady at `deadline` (on `clock`).

        `ended` tells why the server's process is gone, None while it runs: `ModelServer.ended`.
        """
        for pause in chain(_FIRST_PAUSES, repeat(_PAUSE)):
            seen = self._pinged()
            # First, since its port may be another server's by now.
            if (reason := ended()) is not None:
                raise errors.ModelNotReady(reason)
            if seen is None:
                return
            if self._clock() + pause > deadline:
                raise errors.ModelNotReady(contract.PING_FAILED, body=seen)
            self._sleep(pause)

    def execution_parameters(self) -> contract.ExecutionParameters | None:
        """Ask what the container wants; None where it does not say so with 200 and JSON."""
        try:
            answer = self._probed(contract.EXECUTION_PARAMETERS, min(self._timeout, _PARAMETERS_SECONDS))
        except _NO_ANSWER:
            return None
        return contract.execution_parameters(answer.body) if answer.status == 200 else None

    def invoke(self, body: Body, *, content_type: str | None, accept: str | None, source_object: S3Uri) -> bytes:
        """Send one mini-batch and give the body of the model's `answer`."""
        return self.answer(body, content_type=content_type, accept=accept, source_object=source_object).body

    def answer(self, body: Body, *, content_type: str | None, accept: str | None, source_object: S3Uri) -> Answer:
        """Send one mini-batch and give the model's answer (its body is empty for 204).

        ModelRefused at once for 4xx; ModelFailed when each call ended with another status, with garbage or not in
        time. An iterable is sent in chunks as it comes, anew for each call; an iterator cannot be, so it gets one call.
        """
        headers = contract.invocation_headers(content_type, accept, source_object)
        outcome: Answer | errors.ModelServerError | None = None
        for _ in range(1 if isinstance(body, Iterator) else self._retries + 1):
            outcome = self._outcome(headers, body)
            if isinstance(outcome, Answer):
                return outcome
            if isinstance(outcome, errors.ModelRefused):
                break
        assert isinstance(outcome, errors.ModelServerError)
        raise outcome

    def _pinged(self) -> str | None:
        """Ping once; what is wrong, or None."""
        try:
            answer = self._probed(contract.PING, contract.PING_SECONDS)
        except _NO_ANSWER as error:
            return _told(error)
        return None if answer.status == 200 else f"HTTP status {answer.status}"

    def _probed(self, path: str, seconds: float) -> Answer:
        with closing(self._connection()) as connection:
            return connection.exchange("GET", path, contract.PROBE_HEADERS, b"", seconds=seconds)

    def _outcome(self, headers: Mapping[str, bytes], body: Body) -> Answer | errors.ModelServerError:
        """Call once: the answer, or the error that it means."""
        try:
            answer = self._called(headers, body)
        except _BodyFailed as failed:
            raise failed.cause from None
        except _NO_ANSWER as cause:
            late = isinstance(cause, TimeoutError)
            text = contract.TIMED_OUT.format(seconds=self._timeout) if late else contract.NO_ANSWER
            return errors.ModelFailed(text, body=_told(cause))
        if 200 <= answer.status < 300:
            return answer
        kind, text = (
            (errors.ModelRefused, contract.REFUSED)
            if 400 <= answer.status < 500
            else (errors.ModelFailed, contract.FAILED)
        )
        said = answer.body[:_KEPT_BODY].decode(errors="replace")
        return kind(text.format(status=answer.status), status=answer.status, body=said)

    def _called(self, headers: Mapping[str, bytes], body: Body) -> Answer:
        """Exchange on a kept connection, once more on a new one if the server had closed it."""
        try:
            connection = self._idle.pop()  # the last one used, so that no more are kept warm than are needed
        except IndexError:
            connection = self._connection()
        try:
            return self._exchanged(connection, headers, body)
        finally:
            self._idle.append(connection)

    def _exchanged(self, connection: Connection, headers: Mapping[str, bytes], body: Body) -> Answer:
        if isinstance(body, Iterator):
            connection.close()
        sent = body if isinstance(body, bytes | bytearray | memoryview) else _Guarded(body)
        was_kept, expires = connection.is_kept(), self._clock() + self._timeout
        try:
            return connection.exchange("POST", contract.INVOCATIONS, headers, sent, seconds=self._timeout)
        except ConnectionError:
            if not was_kept or connection.answered:
                raise
        left = max(expires - self._clock(), _LEAST_SECONDS)
        return connection.exchange("POST", contract.INVOCATIONS, headers, sent, seconds=left)

    def _connection(self) -> Connection:
        return self._connect(self._url, clock=self._clock)


class _BodyFailed(Exception):
    """The body's own iterable raised `cause`: nothing that the server is to blame for."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


class _Guarded:
    """A body whose own errors cannot be mistaken for the connection's."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except Exception as error:
            raise _BodyFailed(error) from error


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
