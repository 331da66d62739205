"""Options that several commands have, in groups: a parameter of a group's type stands for all of its options."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, get_type_hints

import typer

from airflow_batchtx.cli.optioned import Table
from airflow_batchtx.spec import policy
from airflow_batchtx.spec.policy import OnChanged, OnEmpty, OnExisting, OnQuota, OnStopped, Verify

Command = Callable[..., None]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def seconds(text: str | float) -> float:
    """Read `90`, `90s`, `30m`, `2h` or `7d` as seconds; a default is a number already."""
    if not isinstance(text, str):
        return text
    found = _DURATION.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{text!r} is no time span: give 90s, 30m, 2h or 7d")
    return float(found[1]) * _UNITS[found[2]]


def since(text: str, now: datetime) -> datetime:
    """Read a time: a span before now (`2h`), or ISO 8601, in UTC where it does not say otherwise."""
    if _DURATION.fullmatch(text.strip()):
        return now - timedelta(seconds=seconds(text))
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # which Python 3.10 does not read
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: give 2h, 7d or 2026-11-30T08:00", param_hint="--since"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


Prepared = Annotated[
    str | None,
    typer.Option(
        "--prepared",
        metavar="FILE",
        help="What `batchtx prepare --json` printed; it takes the place of the request's input.",
        show_default=False,
    ),
]


def _panel(name: str, *flags: str, **settings: Any) -> Any:
    return typer.Option(*flags, rich_help_panel=name, **settings)


_aws = functools.partial(_panel, "AWS")
_control = functools.partial(_panel, "Job control")
_span = {"parser": seconds, "metavar": "TIME"}


@dataclass(frozen=True, slots=True)
class Aws:
    """Where AWS is, as far as boto3's own variables and files do not say."""

    region: Annotated[str | None, _aws("--region", help="The AWS Region.", show_default="boto3's")] = None
    profile: Annotated[str | None, _aws("--profile", help="A profile of ~/.aws/config.", show_default="boto3's")] = None
    endpoint_url: Annotated[
        str | None,
        _aws("--endpoint-url", help="URL of SageMaker, such as a local engine's.", show_default="boto3's"),
    ] = None
    s3_endpoint_url: Annotated[str | None, _aws("--s3-endpoint-url", help="URL of S3.", show_default="boto3's")] = None
    logs_endpoint_url: Annotated[
        str | None, _aws("--logs-endpoint-url", help="URL of CloudWatch Logs.", show_default="boto3's")
    ] = None


@dataclass(frozen=True, slots=True)
class Place:
    """What is kept of jobs, and what they cost."""

    control_prefix: Annotated[
        str | None,
        _control(
            "--control-prefix",
            envvar="BATCHTX_CONTROL_PREFIX",
            help="S3 prefix of control folders.",
            show_default="_batchtx/ in the output's bucket",
        ),
    ] = None
    prices: Annotated[
        str | None,
        _control(
            "--prices", envvar="BATCHTX_PRICES", help="JSON file of prices.", show_default="those of this package"
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Control:
    """The options of job control, under the names that tasks have them by."""

    include: Annotated[
        list[str] | None, _control("--include", help="Pattern of the input objects to send, below the prefix.")
    ] = None
    exclude: Annotated[list[str] | None, _control("--exclude", help="Pattern of the input objects not to send.")] = None
    on_existing: Annotated[
        OnExisting, _control("--on-existing", help="If the job Completed already: take it, run all anew, or fail.")
    ] = OnExisting.REUSE
    on_changed: Annotated[
        OnChanged,
        _control("--on-changed", help="If input, model or request changed while it runs: go on, replace it, or fail."),
    ] = OnChanged.ADOPT
    on_empty: Annotated[OnEmpty, _control("--on-empty", help="If there is no input object: fail, or end well.")] = (
        OnEmpty.FAIL
    )
    on_quota: Annotated[
        OnQuota, _control("--on-quota", help="If a quota keeps the job out: wait for room, or fail.")
    ] = OnQuota.WAIT
    quota_timeout: Annotated[
        float, _control("--quota-timeout", help="How long to wait for room.", show_default="1d", **_span)
    ] = policy.DEFAULTS["quota_timeout"]
    on_stopped: Annotated[
        OnStopped, _control("--on-stopped", help="If somebody stops the job: fail, or take what is there.")
    ] = OnStopped.FAIL
    verify: Annotated[
        Verify, _control("--verify", help="What is proved at the end: that every input has its output, or nothing.")
    ] = Verify.OUTPUTS
    resume: Annotated[
        bool, _control("--resume/--no-resume", help="After a failed job send only what has no output yet.")
    ] = True
    max_runtime: Annotated[
        float | None, _control("--max-runtime", help="Stop the job this long after its creation.", **_span)
    ] = None
    max_cost: Annotated[
        float | None, _control("--max-cost", min=0.0, help="Stop the job once it has cost so much.")
    ] = None
    instance_types: Annotated[
        list[str] | None,
        _control("--instance-types", help="What to try, in turn, where there is no capacity for the job's type."),
    ] = None

    @property
    def options(self) -> dict[str, Any]:
        """The options as tasks take them."""
        return {name: () if value is None and name in _LISTS else value for name, value in asdict(self).items()}


_LISTS = ("include", "exclude", "instance_types")


def grouped(command: Command) -> Command:
    """Let a command take groups: typer sees the options of each in its place.

    A group is a dataclass whose fields are options, or a dictionary that is annotated with a request's own table.
    """
    hints = get_type_hints(command, include_extras=True)
    shown = list(_expanded(inspect.signature(command), hints))
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}
    tables = {name: table for name, kind in hints.items() if (table := _table(kind)) is not None}

    @functools.wraps(command)
    def called(**values: Any) -> None:
        made: dict[str, Any] = {
            name: kind(**{one.name: values.pop(one.name) for one in fields(kind)}) for name, kind in groups.items()
        }
        for name, table in tables.items():
            made[name] = table.given({option: values.pop(option) for option in table.names})
        command(**values, **made)

    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in shown}
    return called


def _expanded(signature: inspect.Signature, hints: Mapping[str, Any]) -> Iterator[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    for name, parameter in signature.parameters.items():
        kind = hints[name]
        if (table := _table(kind)) is not None:
            yield from table.parameters()
        elif is_dataclass(kind):
            inner = get_type_hints(kind, include_extras=True)
            for one in fields(kind):
                yield inspect.Parameter(one.name, keyword, default=one.default, annotation=inner[one.name])
        else:
            yield parameter.replace(annotation=kind, kind=keyword)


def _table(kind: Any) -> Table | None:
    return next((one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Table)), None)
