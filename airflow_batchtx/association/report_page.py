"""A report as one HTML page that needs nothing else: no script, no font and no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files

from airflow_batchtx.association.distributions import Distribution, Numbers, Texts
from airflow_batchtx.association.drawings import histogram, share, timeline
from airflow_batchtx.association.report import Report
from airflow_batchtx.spec.associated import Part
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.result import TransformResult

# Parts that are listed; the manifest has all of them.
PARTS = 200


def page(report: Report) -> str:
    """Write the page."""
    title = f"Scored table {report.output}"
    body = "\n".join(
        (_head(report), _figures(report), _job(report.result), _predictions(report), _dead(report), _parts(report))
    )
    return _PAGE.format(title=escape(title), style=_style(), body=body)


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
<footer>Written by batchtx associate, from the table's manifest and its parts.</footer>
</main>
</body>
</html>
"""


def _style() -> str:
    return files("airflow_batchtx.association").joinpath("report.css").read_text(encoding="utf-8")


# --------------------------------------------------------------------------------------------------- in and out


def _head(report: Report) -> str:
    columns, name = ", ".join(report.table.columns), report.table.job_name
    whose = f"job {name}" if name else report.result.output
    return (
        f"<h1>{escape(report.output)}</h1>\n"
        f"<p>The answers of {escape(whose)}, each beside its own row.</p>\n"
        f'<p class="faint">{_count(len(report.table.columns), "column")}: {escape(columns)}</p>'
    )


def _figures(report: Report) -> str:
    table, result = report.table, report.result
    size, dead = sum(part.bytes for part in table.parts), table.dead_rows
    missing = (result.objects or 0) - (result.objects_done or 0) if result.objects_done is not None else 0
    figures = (
        _figure(f"{table.rows:,}", "rows with their answer"),
        _figure(f"{dead:,}", "dead rows", bad=dead > 0),
        _figure(f"{missing:,}", "inputs without output", bad=missing > 0) if missing > 0 else "",
        _figure(f"{len(table.parts):,}", f"parts, {_size(size)} of {table.format}"),
    )
    rest = f" + {dead:,} dead" if dead else ""
    proof = f"{table.rows + dead:,} rows in = {table.rows:,} rows out{rest}"
    return f'<div class="figures">{"".join(figures)}</div>\n<p class="proof">{escape(proof)}</p>'


def _figure(number: str, what: str, *, bad: bool = False) -> str:
    return f'<div class="figure{" bad" * bad}"><b>{escape(number)}</b><span>{escape(what)}</span></div>'


# ------------------------------------------------------------------------------------------------------ the job


def _job(result: TransformResult) -> str:
    known: Mapping[str, object] = {
        "Status": None if result.status == JobStatus.COMPLETED else result.status,
        "Model": result.model_name or None,
        "Instances": f"{result.instance_count} x {result.instance_type}" if result.instance_type else None,
        "Cost": f"{result.cost:.4f} {result.currency} (price of {result.priced})" if result.cost is not None else None,
        "Attempts": result.attempts if result.attempts > 1 else None,
        "Input": result.input,
        "Output": result.output,
        "Record": result.record,
    }
    title = "The job" if result.job_name else "Where it is from"
    return f'<h2>{title}</h2>\n<div class="card">{_times(result)}{_pairs(known)}</div>'


def _times(result: TransformResult) -> str:
    if not result.created or result.provisioning_seconds is None or result.transform_seconds is None:
        return ""
    spans = (("wait", result.provisioning_seconds), ("bar", result.transform_seconds))
    waited, ran = _span(result.provisioning_seconds), _span(result.transform_seconds)
    ends = "".join(f"<span>{_clock(moment)}</span>" for moment in (result.created, result.ended))
    return (
        f'{timeline(spans)}\n<p class="ends">{ends}</p>\n<dl>'
        f'<dt><i class="key"></i>Provisioning</dt><dd>{waited}</dd>'
        f'<dt><i class="key run"></i>Transform</dt><dd>{ran}</dd>'
        "</dl>"
    )


def _clock(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}" if text else ""


def _span(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02.0f} s" if minutes else f"{rest:.1f} s"


# --------------------------------------------------------------------------------------------------- predictions


def _predictions(report: Report) -> str:
    cards = "\n".join(_card(one) for one in report.distributions)
    return f'<h2>Predictions</h2>\n<div class="cards">\n{cards}\n</div>' if cards else ""


def _dead(report: Report) -> str:
    if report.reasons is None or not isinstance(report.reasons.values, Texts):
        return ""
    shown = _of_texts(report.reasons.values, "reason")
    return f'<h2>Dead rows</h2>\n<div class="card"><p class="faint">They lie in {_places(report)}.</p>{shown}</div>'


def _places(report: Report) -> str:
    folders = sorted({part.uri.rpartition("/")[0] + "/" for part in report.table.dead_letters})
    return escape(", ".join(folders))


def _card(one: Distribution) -> str:
    whole = "int" in one.type
    drawn = _of_numbers(one.values, whole=whole) if isinstance(one.values, Numbers) else _of_texts(one.values)
    nulls = f", {one.nulls:,} null" if one.nulls else ""
    told = f"{escape(one.type)}, {_count(one.rows, 'row')}{nulls}"
    return f'<section class="card"><h3>{escape(one.name)}<small>{told}</small></h3>\n{drawn}</section>'


def _of_numbers(numbers: Numbers, *, whole: bool) -> str:
    values = {"Least": numbers.least, "Median": numbers.median, "Mean": numbers.mean, "Largest": numbers.largest}
    known: dict[str, object] = {name: _number(value) for name, value in values.items() if value is not None}
    known["Not finite"] = f"{numbers.odd:,}" if numbers.odd else None
    if not numbers.bars:
        return _pairs(known)
    apart = whole and numbers.bars[0].high - numbers.bars[0].low == 1
    return f"{histogram(numbers.bars, 'How many rows have which value', apart=apart)}\n{_pairs(known)}"


def _of_texts(texts: Texts, what: str = "value") -> str:
    rest = (("others", texts.others),) if texts.others else ()
    rows = (*((repr(value)[1:-1] or "(empty)", count) for value, count in texts.most), *rest)
    return _shares(rows, (what, "rows")) + _pairs({"Different": texts.different or "too many to count"})


def _shares(rows: Sequence[tuple[str, int]], titles: tuple[str, str]) -> str:
    total = sum(count for _, count in rows) or 1
    lines = (
        f'<tr><td>{escape(name)}</td><td{_RIGHT}>{count:,}</td><td class="share">{share(count / total)}</td></tr>'
        for name, count in rows
    )
    head = f'<tr><th>{titles[0]}</th><th class="number">{titles[1]}</th><th></th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"


# -------------------------------------------------------------------------------------------------------- the parts


def _parts(report: Report) -> str:
    parts = report.table.parts
    rows = "\n".join(_part(part, report.output) for part in parts[:PARTS])
    more = (
        f'<p class="faint">and {len(parts) - PARTS:,} more, which the manifest lists</p>' if len(parts) > PARTS else ""
    )
    head = "".join(f"<th{right}>{title}</th>" for title, right, _ in _COLUMNS)
    return (
        f'<h2>Parts</h2>\n<details class="card"{"" if len(parts) > _FEW else " open"}>'
        f"<summary>{_count(len(parts), 'part')}</summary>\n"
        f'<div class="wide"><table><thead><tr><th>part</th>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
        f"{more}</details>"
    )


# So many parts are shown at once.
_FEW = 12
_RIGHT = ' class="number"'
# Titles, where cells stand, and what a part has in them.
_COLUMNS: Sequence[tuple[str, str, Callable[[Part], str]]] = (
    ("rows", _RIGHT, lambda part: f"{part.rows:,}"),
    ("bytes", _RIGHT, lambda part: f"{part.bytes:,}"),
    ("input", "", lambda part: part.input),
    ("answered by", "", lambda part: part.output),
    ("sha256", ' class="sum"', lambda part: part.sha256[:12]),
)


def _part(part: Part, folder: str) -> str:
    cells = "".join(f"<td{right}>{escape(told(part))}</td>" for _, right, told in _COLUMNS)
    return f"<tr><td>{escape(part.uri.removeprefix(folder))}</td>{cells}</tr>"


# ------------------------------------------------------------------------------------------------------- wording


def _pairs(known: Mapping[str, object]) -> str:
    told = (f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in known.items() if value is not None)
    return f"<dl>{''.join(told)}</dl>"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def _number(value: float) -> str:
    return f"{value:,.6g}"


def _size(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GB"
