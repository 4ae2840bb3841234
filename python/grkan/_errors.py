# SPDX-License-Identifier: Apache-2.0
"""The library's statuses as exceptions. Each carries the library's sentence about what was wrong."""

from __future__ import annotations


class Error(RuntimeError):
    """Something that the library refused or that failed in it."""


class InvalidArgumentError(Error, ValueError):
    """An argument is outside what is allowed."""


class NoBackendError(Error):
    """The backend is unknown, was not built, or its module does not load."""


class NoDeviceError(Error):
    """The backend works, but has no such device."""


class UnsupportedError(Error):
    """The device cannot do, or cannot promise, what was asked."""


class OutOfMemoryError(Error, MemoryError):
    """Host or device memory ran out."""


class CompileError(Error):
    """The vendor's compiler refused the kernels; the text holds its log."""


class DeviceError(Error):
    """A call of the vendor's runtime failed; the text names the call."""


class LibraryNotFoundError(Error, ImportError):
    """The shared library is not where it was expected."""


BY_STATUS: dict[int, type[Error]] = {
    -1: InvalidArgumentError,
    -2: NoBackendError,
    -3: NoDeviceError,
    -4: UnsupportedError,
    -5: OutOfMemoryError,
    -6: CompileError,
    -7: DeviceError,
}
