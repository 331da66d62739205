"""57 patients of a clinic in Wisconsin, with their numbers and without, and a model that tells benign tumours.

Source: UCI Machine Learning Repository, "Breast Cancer Wisconsin (Diagnostic)" (CC BY 4.0), as scikit-learn has it. It
has left out the numbers of the patients, so they are numbered here, from 1 to 569 in the order of the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from airflow_batchtx.cli.demo.cases import linear
from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import packed

if TYPE_CHECKING:
    import pandas as pd

# A tenth is scored; the others are learned from.
SCORED = 57


def patients() -> pd.DataFrame:
    """Load the table: the patient's number, 30 measures of the tumour's cells, and whether it is benign."""
    table = importlib.import_module("sklearn.datasets").load_breast_cancer(as_frame=True).frame
    named = table.rename(columns={"target": "benign"}).rename(columns=lambda name: name.replace(" ", "_"))
    named.insert(0, "id", range(1, len(named) + 1))
    return cast("pd.DataFrame", named)


def features() -> list[str]:
    """Name the measures in their order."""
    return [name for name in patients().columns if name not in {"id", "benign"}]


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the patients to score without a header, once without their numbers and once with them in front."""
    rows = patients()[-SCORED:].drop(columns="benign")
    yield "without-id/batch.csv", rows.drop(columns="id").to_csv(index=False, header=False).encode()
    yield "with-id/batch.csv", rows.to_csv(index=False, header=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a logistic regression to the others."""
    known = patients()[:-SCORED]
    yield "breast-cancer", packed("linear", linear.fitted(known[features()].to_numpy(), known["benign"]))


CASE = Case(
    name="associate-predictions",
    summary="57 patients, with their numbers and without",
    source="UCI Machine Learning Repository (CC BY 4.0), from scikit-learn",
    objects=objects,
    models=models,
)
