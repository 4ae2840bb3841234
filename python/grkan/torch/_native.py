# SPDX-License-Identifier: Apache-2.0
"""The operators in C (python/operators): loaded beside PyTorch, with which they register themselves."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from typing import Any

import torch
import torch.autograd.profiler
from torch.autograd import forward_ad

from .._errors import BY_STATUS, Error
from .._library import library_path, load
from .._names import DETERMINISM_LEVELS, Determinism
from .._vendors import with_hint

OPERATORS_VARIABLE = "GRKAN_TORCH_OPERATORS"  # "python": those in Python, as PyTorch before 2.9 has them
_FILE = "libgrkan_torch.so"


def _load() -> ctypes.CDLL | None:
    """The library, its operators registered; None if they are not to be had. Those in Python serve then."""
    if os.environ.get(OPERATORS_VARIABLE) == "python" or not hasattr(torch.library, "register_fake"):
        return None
    try:
        load()
        library = ctypes.CDLL(os.path.join(os.path.dirname(library_path()), _FILE))
    except (OSError, Error):
        return None
    library.grkan_torch_register.restype = ctypes.c_char_p
    return library if library.grkan_torch_register() is None else None


library = _load()


def promise(level: Determinism) -> None:
    """Have the operators promise it from now on. What "none" allows, they never do: they cannot ask PyTorch whether it
    wants deterministic algorithms, which would forbid it."""
    if library is not None:
        library.grkan_torch_set_determinism(DETERMINISM_LEVELS.index("run_to_run" if level == "none" else level))


class _Rules(ctypes.Structure):
    """direct_rules of python/operators/direct.h."""

    _fields_ = [(name, ctypes.py_object) for name in ("otherwise", "tensor", "parameter", "flags", "is_neg",
                                                      "exchange", "none")]


def direct(name: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """An operator as a function of C that passes by PyTorch's dispatcher, which takes the host longer than all else in
    a call, for plain tensors while nothing is active that wants to see operations. All other calls, and those that
    fail, are otherwise's, with the same arguments. Where there is no such function it is otherwise itself."""
    flags = (vars(torch.autograd.profiler), "_is_profiler_enabled", False), (vars(forward_ad), "_current_level", -1)
    exchange = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)  # since PyTorch 2.10
    if library is None or exchange is None or any(name not in where for where, name, _ in flags):
        return otherwise
    make = ctypes.PyDLL(library._name).grkan_torch_direct  # which keeps Python's lock
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_char_p, ctypes.POINTER(_Rules))
    try:
        return make(name.encode(), _Rules(otherwise, torch.Tensor, torch.nn.Parameter, flags, torch.Tensor.is_neg,
                                          exchange, None))
    except ValueError:  # NULL
        return otherwise


_STATUS = re.compile(r"(.*) \[(GRKAN_ERROR_\w+)\]", re.DOTALL)


def as_grkan_raises(error: RuntimeError) -> RuntimeError:
    """An operator's exception as the one of grkan's that its status stands for; another exception as it is."""
    found = _STATUS.match(str(error))
    if found is None:
        return error
    sentence, name = found.groups()
    for status, kind in BY_STATUS.items():
        if load().grkan_status_name(status).decode() == name:
            return kind(with_hint(sentence))
    return error
