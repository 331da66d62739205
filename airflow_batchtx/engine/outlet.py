"""One AWS service of the configured endpoint, which may not be there: what it takes must never hold up a job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

log = logging.getLogger(__name__)

# Seconds before each further try of a call that may yet succeed, and how long a silent service is left alone then.
PAUSES = (0.1, 0.4)
REST_SECONDS = 60.0
# What boto3 raises: for a refusal, for no answer, for an answer of another kind, for an endpoint that is no URL.
_FAILURES = (ClientError, BotoCoreError, ResponseParserError, ValueError)
# The wait for an answer was long enough.
_TIMED_OUT = (ConnectTimeoutError, ReadTimeoutError)
_PASSING_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable"})


class Silence:
    """That of an endpoint whose services answer nothing at all: one time-out is enough, for all of them, for a while.

    `clock` gives seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._warned = False

    def lasts(self) -> bool:
        """Tell whether the endpoint is left alone."""
        return self._clock() < self._until

    def begin(self, name: str, error: Exception) -> None:
        """Leave the endpoint alone from now on; warns the first time."""
        self._until = self._clock() + REST_SECONDS
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "%s: no answer, so its endpoint rests; jobs run on without it: %s", name, _told(error))


class Outlet:
    """Calls one service, for one thread. `clock` gives seconds that only rise; `silence` is that of its endpoint.

    A service that refuses the very first call is taken for absent: it is never asked again. One that fails later is
    left alone for a while. Each outlet warns once; what it does not deliver is dropped, or kept by the caller.
    """

    def __init__(
        self,
        name: str,
        client: Callable[[], Any],
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        silence: Silence,
    ) -> None:
        self._name, self._make, self._sleep, self._clock, self._silence = name, client, sleep, clock, silence
        self._client: Any = None
        self._proved = self._absent = self._warned = self._passing = False
        self._rests_until = float("-inf")

    @property
    def rests(self) -> bool:
        """Tell whether what it does not take now may be worth another try: it was silent, and refused nothing."""
        rested = self._clock() >= self._rests_until
        return not self._absent and (self._silence.lasts() or (self._passing and not rested))

    def send(self, call: Callable[[Any], object]) -> bool:
        """Call the service; tell whether it took it."""
        if self._absent or self._silence.lasts() or self._clock() < self._rests_until:
            return False
        try:
            self._called(call)
        except _TIMED_OUT as error:
            self._silence.begin(self._name, error)
            return False
        except _FAILURES as error:
            self._passing = _is_passing(error)
            self._absent = not self._proved and not self._passing
            self._rests_until = self._clock() + REST_SECONDS
            self._warn(error)
            return False
        self._proved = True
        return True

    def _called(self, call: Callable[[Any], object]) -> None:
        if self._client is None:
            self._client = self._make()
        for pause in PAUSES:
            if self._was_taken(call):
                return
            self._sleep(pause)
        call(self._client)

    def _was_taken(self, call: Callable[[Any], object]) -> bool:
        """Call once; False where the same call may succeed later."""
        try:
            call(self._client)
        except _FAILURES as error:
            if not _is_passing(error):
                raise
            return False
        return True

    def _warn(self, error: Exception) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "%s: not delivered, jobs run on without it: %s", self._name, _told(error))


def _told(error: Exception) -> str:
    """Say on one line what was wrong; some servers answer with a whole page."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response.get('Error', {}).get('Code')}"
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _is_passing(error: Exception) -> bool:
    """Tell whether the same call may succeed later."""
    if not isinstance(error, ClientError):
        return isinstance(error, HTTPClientError | NoConnection) and not isinstance(error, _TIMED_OUT)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.response.get("Error", {}).get("Code") in _PASSING_CODES or status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
