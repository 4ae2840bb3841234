# SPDX-License-Identifier: Apache-2.0
"""The shared library as ctypes sees it: found, loaded and declared once, on first use."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_double, c_int, c_size_t, c_void_p
from pathlib import Path

from ._errors import BY_STATUS, Error, LibraryNotFoundError
from ._structs import BufferStruct, OperationStruct, OptionsStruct, PropertiesStruct
from ._vendors import library_folders, with_hint
from ._version import soname

LIBRARY_VARIABLE = "GRKAN_LIBRARY"

_SIGNATURES = {
    "grkan_status_name": (c_char_p, [c_int]),
    "grkan_last_error": (c_char_p, []),
    "grkan_version": (c_char_p, []),
    "grkan_commit": (c_char_p, []),
    "grkan_dtype_name": (c_char_p, [c_int]),
    "grkan_form_name": (c_char_p, [c_int]),
    "grkan_prologue_name": (c_char_p, [c_int]),
    "grkan_strategy_name": (c_char_p, [c_int]),
    "grkan_determinism_name": (c_char_p, [c_int]),
    "grkan_backend_count": (c_int, []),
    "grkan_backend_name": (c_char_p, [c_int]),
    "grkan_backend_libraries": (c_int, [c_char_p, c_char_p, c_size_t]),
    "grkan_add_library_folder": (c_int, [c_char_p]),
    "grkan_device_count": (c_int, [c_char_p, POINTER(c_int)]),
    "grkan_device_open": (c_int, [c_char_p, POINTER(c_void_p)]),
    "grkan_device_open_index": (c_int, [c_char_p, c_int, POINTER(c_void_p)]),
    "grkan_device_close": (None, [c_void_p]),
    "grkan_device_describe": (c_int, [c_void_p, POINTER(PropertiesStruct)]),
    "grkan_plan_create": (c_int, [c_void_p, POINTER(OperationStruct), POINTER(OptionsStruct), POINTER(c_void_p)]),
    "grkan_plan_destroy": (None, [c_void_p]),
    "grkan_plan_workspace_bytes": (c_size_t, [c_void_p]),
    "grkan_forward": (c_int, [c_void_p, c_char_p, c_void_p]),
    "grkan_backward": (c_int, [c_void_p, c_char_p, c_void_p]),
    "grkan_memory_allocate": (c_int, [c_void_p, c_size_t, POINTER(c_void_p)]),
    "grkan_memory_free": (None, [c_void_p, c_void_p]),
    "grkan_memory_upload": (c_int, [c_void_p, BufferStruct, c_void_p, c_size_t]),
    "grkan_memory_download": (c_int, [c_void_p, c_void_p, BufferStruct, c_size_t]),
    "grkan_growth_name": (c_char_p, [c_int]),
    "grkan_family_name": (c_char_p, [c_int]),
    "grkan_fit": (c_int, [c_void_p, c_void_p]),
    "grkan_function_value": (c_int, [c_char_p, c_double, c_void_p]),
    "grkan_preset_find": (c_int, [c_char_p, c_int, c_void_p]),
}


def inside(*parts: str) -> str | None:
    """A file that was built with this package, which has it inside of it."""
    file = Path(__file__).parent.joinpath(*parts)
    return str(file) if file.is_file() else None


def library_path() -> str:
    """Where the library is."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return os.path.abspath(chosen)
    return inside("bin" if os.name == "nt" else "lib", soname()) or soname()  # else the system's


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@functools.cache
def load() -> ctypes.CDLL:
    """The library. Its calls release the GIL: the cpu computes during a call, and a GPU's queue may be full."""
    try:
        library = _declare(ctypes.CDLL(library_path()))
    except (OSError, AttributeError) as error:
        raise LibraryNotFoundError(
            f"the shared library of grkan does not load: {error}; expected it where pip installs "
            f"it with the Python package, or at the path in the environment's {LIBRARY_VARIABLE}") from error
    for folder in library_folders():
        library.grkan_add_library_folder(os.fsencode(folder))
    return library


def raise_last_error(status: int) -> None:
    """Raise what a status other than 0 stands for, with the library's sentence."""
    text = load().grkan_last_error()
    raise BY_STATUS.get(status, Error)(with_hint(text.decode(errors="replace")))


def check(status: int) -> None:
    if status != 0:
        raise_last_error(status)
