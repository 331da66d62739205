from __future__ import annotations

from itertools import pairwise

from airflow_batchtx.storage.upload import part_size

MIB, TIB = 2**20, 2**40
NUMBERS = range(1, 10_001)


def test_ten_thousand_parts_hold_the_largest_object() -> None:
    assert sum(map(part_size, NUMBERS)) >= 5 * TIB


def test_every_part_has_a_size_that_s3_takes() -> None:
    assert all(5 * MIB <= part_size(number) <= 5 * 1024 * MIB for number in NUMBERS)


def test_parts_grow_slowly_so_that_usual_objects_need_little_memory() -> None:
    assert {part_size(number) for number in range(1, 1_001)} == {8 * MIB}
    assert all(one <= other <= 2 * one for one, other in pairwise(map(part_size, NUMBERS)))
