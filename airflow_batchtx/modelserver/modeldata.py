"""What ModelDataUrl holds: an archive, to be unpacked safely, with the handler's code in it."""

from __future__ import annotations

import errno
import gzip
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, cast

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract


class Readable(Protocol):
    """A stream of bytes, read in order."""

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes, none at the end."""


def unpack(archive: Readable, target: Path) -> None:
    """Unpack a model.tar.gz below `target`, in one pass; InvalidModelData where it is none, or points outside.

    Owners and permission bits that no data needs are dropped. What was unpacked before an error stays.
    """
    try:
        with gzip.GzipFile(fileobj=cast("IO[bytes]", archive)) as plain:
            with tarfile.open(fileobj=plain, mode="r|") as members:
                for member in members:
                    members.extract(member, target, **_SAFELY) if _SAFELY else _extract(members, member, target)
            while plain.read(1 << 20):
                """The checksum stands at the very end."""
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise _unfit(error) from error
    except OSError as error:
        if error.errno in _BAD_NAMES:
            raise _unfit(error) from error
        raise


def _unfit(error: Exception) -> errors.InvalidModelData:
    return errors.InvalidModelData(f"ModelDataUrl is not a tar.gz that can be unpacked: {error}")


# What the file system says of members' names; whatever else it says is the machine's trouble, not the archive's.
_BAD_NAMES = frozenset({errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ})


# Python has the filter since 3.10.12 and 3.11.4.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Extract as the data filter does, but refuse links of any kind."""
    member.name = member.name.lstrip("/")
    check(member)
    members.extract(member, target, set_attrs=False)


def check(member: tarfile.TarInfo) -> None:
    """Refuse what is no plain file or folder below the target: for Pythons without the data filter."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise tarfile.ExtractError(f"{member.name!r} is not a plain file or folder inside the archive")


def program(model_dir: Path, environment: Mapping[str, str]) -> Path:
    """Find the handler's module in an unpacked model; InvalidModelData where it is not there."""
    name = environment.get(contract.PROGRAM, contract.DEFAULT_PROGRAM).removesuffix(".py")
    path = model_dir / contract.CODE_FOLDER / f"{name}.py"
    if not path.is_file():
        wanted = path.relative_to(model_dir).as_posix()
        found = ", ".join(sorted(item.name for item in model_dir.iterdir())[:10]) or "nothing"
        raise errors.InvalidModelData(
            f"There is no {wanted} in the model's archive, which holds {found}. Put the handler there "
            f"(model_fn, predict_fn, ...), or name its file in {contract.PROGRAM}."
        )
    return path
