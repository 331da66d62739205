"""A client that is asked for at each call, so that one who holds it for hours calls with what counts by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Current:
    """Stands for a boto3 client that is made when it is first called, and anew when its hook says so."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client(), name)
