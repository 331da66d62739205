"""Step Functions as moto interprets it, with an engine for its SageMaker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

from tests.conftest import announced_url
from tests.engines import client_of

ROLE = "arn:aws:iam::123456789012:role/states"
SAGEMAKER = "SageMaker."


class _Switch(BaseHTTPRequestHandler):
    """Sends calls of SageMaker to the engine and all others to moto; both by the target that the call names."""

    protocol_version = "HTTP/1.1"
    targets: dict[str, str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.targets["engine" if self.headers.get("X-Amz-Target", "").startswith(SAGEMAKER) else "moto"]
        request = urllib.request.Request(target + self.path, body, dict(self.headers.items()), method="POST")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                self.reply(answer.status, answer.headers, answer.read())
        except HTTPError as refusal:
            self.reply(refusal.code, refusal.headers, refusal.read())

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name in ("Content-Type", "x-amzn-RequestId", "x-amzn-ErrorType"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@dataclass(frozen=True)
class StepFunctions:
    """moto's Step Functions, whose state machines are really run."""

    url: str

    @property
    def client(self) -> Any:
        return client_of("stepfunctions", self.url)

    def other(self, service: str) -> Any:
        return client_of(service, self.url)

    def run(self, definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Run a new state machine to its end, and describe the execution."""
        made = self.client.create_state_machine(
            name=f"machine-{uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=ROLE
        )
        started = self.client.start_execution(
            stateMachineArn=made["stateMachineArn"], name=uuid4().hex, input=json.dumps(given)
        )
        return self.ended(started["executionArn"])

    def ended(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (found := self.client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return dict(found)

    def states(self, arn: str) -> list[str]:
        """Name the states that an execution went through."""
        events = self.client.get_execution_history(executionArn=arn)["events"]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


@contextmanager
def step_functions(engine: str) -> Iterator[StepFunctions]:
    """Start moto in a process of its own, with its interpreter on, and the switch that the interpreter calls."""
    targets = {"engine": engine}
    switch = ThreadingHTTPServer(("127.0.0.1", 0), type("Switch", (_Switch,), {"targets": targets}))
    switch.daemon_threads = True
    threading.Thread(target=switch.serve_forever, args=(0.05,), daemon=True).start()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    # The interpreter calls whatever listens there.
    environment = {**os.environ, "MOTO_PORT": str(switch.server_port), "NO_PROXY": "localhost,127.0.0.1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        try:
            targets["moto"] = url = announced_url(server.stderr)
            interpreted = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
            headers = {"Content-Type": "application/json"}
            asked = urllib.request.Request(f"{url}/moto-api/config", interpreted, headers)
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked).close()
            yield StepFunctions(url)
        finally:
            server.terminate()
            switch.shutdown()
            switch.server_close()
