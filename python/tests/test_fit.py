# SPDX-License-Identifier: Apache-2.0
"""grkan.fit: its coefficients are those that forward takes, and its error is the one that forward has."""

import math

import numpy
import pytest
from conftest import FORMS, reference

import grkan


def largest_error(fit, function, low=-3.0, high=3.0):
    """Of the coefficients in f32, evaluated in f64."""
    x = numpy.linspace(low, high, 5001)[:, None]
    coefficients = (c.astype(numpy.float32).astype(numpy.float64) for c in (fit.numerator, fit.denominator))
    return numpy.abs(reference(x, *coefficients, fit.form) - function(x)).max()


def gelu(x):
    return 0.5 * x * (1 + numpy.vectorize(math.erf)(x / math.sqrt(2)))


@pytest.mark.parametrize("form", FORMS)
def test_a_function(form):
    fit = grkan.fit("gelu", form=form)
    assert fit.form == form and fit.numerator.shape == (1, 6)
    assert fit.denominator.shape == (1, 5 if form == "abs_sum_offset" else 4)
    assert fit.error < 0.0045
    assert largest_error(fit, gelu) == pytest.approx(fit.error, rel=1e-2)
    assert -3 <= fit.error_at <= 3
    x = numpy.linspace(-3, 3, 1000, dtype=numpy.float32).reshape(125, 8)
    assert numpy.abs(grkan.forward(x, fit.numerator, fit.denominator, form=form) - gelu(x)).max() < 0.0046


def test_other_degrees_and_another_interval():
    fit = grkan.fit("tanh", (7, 6), interval=(-5, 5))
    assert fit.numerator.shape == (1, 8) and fit.denominator.shape == (1, 6)
    assert largest_error(fit, numpy.tanh, -5, 5) == pytest.approx(fit.error, rel=0.1)
    assert fit.error < grkan.fit("tanh", (5, 4), interval=(-5, 5)).error
    assert grkan.fit("identity", (1, 0)).denominator.shape == (1, 0)


def test_types():
    """Far from 0, coefficients in f32 do for less than those in f64."""
    single, double = (grkan.fit("sin", interval=(100, 100.001), dtype=dtype) for dtype in ("f32", "f64"))
    assert double.error < single.error / 100
    assert single.error < largest_error(double, numpy.sin, 100, 100.001)


def test_growth():
    """gelu stays near x outside the interval, unless it may go where it likes."""
    x = numpy.array([[-1e4], [1e4]])
    linear, free = (grkan.fit("gelu", growth=growth) for growth in ("auto", "any"))
    assert numpy.abs(reference(x, linear.numerator, linear.denominator)).max() < 2e4
    assert numpy.abs(reference(x, free.numerator, free.denominator)).max() > 1e6
    assert linear.error < 1.05 * free.error


def test_points():
    x = numpy.linspace(-2, 2, 101)
    fit = grkan.fit((x, numpy.sin(x).tolist()), (5, 2))
    assert numpy.abs(reference(x[:, None], fit.numerator, fit.denominator)[:, 0] - numpy.sin(x)).max() < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_a_preset(form):
    preset = grkan.preset("gelu", form)
    assert preset.form == form and preset.numerator.shape == (1, 6)
    assert largest_error(preset, gelu) == pytest.approx(preset.error, rel=1e-2)


def test_tables_of_kat():
    assert largest_error(grkan.preset("kat_swish"), lambda x: x / (1 + numpy.exp(-x))) < 2e-6
    assert grkan.preset("kat_gelu", "abs_sum").error < 0.0045


@pytest.mark.parametrize("call, text", [
    (lambda: grkan.preset("kat_gelu"), "form is abs_terms; expected abs_sum"),
    (lambda: grkan.preset("gellu"), 'name is "gellu"; expected one of identity'),
    (lambda: grkan.fit("gellu"), "gellu"),
    (lambda: grkan.fit("gelu", form="abs"), "form is 'abs'; expected one of abs_terms"),
    (lambda: grkan.fit("gelu", (16, 4)), "degrees: m is 16; expected an integer from 0 to 15"),
    (lambda: grkan.fit("gelu", (5, -1)), "degrees: n is -1; expected an integer from 0 to 15"),
    (lambda: grkan.fit("gelu", (5, 2**40)), "degrees: n is 1099511627776; expected an integer from 0 to 15"),
    (lambda: grkan.fit("gelu", (5.0, 4)), "degrees: m is 5.0; expected an integer"),
    (lambda: grkan.fit("gelu", (True, 4)), "degrees: m is True; expected an integer"),
    (lambda: grkan.fit("gelu", None), "degrees is None; expected (m, n)"),
    (lambda: grkan.fit("gelu", (5, 4, 3)), "degrees is (5, 4, 3); expected (m, n)"),
    (lambda: grkan.fit(None), "target is None; expected the name of a function, or points (x, y)"),
    (lambda: grkan.fit([1, 2, 3]), "target is [1, 2, 3]; expected the name of a function, or points (x, y)"),
    (lambda: grkan.fit((["a"], [1.0])), "expected the name of a function, or points (x, y)"),
    (lambda: grkan.fit("gelu", interval=None), "interval is None; expected (low, high)"),
    (lambda: grkan.fit("gelu", interval=("a", 1)), "interval is ('a', 1); expected (low, high)"),
    (lambda: grkan.fit("gelu", interval=([1, 2], 3)), "interval is ([1, 2], 3); expected (low, high)"),
    (lambda: grkan.fit("gelu", form=["plain"]), "form is ['plain']; expected one of abs_terms"),
    (lambda: grkan.preset(None), "name is None; expected a string"),
    (lambda: grkan.preset(["gelu"]), "name is ['gelu']; expected a string"),
    (lambda: grkan.preset("gelu", ["plain"]), "form is ['plain']; expected one of abs_terms"),
    (lambda: grkan.fit("gelu", (7, 4), growth="linear"), "expected at most 5"),
    (lambda: grkan.fit("gelu", growth="slow"), "growth is 'slow'; expected one of auto"),
    (lambda: grkan.fit("gelu", dtype="float"), "dtype is 'float'; expected one of f32"),
    (lambda: grkan.fit("gelu", interval=(3, -3)), "low"),
    (lambda: grkan.fit(([1.0, 2.0], [1.0])), "expected as many y as x"),
    (lambda: grkan.fit(([1.0, 2.0], [1.0, 2.0])), "points"),
])
def test_misuse(call, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)
