"""TFRecord: length, checksum of the length, payload, checksum of the payload; little-endian.

The length's checksum is verified, since a wrong length ruins everything behind it; the payload's is left to the model.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records.batching import Framing

_HEADER = struct.Struct("<QI")
_LENGTH_BYTES = 8
_FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8  # TensorFlow stores checksums rotated by 15 bits plus this


def last_end(held: bytes, room: int, ended: bool) -> int:  # noqa: ARG001  (the framing is explicit)
    """Give the end of the last record that is whole."""
    end, stop = 0, min(room, len(held))
    while end + _HEADER.size <= stop:
        after = end + _HEADER.size + _length(held, end) + _FOOTER_BYTES
        if after > stop:
            break
        end = after
    return end


def records(piece: bytes) -> Iterator[bytes]:
    """Give the payloads, without lengths and checksums."""
    at = 0
    while at < len(piece):
        size = _length(piece, at)
        at += _HEADER.size
        yield piece[at : at + size]
        at += size + _FOOTER_BYTES


FRAMING = Framing("TFRecord", last_end, records, overhead=_HEADER.size + _FOOTER_BYTES)


def masked_crc32c(data: bytes) -> int:
    """Give TensorFlow's checksum of `data`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _length(held: bytes, at: int) -> int:
    size, checksum = _HEADER.unpack_from(held, at)
    if masked_crc32c(held[at : at + _LENGTH_BYTES]) != checksum:
        raise MalformedRecord("A TFRecord's length does not have its checksum: the data is damaged or not TFRecord")
    return int(size)


def _crc32c_of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC32C = tuple(map(_crc32c_of_byte, range(256)))
