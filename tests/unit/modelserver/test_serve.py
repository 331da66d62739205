from __future__ import annotations

import threading
import types
from contextlib import nullcontext
from pathlib import Path

import pytest

from airflow_batchtx.modelserver.httpserver import Reply, Request
from airflow_batchtx.modelserver.serve import answerer
from airflow_batchtx.modelserver.toolkit import HandlerModel


def echo() -> HandlerModel:
    module = types.ModuleType("inference")
    module.__dict__.update(
        model_fn=lambda _d: None, transform_fn=lambda _m, data, kind, accept: f"{data} {kind} {accept}"
    )
    return HandlerModel(module, Path("/model"), "application/json")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (Request("GET", "/ping", {}, b""), Reply(200)),
        (Request("GET", "/execution-parameters", {}, b""), Reply(404)),
        (Request("GET", "/invocations", {}, b""), Reply(404)),
        (Request("POST", "/ping", {}, b""), Reply(404)),
        (
            Request("POST", "/invocations", {"content-type": "text/csv", "accept": "a/b"}, b"1"),
            Reply(200, b"1 text/csv a/b", "a/b"),
        ),
    ],
)
def test_routes(request_: Request, reply: Reply) -> None:
    assert answerer(echo(), nullcontext())(request_) == reply


def test_an_invocation_takes_its_turn() -> None:
    turn = threading.Lock()
    seen: list[bool] = []
    module = types.ModuleType("inference")
    module.__dict__.update(model_fn=lambda _d: None, transform_fn=lambda _m, _d, _c, _a: seen.append(turn.locked()))
    answer = answerer(HandlerModel(module, Path("/model"), "a/b"), turn)
    answer(Request("POST", "/invocations", {}, b""))

    assert seen == [True]
    assert not turn.locked()
