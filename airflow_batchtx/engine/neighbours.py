"""The AWS services beside the engine: moto's server, as a process that ends with the engine.

`python -m airflow_batchtx.engine.neighbours` tells its port on standard output, as one line.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_batchtx.engine.children import Child, when_parent_ends
from airflow_batchtx.engine.config import url
from airflow_batchtx.errors import LocalEngineError

_HOST, _PORT = "BATCHTX_NEIGHBOUR_HOST", "BATCHTX_NEIGHBOUR_PORT"


@contextmanager
def moto(host: str, port: int) -> Iterator[str]:
    """Run moto's server on `port` (0: a free one); the value is its URL, which answers by then."""
    child = Child("airflow_batchtx.engine.neighbours", {_HOST: host, _PORT: str(port)})
    try:
        if (told := next(child.told(), None)) is None:
            raise LocalEngineError(f"moto's server did not start on {host}:{port}; is the port taken?")
        yield told.strip()
    finally:
        child.end()


def main() -> None:
    """Serve until standard input ends; never returns."""
    # Only this process needs moto, and it takes long to import.
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host = os.environ[_HOST]
    dispatcher = DomainDispatcherApplication(create_backend_app)
    server = make_server(host, int(os.environ[_PORT]), dispatcher, True, request_handler=MotoRequestHandler)
    when_parent_ends(lambda: os._exit(0))
    out.write(f"{url(host, server.port)}\n")
    out.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
