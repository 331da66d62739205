"""Media types, as Content-Type and Accept write them."""

from __future__ import annotations


def media_type(text: str | None) -> str:
    """Give a type without its parameters, in lower case; nothing for none."""
    return (text or "").partition(";")[0].strip().lower()
