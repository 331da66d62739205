"""Windowed features of machines: one function for the training and for the DAG, so that both mean the same by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DAYS = 7
SENSORS = ["vibration", "temperature", "current"]
FEATURES = [f"{sensor}_{window}" for window in ("week", "day") for sensor in SENSORS]


def machines(readings: pd.DataFrame) -> pd.DataFrame:
    """Make of a week's readings a row a machine: means of each sensor, over the week and over its last day.

    `readings` has the columns `machine`, `read_at` (ISO 8601) and one for each sensor. A machine without a reading on
    the last day has no value for that.
    """
    days = readings["read_at"].str[:10]
    week = readings.groupby("machine")[SENSORS].mean()
    day = readings[days == days.max()].groupby("machine")[SENSORS].mean()
    made: pd.DataFrame = week.join(day, lsuffix="_week", rsuffix="_day").round(4).reset_index()
    return made
