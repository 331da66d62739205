"""`batchtx check`: what will go wrong with jobs, before there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_batchtx.cli import showing
from airflow_batchtx.cli.connection import Connection
from airflow_batchtx.cli.dags import Contents, Named
from airflow_batchtx.control.checking import Account, Findings, offline, online, reachable
from airflow_batchtx.errors import InvalidInput, Problem, in_brief

_LATER = Problem("job", None, "is only known when the task runs", "It is checked then, before anything is paid for.")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one job."""

    name: str
    findings: Findings


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of all jobs of a file, and of the file itself (`broken`).

    `asked` tells whether AWS was asked, and `why_not` why it was not.
    """

    file: str
    jobs: Sequence[Checked]
    asked: bool
    why_not: str = ""
    broken: Sequence[Problem] = ()

    @property
    def wrong(self) -> bool:
        """Tell whether there is any problem."""
        return bool(self.broken) or any(one.findings.problems for one in self.jobs)

    @property
    def found(self) -> Sequence[tuple[str, str, Problem]]:
        """Everything that was found, problems of a job before its doubts: job, kind and what it is."""
        whole = Checked(self.file, Findings(tuple(self.broken), ()))
        return [
            (one.name, kind, problem)
            for one in (whole, *self.jobs)
            for kind, problems in (("problem", one.findings.problems), ("doubt", one.findings.doubts))
            for problem in problems
        ]

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON."""
        return {
            "file": self.file,
            "online": self.asked,
            "why_not": self.why_not or None,
            "problems": [asdict(one) for one in self.broken],
            "jobs": [{"name": one.name, **asdict(one.findings)} for one in self.jobs],
        }


def check(contents: Contents, connect: Callable[[], Connection], *, ask: bool | None) -> Report:
    """Look at the jobs of a file. `ask` says whether to ask AWS; None: if there are credentials and it answers."""
    account, why_not = (None, "--offline") if ask is False else _account(connect, sure=bool(ask))
    jobs = [Checked(one.name, _findings(one, account)) for one in contents.jobs]
    return Report(contents.file, jobs, account is not None, why_not, contents.problems)


def _findings(one: Named, account: Account | None) -> Findings:
    if one.subject is None:
        return Findings((), (_LATER,))
    return online(one.subject, account) if account else offline(one.subject)


def _account(connect: Callable[[], Connection], *, sure: bool) -> tuple[Account | None, str]:
    """Reach AWS; where that is not sure to be wanted, give why it cannot be."""
    try:
        connection = connect()
    except InvalidInput as error:
        if sure:
            raise
        return None, error.problems[0].rule
    account = Account(services=connection.services, client=connection.client)
    if sure:
        return account, ""
    if not connection.signed:
        return None, "there are no credentials"
    miss = reachable(connection.services)
    return (account, "") if miss is None else (None, str(miss))


def show(report: Report) -> None:
    """Print what was found, in a table."""
    console = Console()
    found = report.found
    if found:
        console.print(_table(found))
    count = len(report.jobs)
    asked = "AWS was asked too" if report.asked else f"AWS was not asked: {report.why_not.rstrip('.')}"
    problems, doubts = (sum(kind == wanted for _, kind, _ in found) for wanted in ("problem", "doubt"))
    counts = ((count, "job"), (problems, "problem"), (doubts, "doubt"))
    summary = f"{', '.join(showing.counted(*pair) for pair in counts)}. {asked}."
    console.print(Text(summary, style="red" if problems else "green"), soft_wrap=True)


def _table(found: Sequence[tuple[str, str, Problem]]) -> Table:
    table, before = Table(box=None, header_style="bold", pad_edge=False), None
    for title in ("job", "", "field", "value", "rule", "remedy"):
        table.add_column(title, overflow="fold")
    for name, kind, problem in found:
        style = "red" if kind == "problem" else "yellow"
        value = "" if problem.value is None else in_brief(str(problem.value))
        shown = name if name != before else ""
        row = (Text(shown), Text(kind, style=style), *map(Text, (problem.field, value, problem.rule, problem.remedy)))
        table.add_row(*row)
        before = name
    return table
