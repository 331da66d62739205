"""The pages as a web server gives them: HTML without scripts, and logs as plain text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from airflow_batchtx import __version__
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.pages import logtexts, wording
from airflow_batchtx.engine.pages.jobview import LOG_LINES, MOST_TAILS, JobView
from airflow_batchtx.engine.pages.outputs import Outputs
from airflow_batchtx.engine.pages.overview import PATH, Chosen, overview, page_number
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.engine.threads import Threads

# How often a page of what still runs loads itself anew, in seconds.
REFRESH_SECONDS = 3
# How many pages are made at once; a page may wait for the S3, and no call of the API waits with it.
_AT_ONCE = 4
# Nothing of a page comes from elsewhere, and nothing in it runs.
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


_Maker = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages show: the jobs of a registry and their folders in `home`. `clock` gives epoch seconds."""

    registry: Registry
    outputs: Outputs
    home: Path
    clock: Callable[[], float]

    def routes(self) -> list[Route]:
        """Give the addresses of the pages, for a Starlette application."""
        job, threads = f"{PATH}/{{region}}/{{name}}", Threads(_AT_ONCE)
        made: Mapping[str, _Maker] = {
            PATH: self.jobs,
            job: self.job,
            f"{job}/logs": self.logs,
            f"{job}/logs/{{stream:path}}": self.log,
        }
        return [Route("/", _to_the_jobs), *(Route(path, _in(threads, make)) for path, make in made.items())]

    def jobs(self, request: Request) -> Response:
        """Answer with the list of jobs."""
        found = overview(self.registry, self.outputs, Chosen.read(request.query_params))
        return _page("jobs.html", view=found, now=self.clock())

    def job(self, request: Request) -> Response:
        """Answer with the page of a job."""
        if (job := self._job(request)) is None:
            return _missing(request)
        view = JobView(
            job=job,
            objects=self.registry.objects(job),
            tags=self.registry.tags(job.arn),
            folder=JobFolder.of(self.home, job),
            outputs=self.outputs,
            now=self.clock(),
            page=page_number(request.query_params.get("objects", "")),
        )
        return _page("job.html", view=view, now=view.now, most_tails=MOST_TAILS, log_lines=LOG_LINES)

    def logs(self, request: Request) -> Response:
        """Answer with all logs of a job."""
        if (job := self._job(request)) is None:
            return _missing(request)
        return _text(logtexts.all_pieces(self._logs(job)))

    def log(self, request: Request) -> Response:
        """Answer with one log of a job."""
        job = self._job(request)
        found = self._logs(job) if job else []
        # A name that is asked for is looked up, never made a path.
        log = next((log for log in found if log.stream == request.path_params["stream"]), None)
        return _missing(request) if log is None else _text(log.pieces())

    def _job(self, request: Request) -> Job | None:
        return self.registry.job(request.path_params["region"], request.path_params["name"])

    def _logs(self, job: Job) -> list[logtexts.Log]:
        return logtexts.found_in(JobFolder.of(self.home, job).logs)


def _in(threads: Threads, make: _Maker) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await threads.run(make, request)

    return answer


def _to_the_jobs(_: Request) -> Response:
    return RedirectResponse(PATH, HTTPStatus.FOUND)


def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("airflow_batchtx.engine.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {"moment": wording.moment, "span": wording.span, "count": wording.count}
    style = files("airflow_batchtx.engine.pages").joinpath("templates/style.css").read_text()
    found.globals |= {"style": style, "version": __version__, "refresh_seconds": REFRESH_SECONDS, "path": PATH}
    return found


_TEMPLATES = _templates()


def _page(template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(context), status, _HEADERS)


def _missing(request: Request) -> Response:
    names: Mapping[str, str] = request.path_params
    return _page("missing.html", HTTPStatus.NOT_FOUND, region=names["region"], name=names["name"])


def _text(pieces: Iterator[bytes]) -> Response:
    return StreamingResponse(pieces, headers=_HEADERS, media_type="text/plain; charset=utf-8")
