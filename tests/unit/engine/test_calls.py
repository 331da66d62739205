from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from airflow_batchtx.engine.calls import Calls


def test_calls_are_counted_by_region_and_operation_from_any_thread() -> None:
    calls = Calls()
    assert calls.counts() == {}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: calls.note(["b", "a"][number % 2], ["Stop", "List"][number % 4 // 2]), range(400)))

    assert calls.counts() == {"a": {"List": 100, "Stop": 100}, "b": {"List": 100, "Stop": 100}}
    assert list(calls.counts()) == ["a", "b"]
