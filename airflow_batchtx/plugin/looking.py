"""What SageMaker says of jobs that have not ended: asked in threads, remembered for a while, waited for not long."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from airflow_batchtx.control.counting import Counting
from airflow_batchtx.control.services import Services
from airflow_batchtx.planning.forecast import Progress
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.uri import S3Uri

K = TypeVar("K", bound=Hashable)

# Seconds for which a look holds, and one that failed: a place that does not answer is not asked by everybody.
FRESH, FRESH_FAILURE = 8.0, 30.0
# Looks under way at once, and jobs that are remembered.
TOGETHER, REMEMBERED = 8, 2_000
_LONGEST = 300  # characters of a reason


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a job at `at`, in seconds of the looker's clock.

    `described` is None, and `failed` says why, where SageMaker could not be asked. `progress` is None where it is not
    known.
    """

    at: float
    described: Described | None = None
    progress: Progress | None = None
    failed: str = ""

    @property
    def is_final(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.described is not None and is_final(self.described["TransformJobStatus"])

    def holds(self, now: float) -> bool:
        """Tell whether it need not be looked again yet."""
        return self.is_final or now - self.at < (FRESH_FAILURE if self.failed else FRESH)


@dataclass(slots=True)
class _Watched:
    """A job that somebody looks at; `flight` is the look under way, or the last one."""

    look: Look | None = None
    flight: Future[None] | None = None
    counting: Counting | None = None


class Looker:
    """Looks at jobs over what `connect` gives for each; for all threads.

    However many people look at a job, SageMaker is asked for it once in FRESH seconds, and not any more once it has
    ended.
    """

    def __init__(self, connect: Callable[[JobCard], Services], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._clock = connect, clock
        self._threads = ThreadPoolExecutor(TOGETHER, thread_name_prefix="batchtx-page")
        self._watched: OrderedDict[tuple[str | None, str], _Watched] = OrderedDict()
        self._lock = Lock()

    def looks(self, cards: Mapping[K, JobCard], *, patience: float) -> dict[K, Look]:
        """Give what is known of jobs after `patience` seconds at most; nothing of those that nobody has seen by then.

        Who asks again later gets what came meanwhile.
        """
        watched = {key: self._asked(card) for key, card in cards.items()}
        wait([one.flight for one in watched.values() if one.flight], timeout=patience)
        return {key: one.look for key, one in watched.items() if one.look}

    def close(self) -> None:
        """Let the threads go; what they are at comes to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _asked(self, card: JobCard) -> _Watched:
        with self._lock:
            name = (card.aws_conn_id, card.result.job_arn)
            watched = self._watched.setdefault(name, _Watched())
            self._watched.move_to_end(name)
            while len(self._watched) > REMEMBERED:
                self._watched.popitem(last=False)
            under_way = watched.flight is not None and not watched.flight.done()
            if not under_way and not (watched.look and watched.look.holds(self._clock())):
                watched.flight = self._threads.submit(self._look, watched, card)
            return watched

    def _look(self, watched: _Watched, card: JobCard) -> None:
        try:
            services = self._connect(card)
            described = services.jobs.describe(card.result.job_name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says it and goes on
            watched.look = Look(self._clock(), failed=worded(error))
            return
        watched.look = Look(self._clock(), described, watched.look.progress if watched.look else None)
        if not watched.look.is_final:
            watched.look = Look(self._clock(), described, self._progress(watched, card, services))

    def _progress(self, watched: _Watched, card: JobCard, services: Services) -> Progress | None:
        """Count outputs; what goes wrong here must not hide what SageMaker says."""
        if card.result.control is None:
            return None
        if watched.counting is None:
            folder = S3Uri.parse(card.result.control)
            watched.counting = Counting(services, card.result.job_name, folder, interval=0.0)
        known = watched.look.progress if watched.look else None
        try:
            return watched.counting.progress() or known
        except Exception:  # noqa: BLE001 - as above
            return known


def worded(error: BaseException) -> str:
    """Say what went wrong, in a line that a page has room for."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:_LONGEST]
