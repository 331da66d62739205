"""How an instance keeps its memory: one heap for all threads, whose freed buffers serve the next payloads."""

from __future__ import annotations

import ctypes

MIB = 1024 * 1024

# glibc's malloc.h: mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# The largest that glibc takes for blocks of the heap on 64 bits.
_LARGEST_BLOCK = 32 * MIB


def reuse_buffers() -> bool:
    """Keep freed payload buffers in this process; False where the C library has no such choice (musl, macOS).

    By default glibc gives each buffer of megabytes back and asks for fresh pages, which have to be faulted in one by
    one, and keeps up to eight heaps per processor. Call it before threads begin.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    choices = {_ARENA_MAX: 1, _MMAP_THRESHOLD: _LARGEST_BLOCK, _TRIM_THRESHOLD: 512 * MIB}
    taken = [mallopt(name, value) for name, value in choices.items()]
    return all(taken)
