"""What the example DAGs score: for each of them its data, and the model that it asks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.errors import InvalidInput, Problem

_HERE = "airflow_batchtx.cli.demo.cases"

# Modules, not cases: pandas and scikit-learn are slow to import, and only those that are asked for pay for it.
CASES: Mapping[str, str] = {
    "late-payments": f"{_HERE}.late_payments",
    "fraud-detection": f"{_HERE}.fraud_detection",
    "predictive-maintenance": f"{_HERE}.predictive_maintenance",
    "customer-segmentation": f"{_HERE}.customer_segmentation",
    "document-processing": f"{_HERE}.document_processing",
    "associate-predictions": f"{_HERE}.associate_predictions",
    "flights": f"{_HERE}.flights",
}
"""The names of all cases, and the module of each."""


def load(name: str) -> Case:
    """Give a case by its name; InvalidInput tells which there are."""
    if name not in CASES:
        raise InvalidInput("case", (Problem("name", name, "is no case", f"Give one of {', '.join(CASES)}."),))
    found: Case = importlib.import_module(CASES[name]).CASE
    return found
