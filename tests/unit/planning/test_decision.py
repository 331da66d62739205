"""Adopt, reuse, replace, create or refuse: a row a case, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.decision import Situation, Step, decide
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.policy import OnChanged, OnExisting, Policy

RUNNING = Situation(status="InProgress", same_clear=True, differences=(), whole=None)
COMPLETED = Situation(status="Completed", same_clear=True, differences=(), whole=True)
CLEARED = replace(COMPLETED, same_clear=False)
RERUN, FAIL = Policy(on_existing=OnExisting.RERUN), Policy(on_existing=OnExisting.FAIL)
REPLACE, KEEP_OUT = Policy(on_changed=OnChanged.REPLACE), Policy(on_changed=OnChanged.FAIL)
CHANGED = {"differences": ("input: 1 object more",)}

CASES = [
    ("the first try", Policy(), Situation(status=None), Step.CREATE),
    ("a retry finds its job running", Policy(), RUNNING, Step.ADOPT),
    ("a clear finds a job running", Policy(), replace(RUNNING, same_clear=False), Step.ADOPT),
    ("a clear that reruns finds a job running", RERUN, replace(RUNNING, same_clear=False), Step.ADOPT),
    ("an object came while it ran", Policy(), replace(RUNNING, **CHANGED), Step.ADOPT),
    ("an object came, replace", REPLACE, replace(RUNNING, **CHANGED), Step.REPLACE),
    ("an object came, fail", KEEP_OUT, replace(RUNNING, **CHANGED), Step.REFUSE),
    ("nothing to compare with", Policy(), replace(RUNNING, differences=None), Step.ADOPT),
    ("nothing to compare with, fail", KEEP_OUT, replace(RUNNING, differences=None), Step.REFUSE),
    ("it is being stopped", Policy(), Situation(status="Stopping"), Step.OUTWAIT),
    ("it was stopped", Policy(), Situation(status="Stopped"), Step.CREATE),
    ("it failed", Policy(), Situation(status="Failed"), Step.CREATE),
    ("it failed, existing is fail", FAIL, Situation(status="Failed", same_clear=False), Step.CREATE),
    ("a retry after it Completed", Policy(), COMPLETED, Step.REUSE),
    ("a clear after it Completed", Policy(), CLEARED, Step.REUSE),
    ("a retry, rerun", RERUN, COMPLETED, Step.REUSE),
    ("a clear, rerun", RERUN, CLEARED, Step.RERUN),
    ("a retry, fail", FAIL, COMPLETED, Step.REUSE),
    ("a clear, fail", FAIL, CLEARED, Step.REFUSE),
    ("an object came between two tries", Policy(), replace(COMPLETED, **CHANGED), Step.REUSE),
    ("an object came, then a clear", Policy(), replace(CLEARED, **CHANGED), Step.CREATE),
    ("an object came, replace, retry", REPLACE, replace(COMPLETED, **CHANGED), Step.CREATE),
    ("an object came, fail, clear", KEEP_OUT, replace(CLEARED, **CHANGED), Step.REFUSE),
    ("an output is gone", Policy(), replace(COMPLETED, whole=False), Step.CREATE),
    ("nobody looked for outputs", Policy(), replace(COMPLETED, whole=None), Step.REUSE),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "situation", "step"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_situation_has_its_step(policy: Policy, situation: Situation, step: Step) -> None:
    assert decide(policy, situation).step is step


POLICIES = st.builds(Policy, on_existing=st.sampled_from(OnExisting), on_changed=st.sampled_from(OnChanged))
SITUATIONS = st.builds(
    Situation,
    status=st.sampled_from([None, *(status.value for status in JobStatus)]),
    same_clear=st.booleans(),
    differences=st.sampled_from([None, (), ("model: other image",)]),
    whole=st.sampled_from([None, True, False]),
)


@given(POLICIES, SITUATIONS)
def test_every_situation_has_a_step_and_a_reason(policy: Policy, situation: Situation) -> None:
    assert decide(policy, situation).why


@given(POLICIES, SITUATIONS)
def test_no_second_job_runs_beside_one_that_runs(policy: Policy, situation: Situation) -> None:
    running = situation.status in ("InProgress", "Stopping")
    assert not (running and decide(policy, situation).step in (Step.CREATE, Step.RERUN))


@given(POLICIES, SITUATIONS)
def test_a_retry_of_work_that_is_done_and_unchanged_never_pays(policy: Policy, situation: Situation) -> None:
    done = replace(situation, status="Completed", same_clear=True, differences=(), whole=True)
    assert decide(policy, done).step is Step.REUSE
