"""The handler server: `python -m airflow_batchtx.modelserver.serve --model-dir DIR`.

It serves code/inference.py of an unpacked model on loopback. As soon as it has its port it reports `{"port": N}` as
one line of JSON, then it loads the model; who connects meanwhile waits. A model that does not load is reported as
`{"error": TEXT}`, and the process ends with 1. It ends as well, with all that it started, when its standard input
does: so it never outlives its parent, however that one died.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from pathlib import Path

from airflow_batchtx.modelserver import contract, httpserver, toolkit
from airflow_batchtx.modelserver.httpserver import Reply, Request


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the parent ends or kills us; the exit status of a start that failed."""
    options = _parser().parse_args(arguments)
    _end_with_parent()
    server = httpserver.listen(options.port)
    _report(options.report_fd, {"port": server.server_port})
    if options.packages:
        sys.path.insert(0, str(options.packages))
    try:
        model = toolkit.load(options.model_dir, os.environ)
    except Exception as error:  # noqa: BLE001  # whatever a handler raises is its error, and told as such
        traceback.print_exc()
        _report(options.report_fd, {"error": f"{type(error).__name__}: {error}"})
        return 1
    httpserver.serve(server, answerer(model, _turn(os.environ)))
    return 0


def answerer(model: toolkit.HandlerModel, turn: AbstractContextManager[object]) -> httpserver.Answerer:
    """Answer by the container contract; each invocation takes its `turn`.

    There is no /execution-parameters, as in the toolkit's containers: SageMaker's defaults hold.
    """

    def ping(_request: Request) -> Reply:
        return Reply(HTTPStatus.OK)

    def invoke(request: Request) -> Reply:
        with turn:
            return model.answer(request.body, request.headers.get("content-type"), request.headers.get("accept"))

    routes = {("GET", contract.PING): ping, ("POST", contract.INVOCATIONS): invoke}

    def answer(request: Request) -> Reply:
        route = routes.get((request.method, request.path))
        return route(request) if route else Reply(HTTPStatus.NOT_FOUND)

    return answer


def _turn(environment: Mapping[str, str]) -> AbstractContextManager[object]:
    """Bound the invocations at once by the toolkit's number of workers, where it is set."""
    workers = environment.get(contract.WORKERS, "")
    return threading.BoundedSemaphore(int(workers)) if workers.isdecimal() and int(workers) else nullcontext()


def _report(fd: int, news: Mapping[str, object]) -> None:
    os.write(fd, json.dumps(news).encode() + b"\n")


def _end_with_parent() -> None:
    """Keep standard input for ourselves, give handlers an empty one, and end when the parent's end is closed."""
    kept = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def watch() -> None:
        while os.read(kept, 1024):
            """The parent says nothing."""
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serve a model's handler functions on loopback.")
    parser.add_argument("--model-dir", type=Path, required=True, help="the unpacked model.tar.gz")
    parser.add_argument("--packages", type=Path, help="a folder to import from before this Python's own")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free one")
    parser.add_argument("--report-fd", type=int, default=1, help="where to report, standard output by default")
    return parser


if __name__ == "__main__":
    sys.exit(main())
