"""A client of CloudWatch Logs in memory, with tokens as AWS gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tests.fake_sagemaker import CREATED, refusal

NOW = int(CREATED.timestamp() * 1000)
INSTANCE = "i-0123456789abcdef0-1795435200"


class FakeLogs:
    """Serves the streams of one log group, which exists once it has one. `empty_pages` come before each full one.

    `trouble` raises an operation's next errors, `denied` its every call's.
    """

    def __init__(self, empty_pages: int = 0) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.empty_pages = empty_pages
        self.calls: list[str] = []
        self.trouble: dict[str, list[Exception]] = defaultdict(list)
        self.denied: set[str] = set()

    def add(self, stream: str, *texts: str, at: Iterable[int] | None = None) -> None:
        """Add events to a stream, at so many milliseconds."""
        held = self.events.setdefault(stream, [])
        times = list(at) if at is not None else range(len(held), len(held) + len(texts))
        for time, text in zip(times, texts, strict=True):
            held.append({"timestamp": NOW + time, "message": text})

    def describe_log_streams(self, **request: Any) -> dict[str, Any]:
        self._called("DescribeLogStreams")
        found = sorted(name for name in self.events if name.startswith(request["logStreamNamePrefix"]))
        start, limit = int(request.get("nextToken", 0)), request["limit"]
        assert limit <= 50
        page = {"logStreams": [{"logStreamName": name} for name in found[start : start + limit]]}
        return page | ({"nextToken": str(start + limit)} if start + limit < len(found) else {})

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        self._called("GetLogEvents")
        if (held := self.events.get(request["logStreamName"])) is None:
            raise refusal("GetLogEvents", "ResourceNotFoundException", "The specified log stream does not exist.")
        limit = request["limit"]
        assert 0 < limit <= 10_000
        if not request["startFromHead"]:
            return {"events": held[-limit:], "nextForwardToken": "", "nextBackwardToken": ""}
        at, skipped = (int(part) for part in request.get("nextToken", "0/0").split("/"))
        if at < len(held) and skipped < self.empty_pages:
            return {"events": [], "nextForwardToken": f"{at}/{skipped + 1}"}
        page = held[at : at + limit]
        return {"events": page, "nextForwardToken": f"{at + len(page)}/0"}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.denied:
            raise refusal(operation, "AccessDeniedException", f"not authorized to perform: logs:{operation}")
        if self.trouble[operation]:
            raise self.trouble[operation].pop(0)
        if not self.events:
            raise refusal(operation, "ResourceNotFoundException", "The specified log group does not exist.")
