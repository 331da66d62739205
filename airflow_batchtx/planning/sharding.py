"""How large the shards of a table are, and how many there are at least: by what the job will do with them, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_batchtx.planning.settings import MIB, Wishes, effective
from airflow_batchtx.spec.enums import BatchStrategy

# Well over a payload of 6 MB, so that requests are full; little enough that a job of a few gigabytes has shards for
# many instances, and that a failed shard is soon done again.
LARGEST = 32 * MIB
# Shards for each instance, so that one which is slower, or begins later, does not hold up the job's end for long.
ROUNDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What is to be cut: lines of about so many bytes, how many, and the bytes of the longest one seen."""

    size: int
    count: int | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWishes:
    """What is asked for. `shard_bytes`, `shard_rows` and `min_shards` are bounds; the others are those of the job.

    None where nothing is said; `min_shards` is 1 then.
    """

    shard_bytes: int | None = None
    shard_rows: int | None = None
    min_shards: int = 1
    instance_count: int | None = None
    max_payload_in_mb: int | None = None
    max_concurrent_transforms: int | None = None
    batch_strategy: BatchStrategy | None = None

    @property
    def job_is_known(self) -> bool:
        """Tell whether anything of the job is."""
        job = self.instance_count, self.max_payload_in_mb, self.max_concurrent_transforms, self.batch_strategy
        return any(value is not None for value in job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharding:
    """A shard has at most so many bytes and rows, and there are at least so many shards; `reasons` are sentences."""

    shard_bytes: int
    shard_rows: int | None
    min_shards: int
    reasons: tuple[str, ...]


def sharding(wishes: ShardWishes, rows: Rows) -> Sharding:
    """Plan shards; what is asked for stands as it is, and what is not follows from the job.

    Where neither is known a shard has at most LARGEST bytes.
    """
    size, why_size = _size(wishes, rows)
    least = max(wishes.min_shards, wishes.instance_count or 1)
    return Sharding(
        shard_bytes=size,
        shard_rows=wishes.shard_rows,
        min_shards=least,
        reasons=(why_size, *_why_least(wishes, least), *_doubts(wishes, rows, least)),
    )


def _size(wishes: ShardWishes, rows: Rows) -> tuple[int, str]:
    if wishes.shard_bytes is not None:
        return wishes.shard_bytes, f"A shard has at most {wishes.shard_bytes:,} bytes: that was asked for."
    if not wishes.job_is_known:
        return LARGEST, f"A shard has at most {LARGEST // MIB} MiB, since nothing is known of the job."
    least, why_least = _round(wishes)
    instances = wishes.instance_count or 1
    share = rows.size // (instances * ROUNDS)
    if max(share, least) >= LARGEST:
        return LARGEST, f"A shard has at most {LARGEST // MIB} MiB, so that a failed one is soon done again."
    if share <= least:
        return least, why_least
    # Full requests: what is left of a shard goes out in one that is not.
    whole = share - share % _unit(wishes)
    why = f"that makes about {ROUNDS} for each of {instances} instances, out of about {rows.size:,} bytes"
    return whole, f"A shard has at most {whole:,} bytes: {why}."


def _round(wishes: ShardWishes) -> tuple[int, str]:
    """Give the bytes that keep all requests of an instance busy: in smaller shards some would wait, or be half full."""
    if _unit(wishes) == 1:
        return MIB, "A shard has at most 1 MiB: there is little to send, and requests are not filled up."
    concurrent = max(1, wishes.max_concurrent_transforms or 1)
    size, in_flight = _unit(wishes) * concurrent, f"{concurrent} x {_unit(wishes) // MIB} MiB of requests"
    return size, f"A shard has at most {size:,} bytes, so that {in_flight} are full."


def _unit(wishes: ShardWishes) -> int:
    """Give the bytes of a full request; 1 where requests are not filled: of single records, and of a whole stream."""
    return 1 if wishes.batch_strategy is BatchStrategy.SINGLE_RECORD else _payload(wishes) or 1


def _payload(wishes: ShardWishes) -> int | None:
    """Give the bytes of a full request, None where requests have no limit."""
    asked = Wishes(wishes.max_concurrent_transforms, wishes.max_payload_in_mb, wishes.batch_strategy)
    return effective(asked, Wishes()).max_payload


def _why_least(wishes: ShardWishes, least: int) -> Iterator[str]:
    if wishes.instance_count is not None and least == wishes.instance_count > 1:
        yield f"There are {least} shards at least: whole objects are dealt to the {least} instances."
    elif least > 1:
        yield f"There are {least} shards at least: that was asked for."


def _doubts(wishes: ShardWishes, rows: Rows, least: int) -> Iterator[str]:
    if rows.count is not None and rows.count < least:
        yield f"There are only {rows.count} rows, a shard each, and not {least} of them."
    payload = _payload(wishes)
    if rows.longest is not None and payload is not None and rows.longest > payload:
        most = f"a request of {payload // MIB} MiB"
        yield f"A row has {rows.longest:,} bytes, more than {most} takes: raise max_payload_in_mb."
