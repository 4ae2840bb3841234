# SPDX-License-Identifier: Apache-2.0
"""The command python3 -m grkan: what is here, which libraries serve each backend, and what is missing."""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import platform
import sys
from collections.abc import Iterator

from ._errors import Error
from ._library import check, load
from ._plan import devices, version
from ._vendors import with_hint

_MOST_TEXT = 1 << 14


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _libraries(backend: bytes) -> list[str]:
    """Which of its vendor's libraries serve a backend."""
    text = ctypes.create_string_buffer(_MOST_TEXT)
    check(load().grkan_backend_libraries(backend, text, _MOST_TEXT))
    return [with_hint(line) for line in text.value.decode(errors="replace").splitlines()]


def _why_not(backend: bytes) -> str:
    count = ctypes.c_int()
    try:
        check(load().grkan_device_count(backend, ctypes.byref(count)))
    except Error as error:
        return str(error)
    return "none of its devices can be used"


def _lines() -> Iterator[str]:
    number, commit = version()
    yield f"grkan {number} (commit {commit}): {load()._name}"
    yield (f"Python {platform.python_version()}, NumPy {_version_of('numpy')}, PyTorch {_version_of('torch')}; "
           f"{platform.platform()}")
    found = devices()
    for i in range(load().grkan_backend_count()):
        backend = load().grkan_backend_name(i)
        mine = [device for device in found if device.backend == backend.decode()]
        yield f"{backend.decode()}:"
        for device in mine:
            yield f"    {device.selector}: {device.name}, {device.architecture}, {device.driver}"
        try:
            libraries = _libraries(backend)
        except Error:  # for want of the backend, which the next line says
            libraries = []
        if not mine:
            yield f"    {_why_not(backend)}"
        yield from (f"    {line}" for line in libraries)


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(
        prog="python3 -m grkan",
        description="Tell the versions of grkan and of what it works with, which libraries serve each backend, and its "
                    "devices, or why it has none and what to install.",
        epilog="Exit status: 0 good; 1 grkan's library does not load; 2 bad usage.").parse_args(arguments)
    try:
        for line in _lines():
            print(line)
    except Error as error:
        print(f"grkan: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
