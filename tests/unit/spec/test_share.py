from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.spec.share import Share, share


@given(st.integers(1, 20), st.integers(0, 50))
def test_every_item_is_in_one_share(of: int, count: int) -> None:
    items = list(range(count))
    taken = [share(f"{number}/{of}").taken(items) for number in range(1, of + 1)]

    assert sorted(item for part in taken for item in part) == items
    assert max(map(len, taken)) - min(map(len, taken)) <= 1


def test_a_share_knows_the_others() -> None:
    assert Share(2, 3).all() == (Share(1, 3), Share(2, 3), Share(3, 3))
    assert str(Share(2, 3)) == "2/3"
    assert share(" 2 / 3 ") == Share(2, 3)


@pytest.mark.parametrize("value", ["0/8", "9/8", "1/0", "8", "a/b", "-1/2", "1/2/3", "", None, 1, 0.5])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must say which share of how many"):
        share(value)
