"""The example DAGs, run for real: what comes out is what went in and what the model says of it, as the pages show."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from airflow_batchtx.cli.demo.cases import (
    associate_predictions,
    customer_segmentation,
    customer_segmentation_inference,
    document_processing,
    fraud_detection,
    fraud_detection_inference,
    linear_inference,
    predictive_maintenance,
    windows,
)
from tests.integration.dags.conftest import ROOT, Lake, Run
from tests.integration.dags.pages import Page

pytestmark = pytest.mark.airflow

USE_CASES = Page(ROOT / "docs" / "use-cases.md")
TUTORIAL = Page(ROOT / "docs" / "tutorial.md")


# --------------------------------------------------------------------------------------------- fraud detection


def test_fraud_every_transaction_has_its_own_score_and_alerts_have_a_folder(
    run: Run, lake: Lake, tmp_path: Path
) -> None:
    run("fraud_detection")

    scored = lake.folder("fraud-detection", "scored")
    alerts, passed = (lake.table(f"{scored}decision={decision}/") for decision in ("alert", "pass"))
    whole = pd.concat([alerts, passed]).sort_values("transaction", ignore_index=True)
    source = lake.csv("fraud-detection/source/transactions.csv")
    assert whole[["transaction", "card", "amount"]].equals(source[["transaction", "card", "amount"]])
    # What the model says of each by itself, in whatever order it was asked.
    model = lake.model("fraud-detection", "fraud-detection", fraud_detection_inference, tmp_path)
    rows = source[["transaction", *fraud_detection.NUMBERS]].to_numpy(str)
    said = {row[0]: float(row[1]) for row in fraud_detection_inference.predict_fn(rows, model)}
    assert dict(zip(whole["transaction"], whole["score"], strict=True)) == pytest.approx(said)
    assert alerts["score"].min() >= 0.5 > passed["score"].max()


def test_fraud_most_alerts_are_fraud_and_most_fraud_is_found(run: Run, lake: Lake) -> None:
    run("fraud_detection")

    truth = lake.csv("fraud-detection/truth/fraud.csv").set_index("transaction")["fraud"]
    alerts = lake.table(lake.folder("fraud-detection", "scored") + "decision=alert/")
    found = truth[alerts["transaction"]]
    assert found.mean() > 0.9
    assert found.sum() / truth.sum() > 0.7
    assert USE_CASES.shows(alerts.sort_values("transaction").head(4), amount=2, score=2)
    assert USE_CASES.says(f"{len(alerts)} alerts, {found.sum()} of them among the {truth.sum()} frauds")


# -------------------------------------------------------------------------------------- predictive maintenance

MORNING, NEXT = date(2026, 2, 10), date(2026, 2, 11)


@pytest.mark.parametrize("morning", [MORNING, pytest.param(NEXT, marks=pytest.mark.nightly)])
def test_maintenance_the_risk_of_a_morning_is_that_of_the_week_before(
    run: Run, lake: Lake, tmp_path: Path, morning: date
) -> None:
    run("predictive_maintenance", morning=str(morning))

    table = lake.table(f"predictive-maintenance/scored/day={morning}/")
    days = [morning - timedelta(days=back) for back in range(1, 8)]
    week = pd.concat(lake.csv(f"predictive-maintenance/readings/day={day}/readings.csv") for day in days)
    made = windows.machines(week)
    model = lake.model("predictive-maintenance", "predictive-maintenance", linear_inference, tmp_path)
    assert table["machine"].to_list() == made["machine"].to_list() == [f"M{number:03d}" for number in range(1, 121)]
    assert table["risk"].to_numpy() == pytest.approx(linear_inference.predict_fn(made[windows.FEATURES], model))


def test_maintenance_machines_with_a_high_risk_fail_soon(run: Run, lake: Lake) -> None:
    run("predictive_maintenance", morning=str(MORNING))

    table = lake.table(f"predictive-maintenance/scored/day={MORNING}/")
    failures = lake.csv("predictive-maintenance/truth/failures.csv")
    fails = table["machine"].isin(predictive_maintenance.failing(failures, MORNING))
    assert roc_auc_score(fails, table["risk"]) > 0.9
    riskiest = table.assign(fails=fails).sort_values("risk", ascending=False).head(10)
    assert USE_CASES.shows(table.head(4), risk=2)
    assert USE_CASES.says(f"Of the 10 machines with the highest risk {riskiest['fails'].sum()} failed within the week")


@pytest.mark.nightly
def test_maintenance_every_day_has_its_own_partition(run: Run, lake: Lake) -> None:
    for morning in (MORNING, NEXT):
        run("predictive_maintenance", morning=str(morning))

    ends = [key for key in lake.keys("predictive-maintenance/scored/") if key.endswith("_SUCCESS")]
    assert ends == [f"predictive-maintenance/scored/day={morning}/_SUCCESS" for morning in (MORNING, NEXT)]


# --------------------------------------------------------------------------------------- customer segmentation


def test_segments_many_tasks_share_the_work_and_no_customer_is_lost(run: Run, lake: Lake, tmp_path: Path) -> None:
    done = run("customer_segmentation")

    assert sorted(name for name in done.states if "[" in name) == [
        *(f"scoring.associate[{share}]" for share in range(4)),
        *(f"scoring.prepare[{folder}]" for folder in range(3)),
    ]
    table = lake.table(lake.folder("customer-segmentation", "segments")).sort_values("customer", ignore_index=True)
    customers = customer_segmentation.customers()
    known = ["customer", "contract", "left"]
    assert table[known].astype(str).equals(customers[known].astype(str))
    inference = customer_segmentation_inference
    model = lake.model("customer-segmentation", "customer-segments", inference, tmp_path)
    said = inference.predict_fn(customers[customer_segmentation.FEATURES].fillna(0).to_numpy(), model)
    assert table["segment"].to_list() == said[:, 0].astype(int).tolist()
    assert table["distance"].to_numpy() == pytest.approx(said[:, 1].astype(float))


def test_segments_tell_customers_apart(run: Run, lake: Lake) -> None:
    run("customer_segmentation")

    table = lake.table(lake.folder("customer-segmentation", "segments"))
    joined = table.merge(customer_segmentation.customers()[["customer", *customer_segmentation.FEATURES]])
    segments = (
        joined.assign(gone=(joined["left"] == "Yes") * 100.0)
        .groupby("segment", as_index=False)
        .agg(
            customers=("customer", "size"),
            tenure=("tenure", "mean"),
            monthly_charges=("monthly_charges", "mean"),
            gone=("gone", "mean"),
        )
    )
    assert segments["customers"].sum() == 7043
    assert segments["gone"].max() > 5 * segments["gone"].min()
    assert USE_CASES.shows(segments, tenure=0, monthly_charges=0, gone=0)


# ----------------------------------------------------------------------------------------- document processing


def test_documents_every_image_has_one_digit_and_most_are_right(run: Run, lake: Lake) -> None:
    run("document_processing")

    table = lake.table(lake.folder("document-processing", "images"))
    names = table["object"].str.rsplit("/", n=1).str[1]
    assert names.to_list() == [f"{number:04d}.png" for number in range(1, document_processing.SENT + 1)]
    assert table["shown"].astype(int).to_list() == document_processing.digits()[1][-document_processing.SENT :].tolist()
    right = table["digit"] == table["shown"].astype(int)
    assert right.mean() > 0.9
    shown = table.assign(object=names)[["object", "shown", "digit", "confidence"]]
    assert USE_CASES.shows(shown.head(4), confidence=2)
    assert USE_CASES.says(f"{right.sum()} of 100 digits are read as a person read them")


def test_documents_every_text_has_one_kind_and_more_are_right_than_by_guessing(run: Run, lake: Lake) -> None:
    run("document_processing")

    table = lake.table(lake.folder("document-processing", "texts"))
    sent = document_processing.cards()[-document_processing.SENT :]
    assert sorted(table["object"].str.extract(r"/(\d+)\.txt$")[0].astype(int)) == sorted(sent["id"])
    right, most = table["kind"] == table["catalogued"], table["catalogued"].value_counts(normalize=True).max()
    assert right.mean() > most + 0.1
    names = table["object"].str.rsplit("/", n=1).str[1]
    shown = table.assign(object=names)[["object", "catalogued", "kind", "confidence"]]
    assert USE_CASES.shows(shown.head(4), confidence=2)
    assert USE_CASES.says(f"{right.sum()} of 100 cards are sorted as the catalogue does")


# ------------------------------------------------------------------------- associating predictions with input


def test_the_three_jobs_of_the_tutorial_write_what_its_page_shows(run: Run, lake: Lake) -> None:
    run("associate_predictions")

    outputs = {
        name: list(csv.reader(io.StringIO(lake.get(output).decode())))
        for name in ("no_processing", "joined", "ids_only")
        for output in [lake.folder("associate-predictions", f"{name}_table").replace("_table/", "/") + "batch.csv.out"]
    }
    with_id = lake.csv("associate-predictions/with-id/batch.csv", header=None).to_numpy()
    predictions = np.array(outputs["no_processing"], float)
    assert predictions.shape == (57, 1)
    assert np.array(outputs["joined"], float) == pytest.approx(np.column_stack([with_id, predictions]))
    assert np.array(outputs["ids_only"], float) == pytest.approx(np.column_stack([with_id[:, 0], predictions]))
    for name, rows in outputs.items():
        shown = [row if len(row) < 5 else [*row[:3], *row[-2:]] for row in rows[:3]]
        assert TUTORIAL.csv(f"{name}/batch.csv.out") == pytest.approx(np.array(shown, float), abs=1e-4), name


def test_the_tables_of_the_tutorial_agree_and_the_predictions_are_right(run: Run, lake: Lake) -> None:
    run("associate_predictions")

    tables = {
        name: lake.table(lake.folder("associate-predictions", f"{name}_table"))
        for name in ("no_processing", "joined", "ids_only")
    }
    benign = associate_predictions.patients()[-57:]
    assert ((tables["ids_only"]["benign"] > 0.5) == benign["benign"].to_numpy()).mean() > 0.9
    assert tables["ids_only"]["id"].astype(int).to_list() == benign["id"].to_list()
    assert tables["joined"].drop(columns="id").equals(tables["no_processing"])
    assert tables["joined"][["id", "benign"]].equals(tables["ids_only"])
    assert tables["joined"].columns.to_list() == ["id", *associate_features(), "benign"]
    assert TUTORIAL.shows(tables["ids_only"].head(3), benign=4)


def associate_features() -> list[str]:
    """The measures under the DAG's names: scikit-learn says `radius error` where it says `error_radius`."""
    return [
        f"error_{name.removesuffix('_error')}" if name.endswith("_error") else name
        for name in associate_predictions.features()
    ]
