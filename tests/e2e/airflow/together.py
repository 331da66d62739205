"""Scenarios wait far more than they work: those that do not disturb each other are played at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from tests.e2e.airflow.stage import Stage, World

Play = Callable[[Stage], None]
# As many as two cores bear before tasks miss their heartbeats.
AT_ONCE = 8


@dataclass(frozen=True)
class Scenario:
    """Something that happens to a task, in one way of waiting."""

    play: Play
    way: str

    def __str__(self) -> str:
        return f"{self.play.__name__}-{self.way}"


class Together:
    """Plays scenarios on one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(AT_ONCE, "scenario")
        self._futures: dict[Scenario, Future[None]] = {}
        self.stages: dict[Scenario, Stage] = {}

    def begin(self, scenarios: Iterable[Scenario]) -> None:
        """Begin to play scenarios, unless they have begun already."""
        for scenario in scenarios:
            if scenario not in self._futures:
                self._futures[scenario] = self._pool.submit(self.play, scenario)

    def outcome(self, scenario: Scenario) -> None:
        """Wait for a scenario, and raise what it raised."""
        self._futures[scenario].result()

    def until_all_are_over(self) -> None:
        wait(self._futures.values())

    def play(self, scenario: Scenario) -> None:
        """Play a scenario; what it raises tells its story."""
        self.stages[scenario] = stage = Stage(self._world, scenario.way)
        try:
            scenario.play(stage)
        except Exception as error:
            raise AssertionError(f"{error or type(error).__name__}\n{stage.story()}") from error
        finally:
            stage.release()

    def close(self) -> None:
        """Play no more; what is being played ends as soon as it waits."""
        self._world.ending.set()
        self._pool.shutdown(cancel_futures=True)
        # Other files of this process may go on with the same world.
        self._world.ending.clear()
