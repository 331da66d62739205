"""The engine as a server: the API on one port, the jobs behind it, an S3 beside it."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_batchtx import __version__
from airflow_batchtx.engine import neighbours, protocol
from airflow_batchtx.engine.api import Api
from airflow_batchtx.engine.children import when_parent_ends
from airflow_batchtx.engine.config import EngineConfig, url
from airflow_batchtx.engine.events import state_change
from airflow_batchtx.engine.jobs import described
from airflow_batchtx.engine.logs import FileLogs
from airflow_batchtx.engine.operations import ASK_S3, OPERATIONS
from airflow_batchtx.engine.pages.outputs import Outputs
from airflow_batchtx.engine.pages.site import Site
from airflow_batchtx.engine.quotas import Quotas
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.engine.runner import Runner, Workplace
from airflow_batchtx.engine.shapes import Shapes, service_model
from airflow_batchtx.engine.stores import S3Address, s3_address
from airflow_batchtx.engine.telemetry import Telemetry
from airflow_batchtx.engine.threads import Threads
from airflow_batchtx.engine.throttle import Throttle
from airflow_batchtx.errors import LocalEngineError, RequestRefused
from airflow_batchtx.modelserver import docker
from airflow_batchtx.storage.s3 import S3Store

log = logging.getLogger(__name__)

HEALTH = "/_batchtx/health"
CALLS = "/calls"
# How long a look at the S3 may take before it counts as silent, in seconds.
_S3_SECONDS = 2.0
# How many calls of each kind are answered at once. Those that ask the S3 have threads of their own: while it is silent,
# the others must be answered all the same.
_CALLS, _CALLS_TO_S3, _LOOKS = 40, 40, 4


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running engine and its S3 answer, and what takes logs, metrics and events; None is AWS's own."""

    engine: str
    storage: str | None
    services: str | None


def serve(config: EngineConfig, ready: Callable[[Addresses], None] = lambda _: None) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` is called with the chosen addresses once the engine answers.

    Nothing that was started is left afterwards. LocalEngineError says why the engine could not start.
    """
    with ExitStack() as stack:
        stack.enter_context(_until_signal())
        stack.enter_context(_exclusive(config.home))
        listener = stack.enter_context(closing(_listener(config.host, config.port)))
        storage = stack.enter_context(_storage(config))
        own = config.s3_endpoint_url is None
        seconds = config.s3_seconds
        address = (
            S3Address(storage, config.region, made_up=True, seconds=seconds)
            if own
            else s3_address(storage, config.region, seconds)
        )
        services = s3_address(config.aws_endpoint_url, config.region) if config.aws_endpoint_url else address
        telemetry = stack.enter_context(closing(Telemetry(services.client, time.time)))

        def changed(job: Job, tags: Mapping[str, str]) -> None:
            telemetry.happened(job.region, state_change(job, described(job), tags))

        registry = stack.enter_context(closing(Registry(config.home / "registry.sqlite", time.time, changed)))
        workplace = Workplace(
            home=config.home,
            store=address.open(),
            s3=address,
            ping_seconds=config.ping_seconds,
            logs=_file_logs,
            telemetry=telemetry,
            clock=time.time,
            docker=stack.enter_context(_docker_owner(config)),
            faults=config.conditions.faults,
        )
        runner = stack.enter_context(closing(Runner(registry, workplace)))
        runner.settle_orphans()
        addresses = Addresses(url(config.host, listener.getsockname()[1]), storage, services.endpoint_url)
        api = Api(
            config.region,
            registry,
            workplace.store,
            runner,
            runs_images=config.docker,
            quotas=Quotas(config.conditions.quotas),
            throttle=Throttle(config.conditions.rate, time.monotonic),
        )
        # A page is not worth a long wait, so its S3 is given up as soon as the other services are.
        outputs = Outputs(S3Store(address.client("s3", config.region)), config.home, time.time)
        pages = Site(registry, outputs, config.home, time.time).routes()
        application = _application(api, Shapes(service_model()), addresses, pages)
        _run(application, listener, config, lambda: ready(addresses))


def _file_logs(folder: Path) -> FileLogs:
    return FileLogs(folder, time.time)


@contextmanager
def _docker_owner(config: EngineConfig) -> Iterator[str | None]:
    """Name the owner of this engine's docker containers; none of it is there before and after."""
    if not config.docker:
        yield None
        return
    owner = str(config.home.resolve())
    docker.sweep(owner, os.environ)
    try:
        yield owner
    finally:
        # A daemon that is gone has nothing left to remove.
        with suppress(LocalEngineError):
            docker.sweep(owner, os.environ)


# ------------------------------------------------------------------------------------------------ the requests


def _application(api: Api, shapes: Shapes, addresses: Addresses, pages: Sequence[Route]) -> Starlette:
    own, asking, looking = Threads(_CALLS), Threads(_CALLS_TO_S3), Threads(_LOOKS)

    async def call(request: Request) -> Response:
        headers, body = dict(request.headers), await request.body()
        _, _, name = headers.get("x-amz-target", "").partition(".")
        threads = asking if name in ASK_S3 else own
        answer = await threads.run(answered, api, shapes, headers, body)
        return Response(answer.body, answer.status, answer.headers)

    async def health(_: Request) -> Response:
        answers = await looking.run(_answers, addresses.storage)
        found = {
            "status": "ok" if answers else "no answer from the S3",
            "version": __version__,
            "engine": addresses.engine,
            "storage": addresses.storage,
            "services": addresses.services,
            "region": api.region,
        }
        return JSONResponse(found, 200 if answers else 503)

    async def calls(_: Request) -> Response:
        return JSONResponse(api.calls.counts())

    served = [Route("/", call, methods=["POST"]), Route(HEALTH, health), Route(CALLS, calls)]
    return Starlette(routes=[*served, *pages])


def answered(api: Api, shapes: Shapes, headers: dict[str, str], body: bytes) -> protocol.Answer:
    """Answer one call; `api` is the engine's own Region's, and the call may be signed for another."""
    request_id = str(uuid.uuid4())
    try:
        name = protocol.operation_name(headers, OPERATIONS)
        here = replace(api, region=protocol.region(headers, api.region))
        api.calls.note(here.region, name)
        api.throttle.admit(here.region, name)
        request = shapes.read(name, protocol.decoded(body))
        return protocol.success(OPERATIONS[name](here, request), request_id)
    except RequestRefused as error:
        return protocol.failure(error, request_id)
    except Exception:
        log.exception("%s failed", headers.get("x-amz-target"))
        return protocol.breakdown(request_id)


def _answers(endpoint_url: str | None) -> bool:
    """Tell whether an HTTP server answers, whatever it says; AWS itself is taken to."""
    if endpoint_url is None:
        return True
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(endpoint_url, timeout=_S3_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------- the server


@contextmanager
def _until_signal() -> Iterator[None]:
    """End the block on Ctrl-C and on SIGTERM alike, with all that it has to clean up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt) if _in_main_thread() else None
    try:
        yield
    except KeyboardInterrupt:
        log.info("told to end")
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _run(application: Starlette, listener: socket.socket, config: EngineConfig, ready: Callable[[], None]) -> None:
    settings = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        lifespan="off",
        # Clients poll: a connection should outlive the minute between two looks of botocore's waiter.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    server = _Server(settings, ready)
    if config.ends_with_stdin:
        when_parent_ends(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A uvicorn server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise LocalEngineError(f"The engine cannot listen on {host}:{port}: {error.strerror}.") from error
    return listener


def _storage(config: EngineConfig) -> AbstractContextManager[str | None]:
    if config.s3_endpoint_url is not None:
        return nullcontext(config.s3_endpoint_url)
    return neighbours.moto(config.host, config.s3_port)


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Keep a second engine from the same home: it would take this one's jobs for orphans."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        opened = (home / "engine.lock").open("a")
    except OSError as error:
        raise LocalEngineError(f"The engine cannot keep its jobs in {home}: {error.strerror}.") from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            detail = f"Another engine runs in {home}; end it, or give this one a home of its own."
            raise LocalEngineError(detail) from error
        yield
