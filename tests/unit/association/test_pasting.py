from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.association import pasting
from airflow_batchtx.errors import AssociationError, InvalidInput, MalformedRecord, RowCountMismatch
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import OpenObject
from tests.scored import Scored

TEXT = {"score": "string"}
PART = S3Uri("b", "scored/part-00000.csv")


@pytest.mark.parametrize(
    ("rows", "answers", "expected"),
    [
        (b"a,1\nb,2\n", b"0.10\n007\n", b"a,1,0.10\nb,2,007\n"),
        (b"a,1\nb,2", b"5\n6", b"a,1,5\nb,2,6\n"),
        (b"50%,%b\n%%,%s%d\n", b"%\n%b\n", b"50%,%b,%\n%%,%s%d,%b\n"),
        ("ü,€\n😀,x\n".encode(), b"1\n2\n", "ü,€,1\n😀,x,2\n".encode()),
        (b",\n ,\t\n", b"x\n y \n", b",,x\n ,\t, y \n"),
        (b"\x01,\x7f\nb,\x0b\n", b"1\n2\n", b"\x01,\x7f,1\nb,\x0b,2\n"),
    ],
)
def test_lines_stand_behind_lines_as_they_are(rows: bytes, answers: bytes, expected: bytes) -> None:
    job = Scored([rows], [answers])
    job.associate(format="csv", input_columns=["id", "x"], predictions=TEXT)

    assert job.store.get(PART) == b"id,x,score\n" + expected


# What must be read is what a parser would not take for the lines that it looks like.
NOT_PLAIN = [
    b'a,"1"\nb,2\n',
    b"a,1\r\nb,2\r\n",
    b"a,1\n\nb,2\n",
    b"a,1\nb,2\n\n",
    b"\n",
    b"a\nb,2,3\n",
    b"a,1,2\nb\n",
    b"a,1\nb,\xff\n",
    b"a,1\nb,\0\n",
    b"\xef\xbb\xbfa,1\nb,2\n",
    b'{"a":1,"b":2}\n',
]


@pytest.mark.parametrize("body", NOT_PLAIN)
def test_lines_that_are_not_plain_are_never_pasted(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        list(pasting.plain(OpenObject(body), 2))


@pytest.mark.parametrize("body", [b"\n", b"a\n\nb\n", b"a\nb\n\n", b"a,b\n", b"[1]\n"])
def test_a_single_column_has_no_blank_lines(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        list(pasting.plain(OpenObject(body), 1))


def test_what_is_not_plain_is_read_instead() -> None:
    job = Scored([b'a,"1"\r\n"b,c",2\r\n'], [b'5\n\n"x"\n'])
    job.associate(format="csv", input_columns=["id", "x"], predictions=TEXT)

    assert job.store.get(PART) == b'id,x,score\na,1,5\n"b,c",2,x\n'


@pytest.mark.parametrize(
    ("rows", "answers", "error"),
    [
        (b"a,1\nb,2\n", b"1\n", RowCountMismatch),
        (b"a,1\nb,2\n", b"1\n2\n3\n", RowCountMismatch),
        (b"a,1\nb\n", b"1\n2\n", AssociationError),
        (b"a,1\nb,2\n", b"1\n2,3\n", AssociationError),
        (b"a,1\nb,2\n", b"1\n\xff\n", AssociationError),
    ],
)
def test_what_is_wrong_is_told_as_ever(rows: bytes, answers: bytes, error: type[AssociationError]) -> None:
    job = Scored([rows], [answers])

    with pytest.raises(error):
        job.associate(format="csv", input_columns=["id", "x"], predictions=TEXT)
    assert job.bodies() == {}


def test_kept_columns_are_written_beside_answers_that_are_not_read() -> None:
    kept = pa.table({"id": [1, 2, 3], "note": ["x", None, "a,b"]})
    job = Scored([b"x\n" * 3], [b"0.10\n1e3\n007\n"], [kept])
    job.associate(format="csv", predictions=TEXT)

    assert job.store.get(PART) == b'id,note,score\n1,x,0.10\n2,,1e3\n3,"a,b",007\n'


def test_cells_over_several_lines_are_read_instead() -> None:
    job = Scored([b"x\n" * 2], [b"1\n2\n"], [pa.table({"id": ["a\nb", "c"]})])
    job.associate(format="csv", predictions=TEXT)

    assert job.store.get(PART) == b'id,score\n"a\nb",1\nc,2\n'


def test_rows_without_kept_columns_are_numbered() -> None:
    job = Scored([b"x\n" * 2], [b"1\n2\n"])
    job.associate(format="csv", predictions=TEXT)

    uri = str(job.source(0)).encode()
    assert job.store.get(PART) == b"input_object,record,score\n%b,1,1\n%b,2,2\n" % (uri, uri)


cells = st.text(st.characters(codec="utf-8"), max_size=3) | st.sampled_from(["", "a", "1", "%", "%b", '"', ","])


@given(
    st.lists(st.tuples(cells, cells, cells), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["{},{}", '"{}",{}', "{}, {}"]),
)
def test_it_gives_the_bytes_that_reading_the_cells_gives(
    rows: list[tuple[str, str, str]], end: str, ended: bool, form: str
) -> None:
    sent = end.join(form.format(left, right) for left, right, _ in rows) + end * ended
    told = end.join(answer for _, _, answer in rows) + end * ended
    found = []
    # The type of one more column that is no text has all cells read.
    for kinds in ({"score": "string"}, {"score": "json"}):
        job = Scored([sent.encode("utf-8", "surrogatepass")], [told.encode("utf-8", "surrogatepass")])
        try:
            job.associate(format="csv", input_columns=["id", "x"], predictions=kinds)
            found.append(job.bodies("part-"))
        except (AssociationError, InvalidInput) as error:
            found.append({type(error).__name__: str(error).encode()})

    assert found[0] == found[1]


@given(st.lists(st.sampled_from([b"a,b\n", b"c,\n", b",%\n"]), max_size=400), st.integers(1, 60))
def test_lines_are_whole_whatever_is_read_at_once(lines: list[bytes], size: int) -> None:
    class Slow(OpenObject):
        def read(self, wanted: Any = -1, /) -> bytes:
            return super().read(min(wanted, size))

    found = list(pasting.plain(Slow(b"".join(lines)), 2))

    assert b"".join(text for text, _ in found) == b"".join(lines)
    assert sum(count for _, count in found) == len(lines)
    assert all(text.count(b"\n") == count for text, count in found)


def test_a_line_that_never_ends_is_not_held() -> None:
    class Endless(io.BytesIO):
        size = 0

        def read(self, wanted: Any = -1, /) -> bytes:
            self.size += wanted
            assert self.size < 2**24
            return b"x" * wanted

    with pytest.raises(MalformedRecord):
        list(pasting.plain(Endless(), 2))
