# SPDX-License-Identifier: Apache-2.0
"""Coefficients to start from: fits of a function or of points, and presets (grkan/fit.h)."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_size_t
from typing import Any

import numpy

from ._errors import InvalidArgumentError
from ._library import check, load
from ._names import (DTYPES, FORMS, GROWTHS, Dtype, Form, Function, Growth, PresetName, degrees_of, index_of, pair,
                     text)

_MAX_COEFFICIENTS = 16
_Coefficients = c_double * _MAX_COEFFICIENTS


class ErrorStruct(ctypes.Structure):
    """grkan_fit_error"""

    _fields_ = [("error", c_double), ("x", c_double)]


class ProblemStruct(ctypes.Structure):
    """grkan_fit_problem"""

    _fields_ = [("function", c_char_p), ("low", c_double), ("high", c_double), ("x", POINTER(c_double)),
                ("y", POINTER(c_double)), ("points", c_size_t), ("form", c_int), ("numerator_degree", c_int),
                ("denominator_degree", c_int), ("dtype", c_int), ("growth", c_int)]


class ResultStruct(ctypes.Structure):
    """grkan_fit_result"""

    _fields_ = [("numerator", _Coefficients), ("denominator", _Coefficients), ("f64", ErrorStruct),
                ("f32", ErrorStruct)]


class PresetStruct(ctypes.Structure):
    """grkan_preset"""

    _fields_ = [("name", c_char_p), ("function", c_char_p), ("form", c_int), ("numerator_degree", c_int),
                ("denominator_degree", c_int), ("low", c_double), ("high", c_double), ("numerator", _Coefficients),
                ("denominator", _Coefficients), ("f32", ErrorStruct)]


@dataclasses.dataclass(frozen=True)
class Fit:
    """Coefficients of one group, shaped as forward and backward take them, and how far off they are."""

    numerator: numpy.ndarray  # [1, m + 1]
    denominator: numpy.ndarray  # [1, n], or [1, n + 1] for "abs_sum_offset"
    form: Form
    error: float  # the largest, of the coefficients in f32; of a fit for "f64" as they are
    error_at: float  # an x where it is reached


def _fit_of(found: Any, error: ErrorStruct, form: Form, degrees: tuple[int, int]) -> Fit:
    m, n = degrees
    offset = 1 if form == "abs_sum_offset" else 0
    return Fit(numpy.array([found.numerator[:m + 1]]), numpy.array([found.denominator[:n + offset]]).reshape(1, -1),
               form, error.error, error.x)


def _numbers(argument: str, value: Any, what: str) -> tuple[Any, Any]:
    """Two arrays, or numbers, in f64."""
    first, second = pair(argument, value, what)
    try:
        return numpy.ascontiguousarray(first, numpy.float64), numpy.ascontiguousarray(second, numpy.float64)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{argument} is {value!r}; expected {what}") from None


def fit(target: Function | tuple[Sequence[float], Sequence[float]], degrees: tuple[int, int] = (5, 4), *,
        form: Form = "abs_terms", interval: tuple[float, float] = (-3.0, 3.0), dtype: Dtype = "f32",
        growth: Growth = "auto") -> Fit:
    """The coefficients whose largest error is least (grkan_fit).

    Args:
        target: the name of a function ("gelu", "swish", "tanh", ...), or points (x, y).
        degrees: (m, n), of the numerator and of the denominator, each 0 to 15.
        form: of the denominator.
        interval: of x, for a function.
        dtype: of the tensors ("f32", "f16", "bf16" or "f64"): the error of coefficients as these take them is made
            least, in f64 or f32.
        growth: outside the interval: "linear" (at most), "any", or "auto": linear for a function whose degrees allow
            it, m <= n + 1.
    """
    degrees = degrees_of(degrees)
    problem = ProblemStruct(form=index_of("form", form, FORMS), numerator_degree=degrees[0],
                            denominator_degree=degrees[1], dtype=index_of("dtype", dtype, DTYPES),
                            growth=index_of("growth", growth, GROWTHS))
    if isinstance(target, str):
        problem.function = target.encode()
        low, high = _numbers("interval", interval, "(low, high)")
        if low.size != 1 or high.size != 1:
            raise InvalidArgumentError(f"interval is {interval!r}; expected (low, high)")
        problem.low, problem.high = low.item(), high.item()
    else:
        x, y = _numbers("target", target, "the name of a function, or points (x, y)")
        if x.ndim != 1 or x.shape != y.shape:
            raise InvalidArgumentError(f"target has x of shape {x.shape} and y of shape {y.shape}; expected as many y "
                                       "as x, in one dimension")
        problem.x, problem.y = (values.ctypes.data_as(POINTER(c_double)) for values in (x, y))
        problem.points = len(x)
    result = ResultStruct()
    check(load().grkan_fit(byref(problem), byref(result)))
    return _fit_of(result, result.f64 if dtype == "f64" else result.f32, form, degrees)


def function_values(name: Function, x: numpy.ndarray) -> numpy.ndarray:
    """What a function that fit knows is for each x, in f64 (grkan_function_value)."""
    y = numpy.empty_like(x, dtype=numpy.float64)
    value = c_double()
    for i, one in enumerate(x):
        check(load().grkan_function_value(text("name", name), one, byref(value)))
        y[i] = value.value
    return y


def preset(name: PresetName, form: Form = "abs_terms") -> Fit:
    """Coefficients that the library holds ready, of degrees (5, 4) on [-3, 3] (grkan_preset_find).

    Args:
        name: of a function; or "kat_" and a name of KAT's own tables, each of which has one form.
        form: of the denominator.
    """
    text("name", name), index_of("form", form, FORMS)
    return _preset(name, form)


@functools.cache
def _preset(name: str, form: Form) -> Fit:
    found = POINTER(PresetStruct)()
    check(load().grkan_preset_find(text("name", name), index_of("form", form, FORMS), byref(found)))
    return _fit_of(found[0], found[0].f32, form, (found[0].numerator_degree, found[0].denominator_degree))
