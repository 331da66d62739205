"""Readings of machines that wear out, an object a day, and a model that tells which will fail within a week.

Synthetic: no run-to-failure history that may be passed on comes with an installable package, so these are drawn here.

The model of degradation: each of 120 machines has a wear from 0 (new) to 1 (fails). Every 4 hours wear grows by a
gamma-distributed step (shape 0.25) whose mean is the machine's own, between 1/240 and 1/90 (so it lasts 15 to 40
days). Three sensors tell of it, with normal noise: vibration 1 + 2 wear², temperature 60 + 15 wear³ and half a degree
of the machine's own, current 10 + 0.8 wear. When wear reaches 1 the machine fails, which the log of failures notes,
and goes on as a new one. Wear at the beginning is uniform.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from airflow_batchtx.cli.demo.cases import linear, windows
from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import packed

if TYPE_CHECKING:
    import pandas as pd

MACHINES = 120
FIRST, DAYS = date(2026, 1, 1), 60
PER_DAY = 6
HORIZON = 7
# Mornings that are learned from: each has a window before it, and all of them the outcomes of January.
_MORNINGS = range(windows.DAYS, 31 - HORIZON, 2)


class History(NamedTuple):
    """Readings of all sensors, and the failures: machine and day."""

    readings: pd.DataFrame
    failures: pd.DataFrame


def history() -> History:
    """Let all machines run for 60 days."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(3)
    names = np.array([f"M{number:03d}" for number in range(1, MACHINES + 1)])
    pace, warmth = draw.uniform(1 / 240, 1 / 90, MACHINES), draw.normal(0, 0.5, MACHINES)
    wear = draw.uniform(0, 1, MACHINES)
    readings, failures = [], []
    for step in range(DAYS * PER_DAY):
        day, hour = FIRST + timedelta(days=step // PER_DAY), step % PER_DAY * 24 // PER_DAY
        wear = wear + draw.gamma(0.25, pace / 0.25)
        failed = wear >= 1
        failures += [(name, day.isoformat()) for name in names[failed]]
        wear[failed] = 0
        readings.append(
            pd.DataFrame(
                {
                    "machine": names,
                    "read_at": f"{day}T{hour:02d}:00:00Z",
                    "vibration": (1 + 2 * wear**2 + draw.normal(0, 0.15, MACHINES)).round(3),
                    "temperature": (60 + 15 * wear**3 + warmth + draw.normal(0, 1, MACHINES)).round(2),
                    "current": (10 + 0.8 * wear + draw.normal(0, 0.2, MACHINES)).round(2),
                }
            )
        )
    return History(pd.concat(readings, ignore_index=True), pd.DataFrame(failures, columns=["machine", "day"]))


def failing(failures: pd.DataFrame, morning: date) -> set[str]:
    """Name the machines that fail within a week of a morning."""
    end = morning + timedelta(days=HORIZON)
    return {*failures.loc[failures["day"].between(morning.isoformat(), end.isoformat(), "left"), "machine"]}


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the readings of each day, and the log of failures."""
    readings, failures = history()
    for day, rows in readings.groupby(readings["read_at"].str[:10]):
        yield f"readings/day={day}/readings.csv", rows.to_csv(index=False).encode()
    yield "truth/failures.csv", failures.to_csv(index=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a logistic regression to windows of January, of which all outcomes are known at its end."""
    import pandas as pd

    readings, failures = history()
    rows, outcomes = [], []
    for morning in (FIRST + timedelta(days=offset) for offset in _MORNINGS):
        first = morning - timedelta(days=windows.DAYS)
        window = windows.machines(readings[readings["read_at"].between(first.isoformat(), morning.isoformat(), "left")])
        rows.append(window[windows.FEATURES])
        outcomes.append(window["machine"].isin(failing(failures, morning)).astype(int))
    learned = linear.fitted(pd.concat(rows).to_numpy(), pd.concat(outcomes))
    yield "predictive-maintenance", packed("linear", learned)


CASE = Case(
    name="predictive-maintenance",
    summary="43,200 readings of 120 machines that wear out, an object a day from 2026-01-01 to 2026-03-01",
    source="synthetic: wear grows by gamma-distributed steps, and sensors tell of it",
    objects=objects,
    models=models,
)
