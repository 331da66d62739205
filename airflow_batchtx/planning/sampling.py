"""What the first bytes of an input object give away."""

from __future__ import annotations

import csv


def longest_line(head: bytes) -> int:
    """Give the size in bytes of the longest line; the last one may go on after `head`."""
    return max(map(len, head.split(b"\n")))


def header(head: bytes) -> str | None:
    """Give the first line of a CSV file where it looks like names of columns: no numbers in it, but in the next one."""
    lines = [line.decode("utf-8", "replace") for line in head.splitlines()[:2]]
    try:
        first, second = csv.reader(lines)
    except (ValueError, csv.Error):  # fewer than two records, or none of CSV
        return None
    named = len(first) == len(second) == len(set(first)) and all(first) and not any(map(_is_number, first))
    return lines[0] if named and any(map(_is_number, second)) else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
