from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.tags import automatic_tags, sanitised, shell_tags
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.validation import problems
from tests.fake_sagemaker import REQUEST

RUN = Identity(
    namespace="n", dag_id="churn", task_id="score.day", run_id="manual__2026-11-23T01:00+00:00", map_index=-1
)
MAPPED = Identity(namespace="n", dag_id="churn", task_id="score", run_id="r", map_index=7)
RUNS = st.builds(
    Identity, namespace=st.text(), dag_id=st.text(), task_id=st.text(), run_id=st.text(max_size=400),
    map_index=st.integers(-1, 10**6),
)  # fmt: skip
KEYS = st.sampled_from(["batchtx:run_id", "batchtx:dag_id", "team", *(f"key {number}" for number in range(60))])
OWN = st.dictionaries(KEYS, st.sampled_from(["", "a", "blå"]), max_size=50)


def tagged(own: dict[str, str]) -> dict[str, Any]:
    return {**REQUEST, "Tags": wire.tag_list(own)} if own else dict(REQUEST)


def test_a_job_tells_its_dag_task_and_run() -> None:
    assert automatic_tags(tagged({"team": "risk"}), RUN) == {
        "team": "risk",
        "batchtx:dag_id": "churn",
        "batchtx:task_id": "score.day",
        "batchtx:run_id": "manual__2026-11-23T01:00+00:00",
    }


def test_a_mapped_task_tells_its_index() -> None:
    assert automatic_tags(REQUEST, MAPPED)["batchtx:map_index"] == "7"


def test_a_tag_of_ones_own_wins() -> None:
    tags = automatic_tags(tagged({"batchtx:run_id": "mine"}), RUN)

    assert tags["batchtx:run_id"] == "mine"
    assert tags["batchtx:dag_id"] == "churn"


def test_work_of_a_shell_tells_its_name_and_key() -> None:
    named = tagged({"team": "risk"})

    assert shell_tags(named, "churn", "2026-11-23") == {
        "team": "risk",
        "batchtx:name": "churn",
        "batchtx:key": "2026-11-23",
    }
    assert shell_tags(tagged({}), "churn", "") == {"batchtx:name": "churn"}
    assert shell_tags(tagged({"batchtx:key": "mine"}), "churn", "k!")["batchtx:key"] == "mine"


def test_what_aws_does_not_take_becomes_an_underscore() -> None:
    assert sanitised("run(1)*é 日本\t/a-b_c.d:e=f+g@h") == "run_1__é 日本_/a-b_c.d:e=f+g@h"
    assert len(sanitised("x" * 1000)) == 256


@given(OWN, RUNS)
def test_sagemaker_takes_them_all_and_none_of_ones_own_is_lost(own: dict[str, str], run: Identity) -> None:
    tags = automatic_tags(tagged(own), run)

    assert tags.items() >= own.items()
    assert len(tags) == 50 or tags.keys() >= {"batchtx:dag_id", "batchtx:task_id", "batchtx:run_id"}
    assert list(problems({**REQUEST, "Tags": wire.tag_list(tags)})) == []
