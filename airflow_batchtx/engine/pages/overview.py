"""The list of jobs, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from airflow_batchtx.engine.pages.outputs import Outputs
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final

PER_PAGE = 50
PATH = "/jobs"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a reader asks for: a status and a part of names (either may be empty), and the number of a page, from 1."""

    status: str
    name: str
    page: int

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Chosen:
        """Read the query of a URL; what makes no sense counts as not said."""
        status = query.get("status", "")
        return cls(
            status=status if status in [str(known) for known in JobStatus] else "",
            name=query.get("name", "").strip(),
            page=page_number(query.get("page", "")),
        )

    def url(self, *, status: str | None = None, page: int = 1) -> str:
        """Name the page with another status or of another number."""
        wanted = {"status": self.status if status is None else status, "name": self.name, "page": page}
        said = {name: value for name, value in wanted.items() if value not in ("", 1)}
        return f"{PATH}?{urlencode(said)}" if said else PATH


@dataclass(frozen=True, slots=True)
class Row:
    """One job of the list; `done` of `objects`, either None where it is not known."""

    job: Job
    objects: int | None
    done: int | None

    @property
    def url(self) -> str:
        """Where the job's page is."""
        return job_url(self.job)

    @property
    def share(self) -> int | None:
        """How many percent are done."""
        return share(self.done, self.objects)


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of the list."""

    chosen: Chosen
    rows: list[Row]
    counts: Mapping[JobStatus, int]

    @property
    def found(self) -> int:
        """How many jobs there are of what was asked for."""
        return self.counts[JobStatus(self.chosen.status)] if self.chosen.status else sum(self.counts.values())

    @property
    def pages(self) -> int:
        """How many pages they fill; at least one."""
        return max(1, -(-self.found // PER_PAGE))

    @property
    def first(self) -> int:
        """The number of the first row of this page, from 1."""
        return (self.chosen.page - 1) * PER_PAGE + 1

    def page_url(self, number: int) -> str:
        """Name the page of another number."""
        return self.chosen.url(page=number)

    @property
    def runs(self) -> bool:
        """Tell whether a job of this page has not ended."""
        return any(not is_final(row.job.status) for row in self.rows)


def overview(registry: Registry, outputs: Outputs, chosen: Chosen) -> Overview:
    """Make a page of the list."""
    found = registry.newest(chosen.name, chosen.status, (chosen.page - 1) * PER_PAGE, PER_PAGE)
    rows = [Row(job, objects, done) for (job, objects), done in zip(found, outputs.counts(found), strict=True)]
    return Overview(chosen, rows, registry.count_by_status(chosen.name))


def job_url(job: Job) -> str:
    """Where a job's page is."""
    return f"{PATH}/{quote(job.region, safe='')}/{quote(job.name, safe='')}"


def page_number(text: str) -> int:
    """Read the number of a page, from 1; what is none is the first."""
    return max(1, int(text)) if text.isdecimal() and len(text) < 10 else 1


def share(done: int | None, objects: int | None) -> int | None:
    """Tell how many whole percent are done; None where that is not known."""
    return None if done is None or not objects else 100 * done // objects
