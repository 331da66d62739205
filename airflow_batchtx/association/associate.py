"""Makes one proved table of rows and predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeAlias

from airflow_batchtx.association import dead_letters
from airflow_batchtx.association.columns import Columns, columns_of
from airflow_batchtx.association.gathering import gathered
from airflow_batchtx.association.pairing import Pair, by_name, prepared
from airflow_batchtx.association.parts import Task, Written, dead_uri, part_uri, write
from airflow_batchtx.association.per_folder import apart, is_in, of_folder, summed
from airflow_batchtx.association.place import Place, claimed, refuse_overlaps, refuse_wholes
from airflow_batchtx.association.processes import Opener, Processes
from airflow_batchtx.association.publishing import Publication, Whole, digest_of
from airflow_batchtx.association.reading import planned
from airflow_batchtx.association.recorded import by_record, recorded
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.association.shares import Shared, share_uri
from airflow_batchtx.association.writing import FAIL
from airflow_batchtx.errors import InvalidInput, Problem, StaleOutput, TypeTooNarrow, refuse
from airflow_batchtx.spec.associated import AssociatedManifest, AssociatedOutput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

log = logging.getLogger(__name__)

# Is told how many bytes of answers are in the table, of all.
Progress: TypeAlias = Callable[[int, int], None]
Spread: TypeAlias = Callable[[Sequence[Task]], Generator[Written, None, None]]


def associate(
    store: ObjectStore,
    request: AssociateRequest,
    *,
    progress: Progress | None = None,
    opener: Callable[[], Opener] | None = None,
) -> AssociatedOutput:
    """Write one part for each input object, or for each of its partitions, then `_manifest.json`, then `_SUCCESS`.

    Objects that are one record each make parts of many rows.

    Every row stands beside its own answer: the pairs are proved by the job's record, or else by name and time, and by
    count, before anything is published; StaleOutput says that they have changed meanwhile. Rows that have no place in
    the table lie in `_dead_letters/`, at most `max_dead` of them; no row is lost: rows in are rows of the table and
    dead ones. `_SUCCESS` of an earlier run goes first, and its parts with it; after an error nothing is left, but the
    dead letters after TooManyDeadLetters. Only what an earlier run says that it wrote is removed: whatever else stands
    in the way is refused, and nothing is touched. The same rows and answers give the same bytes, in one process or
    several, by one task or in shares. Memory does not grow with the data.

    With `table_per` each folder of the inputs has such a table of its own, and those of other folders, which an earlier
    run may have written, stay. All pairs are proved before the first table is touched; an error in one of them leaves
    those before it.

    `progress` is told after each input object. `opener` gives, each time it is asked, what opens the same store in
    another process; without it there is one process only.
    """
    paired = _pairs(store, request)
    if not request.table_per:
        return _associated(store, request, paired, progress, opener)
    parted = apart(request, paired)
    refuse_wholes(store, request, (one.folder or "" for one, _ in parted))
    total, done, tables = _size(paired), 0, []
    for one, mine in parted:
        further = progress and partial(_further, progress, done, total)
        tables.append(_associated(store, one, mine, further, opener))
        done += _size(mine)
    return summed(request, tables)


def _size(paired: Iterable[Pair]) -> int:
    return sum(pair.size for pair in paired)


def _further(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def _associated(
    store: ObjectStore,
    request: AssociateRequest,
    paired: tuple[Pair, ...],
    progress: Progress | None,
    opener: Callable[[], Opener] | None,
) -> AssociatedOutput:
    """Write one table."""
    work = digest_of(store, request, paired)
    marks = (request.error_member,) if request.error_member else ()
    columns = columns_of(request, planned(store, request, paired, marks))
    refuse(InvalidInput, "associate", _named_twice(request, columns))
    # Where rows may be dead letters, each object has those of its own.
    parted = paired if dead_letters.can_be(request) else gathered(paired, request.result)
    publication = _publication(claimed(store, request, frozenset(_addresses(request, len(parted)))), work)
    publication.announce(store)
    try:
        publication.begin(store)
        with _writers(store, request, parted, opener) as spread:
            table = _table(request, work, *_written(request, parted, columns, spread, progress))
        _refuse_changed(store, request, work)
        publication.publish(store, table)
    except BaseException as error:
        publication.give_up(store, error)
        raise
    log.info("%d rows of %d inputs stand beside their predictions in %s", table.rows, len(paired), request.output)
    return AssociatedOutput(
        output=str(request.output),
        manifest=str(request.manifest),
        rows=table.rows,
        parts=len(table.parts),
        columns=tuple(table.columns),
        job_name=request.result.job_name,
        dead_rows=table.dead_rows,
        dead_letters=str(request.dead_letters) if table.dead_rows else None,
        share=str(request.share) if request.share else None,
    )


def _pairs(store: ObjectStore, request: AssociateRequest) -> tuple[Pair, ...]:
    record, manifest = recorded(store, request.result), prepared(store, request.result)
    refuse_overlaps(request, manifest, record)
    if record is None:
        return tuple(pair for pair in by_name(store, request.result, manifest) if is_in(request, pair.source))
    read, shards = of_folder(request, record, manifest)
    return by_record(store, request.result, read, shards, all_answered=request.on_missing == FAIL)


def _named_twice(request: AssociateRequest, columns: Columns) -> Iterator[Problem]:
    """Find columns that readers of folders would have twice."""
    for name in request.table_per:
        if name in columns.schema.names:
            rule = "is a column, and stands in the names of folders as well"
            yield Problem("table_per", name, rule, "Keep it under another name, or not at all.")


def _refuse_changed(store: ObjectStore, request: AssociateRequest, work: str) -> None:
    """Raise StaleOutput where something was written anew while it was read: rows may stand beside others' answers."""
    if digest_of(store, request, _pairs(store, request)) != work:
        raise StaleOutput(request.result.output, "or what it answers has changed while it was read; associate it again")


def _addresses(request: AssociateRequest, count: int) -> Iterator[S3Uri]:
    """Yield where the table's objects will lie, as far as that is known before."""
    for number in range(count):
        if not request.partition_by:
            yield part_uri(request, number)
        if dead_letters.can_be(request):
            yield dead_uri(request, number)
    for share in request.share.all() if request.share else ():
        yield share_uri(request, share)


def _publication(place: Place, work: str) -> Publication:
    share = place.request.share
    return Shared(place, share, work) if share else Whole(place)


# ------------------------------------------------------------------------------------------------------ the parts


@contextmanager
def _writers(
    store: ObjectStore, request: AssociateRequest, parted: Sequence[Pair], opener: Callable[[], Opener] | None
) -> Iterator[Spread]:
    """Give what writes tasks, here or in processes that end with this context."""
    count = min(request.processes, len(request.share.taken(parted) if request.share else parted))
    if opener is None or count < 2:
        yield lambda tasks: (write(store, task) for task in tasks)
        return
    with Processes(count, opener) as several:
        yield several.spread


def _written(
    request: AssociateRequest, parted: Sequence[Pair], columns: Columns, spread: Spread, progress: Progress | None
) -> tuple[Columns, list[Written]]:
    """Write all parts in the narrowest types; begin again where a value turns out to need wider ones."""
    tasks = [Task(request, number, pair, columns) for number, pair in enumerate(parted)]
    own = request.share.taken(tasks) if request.share else tasks
    try:
        # When this is left, by an error too, nothing is written any more.
        with closing(spread(own)) as written:
            return columns, list(_told(own, written, progress))
    except TypeTooNarrow as narrow:
        wider = columns.wider(narrow)
    return _written(request, parted, wider, spread, progress)


def _told(tasks: Sequence[Task], written: Iterable[Written], progress: Progress | None) -> Iterator[Written]:
    total, done = sum(task.pair.size for task in tasks), 0
    for task, one in zip(tasks, written, strict=True):
        done += task.pair.size
        if progress:
            progress(done, total)
        yield one


def _table(request: AssociateRequest, work: str, columns: Columns, written: Sequence[Written]) -> AssociatedManifest:
    return AssociatedManifest(
        job_name=request.result.job_name,
        format=request.format,
        columns={field.name: str(field.type) for field in columns.schema},
        predictions=columns.predictions,
        parts=tuple(part for one in written for part in one.parts),
        partition_by=request.partition_by,
        dead_letters=tuple(part for one in written for part in one.dead),
        work=work,
    )
