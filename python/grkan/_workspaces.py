# SPDX-License-Identifier: Apache-2.0
"""Workspaces between calls. A call takes one and gives it back; one of a stream serves any thread that uses it next."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

Memory = TypeVar("Memory")

MOST_STREAMS = 64  # that are remembered; those that were used last
MOST_FREE = 8  # of one stream (or of the cpu): as many calls can be under way at the same time without a new one

_PER_THREAD_STREAM = 2  # CUDA's and ROCm's handle for a default stream that each thread has its own of


class Workspaces(Generic[Memory]):
    """The workspaces that no call uses, for each device and stream.

    A call that is enqueued later on the same stream runs after those before it, so that a workspace may be given back
    as soon as its call is enqueued. Each completed call leaves it as it must be found; one that has failed may not, and
    its workspace is not given back. No lock: each step on a dict or list is atomic, and what two threads can do to each
    other between them is to forget a workspace.
    """

    def __init__(self) -> None:
        self._free: dict[Hashable, list[tuple[int, Memory]]] = {}  # in the order of last use

    @staticmethod
    def place(device: Hashable, stream: int) -> Hashable:
        """Where calls run one after the other."""
        return (device, stream) if stream != _PER_THREAD_STREAM else (device, stream, threading.get_ident())

    def take(self, place: Hashable, size: int) -> Memory | None:
        """A workspace of at least size bytes; None if there is none: then make one."""
        free = self._free.pop(place, None)
        if free is None:
            return None
        self._free[place] = free  # used last
        try:
            found, memory = free.pop()
        except IndexError:
            return None
        return memory if found >= size else None  # a smaller one is not kept

    def give(self, place: Hashable, size: int, memory: Memory) -> None:
        """Give back a workspace of size bytes, after a call that has completed or is enqueued."""
        free = self._free.get(place)
        if free is None:
            free = self._free[place] = []
            for oldest in list(self._free)[:-MOST_STREAMS]:
                self._free.pop(oldest, None)
        if len(free) < MOST_FREE:
            free.append((size, memory))
