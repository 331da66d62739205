"""Which objects a job would read, and what it costs to find them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.drafting import _FEW, _apart, _listed, drafted, heads, inputs_of, outputs_below
from airflow_batchtx.errors import BucketNotFound, EmptyInput, InvalidJob, InvalidManifest, MalformedRecord
from airflow_batchtx.planning.selection import InputSet
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST
from tests.fakes import InMemoryStore


class Counting(InMemoryStore):
    """Counts listings, and the objects that they gave."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__({f"s3://b/{key}": b"1\n" for key in keys}, buckets=["b"])
        self.listings = self.given = 0

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        self.listings += 1
        for one in super().objects(prefix):
            self.given += 1
            yield one


def request(**members: Any) -> wire.Request:
    made = wire.copied(REQUEST)
    for name, value in members.items():
        wire.put(made, BY_NAME[name].path, value)
    return made


def names(inputs: InputSet) -> list[str]:
    return [one.uri.key for one in inputs.chosen]


# ----------------------------------------------------------------------------------------------- many prefixes

# Keys of few letters cover each other often; S3 sorts by UTF-8, which these letters tell from other orders.
KEYS = st.text("a/b_é￿\U0001f600", min_size=1, max_size=4)
PREFIXES = st.lists(st.text("a/b_é￿\U0001f600", max_size=3), min_size=1, max_size=60)


@given(keys=st.sets(KEYS, max_size=60), prefixes=PREFIXES)
def test_every_object_below_any_prefix_is_found_once(keys: set[str], prefixes: list[str]) -> None:
    store = Counting(sorted(keys))

    found = [one.uri.key for one in _listed(store, [S3Uri("b", prefix) for prefix in prefixes])]

    assert len(found) == len(set(found))
    assert set(found) == {key for key in keys if any(key.startswith(prefix) for prefix in prefixes)}
    assert store.listings <= _FEW


@given(prefixes=PREFIXES)
def test_prefixes_are_apart_if_none_covers_another_and_together_they_cover_the_same(prefixes: list[str]) -> None:
    asked = [S3Uri("b", prefix) for prefix in prefixes]

    apart = _apart(asked)

    assert apart == sorted(apart)
    assert set(apart) == {
        one for one in asked if not any(other.covers(one) for other in asked if other != one)
    }  # fmt: skip


def test_few_objects_are_asked_for_one_by_one_and_many_in_one_listing_of_their_folder() -> None:
    store = Counting([f"in/day={day:03}/part" for day in range(200)] + [f"elsewhere/{number}" for number in range(99)])

    few = list(_listed(store, [S3Uri("b", f"in/day={day:03}/part") for day in range(_FEW)]))
    assert (len(few), store.listings, store.given) == (_FEW, _FEW, _FEW)

    many = list(_listed(store, [S3Uri("b", f"in/day={day:03}/part") for day in range(0, 200, 2)]))
    assert (len(many), store.listings, store.given) == (100, _FEW + 1, _FEW + 200)


# ------------------------------------------------------------------------------------------------ prepared shards


class TestPreparedShards:
    MANIFEST = "s3://b/prepared/manifest.json"

    def prepared(self, store: InMemoryStore, *shards: str) -> PreparedInput:
        kinds = {"content_type": "text/csv", "split_type": "Line"}
        manifest = PreparedManifest(
            input="s3://b/prepared/shards/", columns=("x",), kept={}, source=(), **kinds,
            shards=tuple(
                Shard(uri=f"s3://b/prepared/shards/{name}", rows=1, bytes=2, sha256=name * 3, kept=None)
                for name in shards
            ),
        )  # fmt: skip
        store.put(S3Uri.parse(self.MANIFEST), manifest.to_json())
        return PreparedInput(
            input=manifest.input, manifest=self.MANIFEST, assemble_with="Line", shards=len(shards), rows=1, **kinds
        )

    def inputs(self, store: InMemoryStore, prepared: PreparedInput, **policy: Any) -> InputSet:
        return inputs_of(store, request(input=prepared.input), (prepared,), Policy(**policy))

    def test_are_all_that_the_job_reads_and_bring_their_sums(self) -> None:
        store = Counting(["prepared/shards/", "prepared/shards/a", "prepared/shards/b", "prepared/kept/a"])

        found = self.inputs(store, self.prepared(store, "a", "b"))

        assert [(one.uri.name, one.sha256) for one in found.chosen] == [("a", "aaa"), ("b", "bbb")]
        assert (found.exact, found.left_out, found.base) == (True, 0, S3Uri("b", "prepared/shards/"))

    def test_keep_strangers_out(self) -> None:
        store = Counting(["prepared/shards/a", "prepared/shards/b", "prepared/shards/c", "prepared/shards/old/d"])

        found = self.inputs(store, self.prepared(store, "a", "b"))

        assert [one.uri.name for one in found.chosen] == ["a", "b"]
        assert (found.exact, found.left_out) == (False, 2)

    def test_that_are_gone_are_all_named(self) -> None:
        store = Counting(["prepared/shards/b"])

        with pytest.raises(InvalidJob) as caught:
            self.inputs(store, self.prepared(store, "c", "b", "a"))

        assert [problem.value for problem in caught.value.problems] == [
            "s3://b/prepared/shards/a", "s3://b/prepared/shards/c",
        ]  # fmt: skip

    def test_that_were_written_anew_are_named(self) -> None:
        store = Counting(["prepared/shards/a", "prepared/shards/b"])
        store.put(S3Uri("b", "prepared/shards/b"), b"other rows")

        with pytest.raises(InvalidJob, match="has changed since it was prepared"):
            self.inputs(store, self.prepared(store, "a", "b"))

    def test_are_not_guessed_where_the_manifest_is_none(self) -> None:
        store = Counting(["prepared/shards/a"])
        prepared = self.prepared(store, "a")
        store.put(S3Uri.parse(self.MANIFEST), b"{}")

        with pytest.raises(MalformedRecord):
            self.inputs(store, prepared)


# ---------------------------------------------------------------------------------------------- a user's manifest


class TestAUsersManifest:
    def inputs(self, store: InMemoryStore, *entries: Any, **policy: Any) -> InputSet:
        store.put(S3Uri("b", "manifest.json"), json.dumps(entries).encode())
        asked = request(input="s3://b/manifest.json", s3_data_type="ManifestFile")
        return inputs_of(store, asked, (), Policy(**policy))

    def test_names_just_what_is_read(self) -> None:
        store = Counting(["in/1/a", "in/1/ab", "in/2/b", "in/2/c"])

        found = self.inputs(store, {"prefix": "s3://b/in/"}, "2/b", "1/a", "2/b")

        assert (names(found), found.base) == (["in/1/a", "in/2/b"], S3Uri("b", "in/"))
        # Users write their manifests anew: what is sent is a manifest of this attempt's own, of one object too.
        assert not found.exact
        assert not self.inputs(store, {"prefix": "s3://b/in/"}, "1/a").exact

    def test_has_outputs_below_its_own_prefix_however_deep_its_objects_lie(self) -> None:
        store = Counting(["in/1/a", "in/1/b"])

        assert self.inputs(store, {"prefix": "s3://b/in/"}, "1/a", "1/b").base == S3Uri("b", "in/")

    def test_may_name_what_a_prefix_would_leave_out(self) -> None:
        store = Counting(["in/_a", "in/.b"])

        assert names(self.inputs(store, {"prefix": "s3://b/in/"}, "_a", ".b")) == ["in/.b", "in/_a"]

    def test_is_narrowed_by_patterns(self) -> None:
        store = Counting(["in/a.csv", "in/b.csv", "in/c.json"])

        found = self.inputs(
            store, {"prefix": "s3://b/in/"}, "a.csv", "b.csv", "c.json", include=("*.csv",), exclude=("b*",)
        )

        assert (names(found), found.left_out) == (["in/a.csv"], 2)

    def test_that_names_what_is_not_there_is_refused_with_all_of_it(self) -> None:
        store = Counting(["in/a", "in/bb"])

        with pytest.raises(InvalidJob) as caught:
            self.inputs(store, {"prefix": "s3://b/in/"}, "c", "a", "b")

        assert [problem.value for problem in caught.value.problems] == ["s3://b/in/c", "s3://b/in/b"]

    def test_of_many_objects_costs_one_listing(self) -> None:
        store = Counting([f"in/{number}" for number in range(500)])

        found = self.inputs(store, {"prefix": "s3://b/in/"}, *map(str, range(0, 500, 5)))

        assert (len(found.chosen), store.listings) == (100, 1)

    def test_that_is_none_is_refused(self) -> None:
        with pytest.raises(InvalidManifest):
            self.inputs(Counting([]), {"prefix": "s3://b/in/"})


# --------------------------------------------------------------------------------------------------- what else


def test_a_prefix_is_raw_text_and_a_list_of_prefixes_is_read_below_their_common_folder() -> None:
    store = Counting(["in/day1", "in/day1x/a", "in/day2/a", "in/day3/a"])

    def inputs(source: Any) -> InputSet:
        return inputs_of(store, request(input=source), (), Policy())

    assert names(inputs("s3://b/in/day")) == ["in/day1", "in/day1x/a", "in/day2/a", "in/day3/a"]
    assert names(inputs("s3://b/in/day1")) == ["in/day1"]
    several = inputs(["s3://b/in/day3/", "s3://b/in/day2/a"])
    assert (names(several), several.base, several.exact) == (["in/day2/a", "in/day3/a"], S3Uri("b", "in/"), False)


def test_without_input_the_error_says_what_was_there() -> None:
    world = World({"s3://b/in/empty": b"", "s3://b/in/_hidden": b"1\n", "s3://b/in/b.txt": b"1\n"})

    with pytest.raises(EmptyInput) as caught:
        drafted(world.services, request(input=["s3://b/in/", "s3://b/none/"]), (), Policy(exclude=("in/*.txt",)))

    assert (caught.value.uri, caught.value.empty, caught.value.left_out) == ("s3://b/in/, s3://b/none/", 1, 2)


def test_a_draft_knows_how_the_output_prefix_looks() -> None:
    world = World()
    world.put("s3://b/out/a.csv.out", b"old")
    world.put("s3://b/outside/a.csv.out", b"old")

    draft = drafted(world.services, request(), (), Policy())

    assert list(draft.outputs) == ["s3://b/out/a.csv.out"]
    assert draft.model == world.batch.model
    assert list(draft.work.objects) == [f"s3://b/in/{name}.csv" for name in "abc"]


def test_an_output_prefix_that_cannot_be_listed_is_no_empty_one() -> None:
    with pytest.raises(BucketNotFound):
        outputs_below(InMemoryStore(), S3Uri("b", "out/"))


@pytest.mark.parametrize(
    ("members", "lengths"),
    [
        ({"split_type": "Line"}, [64 * 1024, 4]),
        ({"split_type": "Line", "compression_type": "None"}, [64 * 1024, 4]),
        ({"split_type": "Line", "compression_type": "Gzip"}, []),
        ({"split_type": "RecordIO"}, []),
        ({}, []),
    ],
)
def test_the_first_bytes_of_the_first_lines_are_sampled(members: dict[str, str], lengths: list[int]) -> None:
    store = InMemoryStore({"s3://b/in/a": b"1\n" * 100_000, "s3://b/in/b": b"1,2\n", "s3://b/in/c": b"1\n"})
    asked = request(**members)

    found = heads(store, asked, inputs_of(store, asked, (), Policy()))

    assert [len(head) for head in found] == lengths
