from __future__ import annotations

import gzip
import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batchtx import errors
from airflow_batchtx.modelserver.modeldata import program, unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, linkname, 0o644
    return info


def archive(*members: tarfile.TarInfo, content: bytes = b"content", mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for info in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return stream.getvalue()


class OneWay:
    """A stream that can only be read on, in small pieces, as one from S3."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 1000) if size >= 0 else -1)


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    unpack(OneWay(archive(member("./model.bin"), member("code/inference.py"), content=content)), tmp_path)

    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "model.bin",
        "code/inference.py",
    }
    assert (tmp_path / "model.bin").read_bytes() == content


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(archive(member("../up")), id="above"),
        pytest.param(archive(member("a", tarfile.SYMTYPE, "/etc"), member("a/passwd")), id="link-out"),
        pytest.param(archive(member("a", tarfile.SYMTYPE, "..")), id="link-up"),
        pytest.param(archive(member("a", tarfile.LNKTYPE, "../../b")), id="hard-link"),
        pytest.param(archive(member("a", tarfile.CHRTYPE)), id="device"),
        pytest.param(archive(member("a"), mode="w"), id="tar-without-gzip"),
        pytest.param(gzip.compress(b"a,b\n" * 1000), id="gzip-without-tar"),
        pytest.param(b"PK\x03\x04 a zip", id="zip"),
        pytest.param(b"", id="empty"),
        pytest.param(archive(member("a"), content=b"x" * 100_000)[:-4], id="checksum-missing"),
        pytest.param(archive(member("a"))[:50], id="cut"),
        pytest.param(archive(member("a"), member("a/b")), id="file-as-folder"),
        pytest.param(archive(member("a" * 300)), id="name-too-long"),
    ],
)
def test_what_is_no_safe_archive_is_refused(bad: bytes, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(errors.InvalidModelData):
        unpack(OneWay(bad), tmp_path / "target")

    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive(member("a")))
    data[-6] ^= 0xFF
    with pytest.raises(errors.InvalidModelData, match="CRC"):
        unpack(OneWay(bytes(data)), tmp_path)


GOOD = gzip.decompress(archive(member("code/inference.py"), member("a/b/c"), member("l", tarfile.SYMTYPE, "a")))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), max_size=20))
def test_damage_ends_in_the_typed_error_or_inside_the_target(damage: list[tuple[int, int]], tmp_path: Path) -> None:
    data = bytearray(GOOD)
    for place, value in damage:
        data[place] = value
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)
    with suppress(errors.InvalidModelData):
        unpack(OneWay(gzip.compress(bytes(data), 1)), target)

    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_errors_of_the_stream_pass(tmp_path: Path) -> None:
    class Failing:
        def read(self, _size: int = -1, /) -> bytes:
            raise errors.AccessDenied("s3://b/model.tar.gz", "AccessDenied", "no")

    with pytest.raises(errors.AccessDenied):
        unpack(Failing(), tmp_path)


@pytest.mark.parametrize(
    ("files", "environment", "found"),
    [
        (["code/inference.py"], {}, "code/inference.py"),
        (["code/serve.py"], {"SAGEMAKER_PROGRAM": "serve.py"}, "code/serve.py"),
        (["code/serve.py"], {"SAGEMAKER_PROGRAM": "serve"}, "code/serve.py"),
    ],
)
def test_the_program_is_found(files: list[str], environment: dict[str, str], found: str, tmp_path: Path) -> None:
    unpack(OneWay(archive(*map(member, files))), tmp_path)

    assert program(tmp_path, environment) == tmp_path / found


def test_an_archive_without_a_handler_is_told_so(tmp_path: Path) -> None:
    unpack(OneWay(archive(member("inference.py"), member("model.joblib"))), tmp_path)
    with pytest.raises(errors.InvalidModelData) as raised:
        program(tmp_path, {})

    assert "no code/inference.py" in str(raised.value)
    assert "inference.py, model.joblib" in str(raised.value)
