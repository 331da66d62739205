from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.spec.limits import MODEL_NAME_PATTERN, NAME_PATTERN
from airflow_batchtx.spec.naming import Identity, job_name, model_name, short_digest

WORK = Identity(namespace="prod", dag_id="scoring", task_id="score", run_id="manual__2026-11-23", map_index=-1)
IDENTITIES = st.builds(
    Identity, namespace=st.text(), dag_id=st.text(), task_id=st.text(), run_id=st.text(), map_index=st.integers(-1)
)


@given(st.text(max_size=200), IDENTITIES, st.integers(1, 10**6))
def test_every_name_is_one_that_sagemaker_takes(prefix: str, identity: Identity, attempt: int) -> None:
    name = job_name(prefix, identity, attempt)

    assert len(name) <= 63
    assert re.fullmatch(NAME_PATTERN, name)


def test_the_same_work_has_the_same_name() -> None:
    assert job_name("churn", WORK) == job_name("churn", Identity(**{f: getattr(WORK, f) for f in WORK.__slots__}))


def test_attempts_are_numbered_and_the_number_is_never_cut_off() -> None:
    names = [job_name("p" * 80, WORK, attempt) for attempt in (1, 2, 3)]

    assert names[1].endswith("-2")
    assert names[2].endswith("-3")
    assert len(set(names)) == 3


def test_a_hundred_thousand_mapped_tasks_have_names_of_their_own() -> None:
    names = {
        job_name("churn", Identity(namespace="n", dag_id="d", task_id="t", run_id="r", map_index=index))
        for index in range(100_000)
    }

    assert len(names) == 100_000


def test_parts_of_an_identity_do_not_run_into_each_other() -> None:
    one = Identity(namespace="a", dag_id="bc", task_id="d", run_id="e", map_index=1)
    two = Identity(namespace="ab", dag_id="c", task_id="d", run_id="e", map_index=1)

    assert one.digest != two.digest


@given(st.text(max_size=200), st.text())
def test_every_name_of_a_model_is_one_that_sagemaker_takes_and_tells_its_content(prefix: str, content: str) -> None:
    name = model_name(prefix, short_digest(content))

    assert len(name) <= 63
    assert re.fullmatch(MODEL_NAME_PATTERN, name)
    assert name.endswith(f"-{short_digest(content)}")
