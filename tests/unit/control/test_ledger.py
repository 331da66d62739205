"""What is on record of attempts, and that of several who write an intent one wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.ledger import INTENT, RECORD, Ledger, default_prefix
from airflow_batchtx.errors import AccessDenied, MalformedRecord, ObjectChanged
from airflow_batchtx.spec.intent import Done, Intent, ObjectState, PinnedObject, Work
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from tests.fake_batch import IDENTITY
from tests.fakes import InMemoryStore

PREFIX = S3Uri("b", "_batchtx/")
MINE = Intent(
    job_name="nightly", attempt=1, epoch=0, identity=IDENTITY, written="2026-11-23T12:00:00.000+00:00", request={},
    work=Work(request={}, model={}, objects={}), objects=(), empty=(), left_out=0, prepared=None, rows=None,
    model_created=None, output="s3://b/out/",
)  # fmt: skip
DONE = Record(job_name="nightly", result={"status": "Completed"}, objects=(), empty=(), unexpected=())


def ledger() -> Ledger:
    return Ledger(InMemoryStore(buckets=["b"]), PREFIX)


def test_an_intent_is_read_as_it_was_written() -> None:
    mine = ledger()
    assert mine.intent("nightly") is None

    mine.announce(MINE)

    written = mine.intent("nightly")
    assert written is not None
    assert written.intent == MINE
    assert mine.intent("another") is None


def test_an_intent_is_written_once() -> None:
    mine = ledger()
    mine.announce(MINE)

    with pytest.raises(ObjectChanged):
        mine.announce(replace(MINE, epoch=1))

    written = mine.intent("nightly")
    assert written is not None
    assert written.intent == MINE


def test_another_takes_the_place_of_just_the_one_that_was_read() -> None:
    mine = ledger()
    mine.announce(MINE)
    first = mine.intent("nightly")
    mine.announce(replace(MINE, epoch=1), instead_of=first)

    with pytest.raises(ObjectChanged):
        mine.announce(replace(MINE, epoch=2), instead_of=first)

    written = mine.intent("nightly")
    assert written is not None
    assert written.intent.epoch == 1


def test_of_many_who_announce_at_once_one_wins() -> None:
    mine = ledger()

    def wins(epoch: int) -> bool:
        try:
            mine.announce(replace(MINE, epoch=epoch))
        except ObjectChanged:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(wins, range(50)))

    written = mine.intent("nightly")
    assert sum(won) == 1
    assert written is not None
    assert written.intent.epoch == won.index(True)


def test_when_an_intent_was_written_is_told_by_the_store() -> None:
    mine = ledger()
    assert mine.announced("nightly") is None

    mine.announce(MINE)

    assert mine.announced("nightly") == mine.store.stat(PREFIX / f"nightly/{INTENT}").last_modified.isoformat()  # type: ignore[union-attr]


def pinned(name: str, done: Done | None = None) -> PinnedObject:
    return PinnedObject(
        uri=f"s3://b/in/{name}", size=1, etag="e", sha256=None, target=f"s3://b/out/{name}.out", before=None, done=done
    )


def test_what_an_intent_sends_is_told_beside_it() -> None:
    mine = ledger()
    assert mine.sent("nightly") is None
    earlier = Done(job_name="before", state=ObjectState(etag="e", modified=""))

    mine.announce(replace(MINE, objects=(pinned("a"), pinned("b"), pinned("c", earlier))))

    sent, announced = mine.sent("nightly"), mine.announced("nightly")
    assert sent is not None
    assert announced is not None
    assert (sent.objects, sent.output) == (2, S3Uri.parse(MINE.output))
    assert sent.since > datetime.fromisoformat(announced)


def test_who_loses_tells_nothing() -> None:
    mine = ledger()
    mine.announce(replace(MINE, objects=(pinned("a"),)))

    with pytest.raises(ObjectChanged):
        mine.announce(MINE)

    sent = mine.sent("nightly")
    assert sent is not None
    assert sent.objects == 1


def test_a_record_is_read_as_it_was_written_and_the_last_one_counts() -> None:
    mine = ledger()
    assert mine.record("nightly") is None

    for status in ("Failed", "Completed"):
        uri = mine.conclude(replace(DONE, result={"status": status}))

    assert uri == PREFIX / f"nightly/{RECORD}"
    assert mine.record("nightly") == DONE


def test_a_manifest_lies_in_the_attempts_folder() -> None:
    mine = ledger()

    uris = [mine.put_manifest("nightly", body) for body in (b"[]", b"[1]", b"[]")]

    assert uris[0] == uris[2] != uris[1]
    assert {uri.folder for uri in uris} == {S3Uri("b", "_batchtx/nightly/")}
    assert mine.store.get(uris[0]) == b"[]"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"version": 1}', b"\xff"])
def test_what_is_no_record_is_named_and_not_taken_for_one(body: bytes) -> None:
    mine = ledger()
    for name in (INTENT, RECORD):
        mine.store.put(PREFIX / f"nightly/{name}", body)

    for read in (mine.intent, mine.record):
        with pytest.raises(MalformedRecord):
            read("nightly")


class Closed(InMemoryStore):
    """A store that lets nobody read."""

    def get(self, uri: S3Uri) -> bytes:
        raise AccessDenied(str(uri), "AccessDenied", "no")

    def stat(self, uri: S3Uri) -> StoredObject:
        raise AccessDenied(str(uri), "AccessDenied", "no")


def test_what_may_not_be_read_is_not_taken_for_absent() -> None:
    mine = Ledger(Closed(buckets=["b"]), PREFIX)

    for read in (mine.intent, mine.sent, mine.record, mine.announced):
        with pytest.raises(AccessDenied):
            read("nightly")


NAMES = st.text("ab-0", min_size=1, max_size=8)


@given(folders=st.lists(NAMES, max_size=3), name=NAMES)
def test_a_folder_leads_back_to_its_ledger(folders: list[str], name: str) -> None:
    mine = Ledger(InMemoryStore(buckets=["b"]), S3Uri("b", "".join(f"{folder}/" for folder in folders)))

    again = Ledger.of(mine.store, mine.folder(name))

    assert again.prefix == mine.prefix
    assert S3Uri.parse(str(mine.folder(name))) == mine.folder(name)


def test_attempts_lie_in_the_bucket_of_the_output_unless_a_user_says_otherwise() -> None:
    assert default_prefix(S3Uri("b", "deep/out/")) == S3Uri("b", "_batchtx/")
