from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from airflow_batchtx.engine.archive import unpack
from airflow_batchtx.errors import InvalidModelData
from tests.fakes import InMemoryStore

URL = "s3://bucket/model.tar.gz"


def tar(name: str, body: bytes = b"x", kind: bytes = tarfile.REGTYPE, mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(body), kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    unpack(InMemoryStore({URL: tar("code/inference.py", b"pass")}), URL, tmp_path / "model")

    assert (tmp_path / "model" / "code" / "inference.py").read_bytes() == b"pass"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        tar("a", mode="w"),
        tar("a", b"x" * 100_000)[:-40],
        tar("../evil"),
        tar("link", b"", tarfile.SYMTYPE),
        tar("device", b"", tarfile.CHRTYPE),
    ],
    ids=["empty", "text", "no gzip", "cut short", "outside", "link outside", "device"],
)
def test_what_is_no_archive(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InvalidModelData, match="Failed to extract"):
        unpack(InMemoryStore({URL: body}), URL, tmp_path / "model")
    assert not (tmp_path / "evil").exists()


def test_an_absolute_path_lands_below_the_folder(tmp_path: Path) -> None:
    unpack(InMemoryStore({URL: tar("/evil")}), URL, tmp_path / "model")

    assert (tmp_path / "model" / "evil").exists()


@pytest.mark.parametrize("store", [InMemoryStore(buckets=["bucket"]), InMemoryStore()])
def test_an_archive_that_is_not_there(tmp_path: Path, store: InMemoryStore) -> None:
    with pytest.raises(InvalidModelData, match="Failed to download"):
        unpack(store, URL, tmp_path / "model")
