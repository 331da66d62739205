"""Card transactions, a few of them fraud, and a model that scores each.

Synthetic: no data set of card fraud that may be passed on comes with an installable package, so these are drawn here,
and nothing that a model finds in them says anything about the world.

Each of 2,000 cards has a usual amount (log-normal around 30). An honest transaction is about the usual amount, some
kilometres from home (exponential, 10 on average), in the day (normal around 14 o'clock, 4 hours wide), a day after the
last one (exponential), abroad in 3 of 100 cases. Of 200 transactions one is fraud: 4 times the usual amount, 150 km
away, at any hour, half an hour after the last one, abroad in 40 of 100 cases; each drawn from the same kinds of
distribution, so that some fraud looks honest, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_batchtx.cli.demo.cases import linear
from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import packed

if TYPE_CHECKING:
    import pandas as pd

TRANSACTIONS = 20_000
CARDS = 2_000
NUMBERS = ["amount", "usual_amount", "km_from_home", "hour", "minutes_since_last", "abroad"]


def transactions(seed: int) -> pd.DataFrame:
    """Draw transactions, in the order of their ids, with the column `fraud` that nobody knows at the time."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(seed)
    usual = draw.lognormal(3.4, 0.5, CARDS)
    card = draw.integers(CARDS, size=TRANSACTIONS)
    fraud = draw.random(TRANSACTIONS) < 1 / 200

    def either(dishonest: float, honest: float) -> Any:
        return np.where(fraud, dishonest, honest)

    hours = np.where(fraud, draw.uniform(0, 24, TRANSACTIONS), draw.normal(14, 4, TRANSACTIONS) % 24)
    drawn: pd.DataFrame = pd.DataFrame(
        {
            "transaction": [f"T{number:05d}" for number in range(1, TRANSACTIONS + 1)],
            "card": [f"C{number:04d}" for number in card],
            "amount": (usual[card] * either(4, 1) * draw.lognormal(0, 0.5, TRANSACTIONS)).round(2),
            "usual_amount": usual[card].round(2),
            "km_from_home": draw.exponential(either(150, 10)).round(1),
            "hour": hours.astype(int),
            "minutes_since_last": draw.exponential(either(30, 24 * 60)).round().astype(int),
            "abroad": (draw.random(TRANSACTIONS) < either(0.4, 0.03)).astype(int),
            "fraud": fraud.astype(int),
        }
    )
    return drawn


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield the transactions to score, and apart from them which were fraud: what an investigation finds out later."""
    drawn = transactions(seed=2)
    yield "source/transactions.csv", drawn.drop(columns="fraud").to_csv(index=False).encode()
    yield "truth/fraud.csv", drawn[["transaction", "fraud"]].to_csv(index=False).encode()


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a logistic regression to other transactions, by what the model will make of them."""
    from airflow_batchtx.cli.demo.cases.fraud_detection_inference import features

    known = transactions(seed=1)
    learned = linear.fitted(features(known[NUMBERS].to_numpy(float)), known["fraud"])
    yield "fraud-detection", packed("fraud_detection", learned)


CASE = Case(
    name="fraud-detection",
    summary="20,000 card transactions, about 100 of them fraud",
    source="synthetic: honest and dishonest transactions, drawn from distributions that overlap",
    objects=objects,
    models=models,
)
