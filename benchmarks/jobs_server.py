"""A server that answers for transform jobs which live by the clock: `python -m benchmarks.jobs_server` prints its port.

It reads a line of JSON first: `ends`, in seconds, and `rate`, how many calls a second it takes (null for any number).
`POST /begin` is when all jobs are created. Once each has been looked at, comes a minute in which none ends; `ends`
count from its end. `GET /told` is what was asked until then.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

ARN = "arn:aws:sagemaker:us-east-1:123456789012:transform-job/"
REQUEST = {
    "ModelName": "churn",
    "MaxConcurrentTransforms": 4,
    "BatchStrategy": "MultiRecord",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lake/in/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://lake/out/", "AssembleWith": "Line"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}


# Seconds: that quiet minute, and how long each job may go without a look until it comes all the same.
QUIET, LONGEST = 60.0, 200.0


class Jobs:
    """Jobs `job-0`, `job-1`, and so on, created one after another just before the begin."""

    def __init__(self, ends: list[float], rate: float | None, clock: Callable[[], float] = time.time) -> None:
        self.ends, self.rate, self.clock = ends, rate, clock
        self.names = {f"job-{number}": number for number in range(len(ends))}
        self.begun = math.inf
        self.quiet: float | None = None
        self.unseen = set(range(len(ends)))
        self.calls: list[float] = []
        self.throttled = 0
        self.tokens, self.refilled = rate or 0.0, clock()

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(self.clock())
        if not self.takes():
            self.throttled += 1
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        return 200, (self.page(request) if operation == "ListTransformJobs" else self.described(request))

    def takes(self) -> bool:
        if self.rate is None:
            return True
        now = self.clock()
        self.tokens = min(max(self.rate, 1.0), self.tokens + (now - self.refilled) * self.rate)
        self.refilled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def described(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.summary(self.names[request["TransformJobName"]]) | REQUEST

    def page(self, request: dict[str, Any]) -> dict[str, Any]:
        start, count = int(request.get("NextToken", 0)), request.get("MaxResults", 10)
        after = request.get("CreationTimeAfter", 0.0)
        newest_first = [number for number in reversed(range(len(self.ends))) if self.created(number) > after]
        found = newest_first[start : start + count]
        more = {"NextToken": str(start + count)} if start + count < len(newest_first) else {}
        return {"TransformJobSummaries": [self.summary(number) for number in found], **more}

    def created(self, number: int) -> float:
        return self.begun - 5 + 5 * number / len(self.ends)

    def summary(self, number: int) -> dict[str, Any]:
        now = self.clock()
        self.unseen.discard(number)
        if self.quiet is None and (not self.unseen or now - self.begun > LONGEST):
            self.quiet = now
        end = math.inf if self.quiet is None else self.quiet + QUIET + self.ends[number]
        told = {
            "TransformJobName": f"job-{number}",
            "TransformJobArn": f"{ARN}job-{number}",
            "CreationTime": self.created(number),
            "TransformJobStatus": "InProgress" if now < end else "Completed",
        }
        return told | ({"TransformEndTime": end} if now >= end else {})

    def told(self) -> dict[str, Any]:
        quiet = self.quiet or math.inf
        return {
            "calls": len(self.calls),
            "throttled": self.throttled,
            "all_seen": None if self.unseen else quiet - self.begun,
            "quiet_calls": sum(quiet <= call < quiet + QUIET for call in self.calls) / QUIET * 60,
            "ends": quiet + QUIET,
        }


async def serve(jobs: Jobs, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        path = line.decode().split()[1]
        headers = {}
        while (header := await reader.readline()) not in {b"\r\n", b""}:
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if path == "/begin":
            jobs.begun = jobs.clock()
            status, answer = 200, {"begun": jobs.begun}
        elif path == "/told":
            status, answer = 200, jobs.told()
        elif "x-amz-target" not in headers:
            status, answer = 404, {}  # an S3 without objects
        else:
            status, answer = jobs.answer(headers["x-amz-target"].partition(".")[2], json.loads(body))
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(text)}\r\n\r\n"
        writer.write(head.encode() + text)
        await writer.drain()
    writer.close()


async def main() -> None:
    told = json.loads(sys.stdin.readline())
    jobs = Jobs(told["ends"], told["rate"])
    server = await asyncio.start_server(lambda *link: serve(jobs, *link), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
