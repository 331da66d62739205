"""Writes one object to S3: in one request while it is small, else in parts; never half of it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from airflow_batchtx.errors import StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.failures import typed_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

# Amazon S3 User Guide, Multipart upload limits: at most 10,000 parts, of 5 MiB to 5 GiB each.
PART = 8 * 1024 * 1024
# Parts on their way at once; one more is being filled, so a writer holds three parts at most.
IN_FLIGHT = 2


def part_size(number: int) -> int:
    """Most bytes of part `number`, from 1: it doubles every 1,000 parts, so that 10,000 of them hold 7.8 TiB."""
    return PART << ((number - 1) // 1_000)


def whole_size(number: int) -> int:
    """Bytes from which on data goes out as part `number` just as it was written: 5.25 MiB at first.

    Less than S3 takes would fail; if all parts were as small as this, 10,000 of them would still hold 5.1 TiB.
    """
    return part_size(number) * 21 // 32


class PartedWriter:
    """An object on its way. `finish` makes it appear, `abort` leaves nothing of it.

    `patient` is the client that asks to put the parts together. S3 API Reference, CompleteMultipartUpload: that "could
    take several minutes", and S3 look-alikes copy the whole object before they answer.
    """

    def __init__(
        self,
        client: S3Client,
        uri: S3Uri,
        request: Callable[[str], dict[str, Any]],
        options: dict[str, Any],
        *,
        patient: S3Client,
    ) -> None:
        self._client, self._uri, self._request, self._options = client, uri, request, options
        self._patient = patient
        self._held = io.BytesIO()
        self._whole: bytes | None = None  # a part as it came; nothing else is held then
        self._parts: list[Future[CompletedPartTypeDef]] = []
        self._upload_id: str | None = None
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="s3-upload")

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of `data`; a part that could not be sent raises here or in `finish`."""
        if isinstance(data, bytes) and self._is_part(len(data)) and (not self._size or self._is_part(self._size)):
            self._send()
            self._whole = data
            return len(data)
        if self._whole is not None:
            self._send()
        view = memoryview(data).cast("B")
        taken = 0
        while taken < len(view):
            size = part_size(len(self._parts) + 1)
            taken += self._held.write(view[taken : taken + size - self._held.tell()])
            if self._held.tell() == size:
                self._send()
        return len(view)

    def finish(self) -> None:
        """Make the object appear."""
        if self._upload_id is None:
            with typed_errors(self._uri):
                self._client.put_object(**self._request("PutObject") | self._options, Body=self._taken())
            return
        self._send()
        parts = [part.result() for part in self._parts]
        self._pool.shutdown()
        with typed_errors(self._uri):
            self._patient.complete_multipart_upload(
                **self._request("CompleteMultipartUpload"), UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )

    def abort(self) -> None:
        """Drop every part. A failure to do so is logged: it must not hide why the writer was given up."""
        # A part that arrives after the abort would stay, and be paid for.
        self._pool.shutdown(cancel_futures=True)
        if self._upload_id is None:
            return
        try:
            with typed_errors(self._uri):
                self._client.abort_multipart_upload(**self._request("AbortMultipartUpload"), UploadId=self._upload_id)
        except StorageError as error:
            log.warning("The incomplete upload %s stays in S3 until it is aborted: %s", self._upload_id, error)

    @property
    def _size(self) -> int:
        return self._held.tell() if self._whole is None else len(self._whole)

    def _is_part(self, size: int) -> bool:
        number = len(self._parts) + 1
        return whole_size(number) <= size <= part_size(number)

    def _taken(self) -> bytes:
        """Take out what is held."""
        body = self._held.getvalue() if self._whole is None else self._whole
        self._held, self._whole = io.BytesIO(), None
        return body

    def _send(self) -> None:
        """Send what is held as a part, if there is anything."""
        if not self._size:
            return
        if self._upload_id is None:
            self._upload_id = self._begin()
        if len(self._parts) >= IN_FLIGHT:
            self._parts[-IN_FLIGHT].result()
        self._parts.append(self._pool.submit(self._upload, self._upload_id, len(self._parts) + 1, self._taken()))

    def _begin(self) -> str:
        request = self._request("CreateMultipartUpload") | self._options
        # botocore adds a CRC32 to each part by itself; S3 takes it only where the upload was announced with one.
        if getattr(self._client.meta.config, "request_checksum_calculation", None) == "when_supported":
            request.setdefault("ChecksumAlgorithm", "CRC32")
        with typed_errors(self._uri):
            return self._client.create_multipart_upload(**request)["UploadId"]

    def _upload(self, upload_id: str, number: int, body: bytes) -> CompletedPartTypeDef:
        with typed_errors(self._uri):
            answer = self._client.upload_part(
                **self._request("UploadPart"), UploadId=upload_id, PartNumber=number, Body=body
            )
        checksums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        return cast("CompletedPartTypeDef", {"PartNumber": number, "ETag": answer["ETag"], **checksums})
