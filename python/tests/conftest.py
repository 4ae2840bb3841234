# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the package of this tree, the library of the build folder, devices, and a reference."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
os.environ.setdefault("GRKAN_LIBRARY", str(ROOT / "build" / "libgrkan.so"))

from grkan._names import FORMS  # noqa: F401 - for the tests

DEVICES = os.environ.get("GRKAN_TEST_DEVICES", "cpu opencl cuda hip").replace(":", " ").split()


def coefficients(form="abs_terms", groups=8, shared=True, degrees=(5, 4), seed=0):
    """Numerator and denominator in f64; the denominator keeps away from poles on [-3, 3], for every form."""
    generator = numpy.random.default_rng(seed)
    m, n = degrees
    numerator = generator.uniform(-1, 1, (1 if shared else groups, m + 1))
    denominator = generator.uniform(0.1, 1, (groups, n)) / [20.0 * 3.0**j for j in range(n)]
    if form == "abs_sum_offset":
        denominator = numpy.concatenate([generator.uniform(0.5, 1, (groups, 1)), denominator], axis=1)
    return numerator, denominator


def reference(x, numerator, denominator, form="abs_terms", channel_dim=-1):
    """F(x) in f64 by the definition, term by term."""
    x = numpy.moveaxis(numpy.asarray(x, numpy.float64), channel_dim, -1)
    parts = []
    groups = max(len(numerator), len(denominator))
    for group, columns in enumerate(numpy.array_split(numpy.arange(x.shape[-1]), groups)):
        t = x[..., columns]
        a = numerator[group if len(numerator) > 1 else 0]
        b = denominator[group if len(denominator) > 1 else 0]
        p = sum(c * t**i for i, c in enumerate(a))
        if form == "abs_terms":
            q = 1 + sum(abs(c) * abs(t)**j for j, c in enumerate(b, 1))
        elif form == "abs_sum":
            q = 1 + abs(sum(c * t**j for j, c in enumerate(b, 1)))
        elif form == "abs_sum_offset":
            q = 0.1 + abs(sum(c * t**j for j, c in enumerate(b)))
        elif form == "square":
            q = 1 + sum(c * t**j for j, c in enumerate(b, 1))**2
        else:
            q = 1 + sum(c * t**j for j, c in enumerate(b, 1))
        parts.append(p / q)
    return numpy.moveaxis(numpy.concatenate(parts, axis=-1), -1, channel_dim)


def assert_close(found, expected, tolerance):
    """The largest error, in units of the largest value."""
    found, expected = numpy.asarray(found, numpy.float64), numpy.asarray(expected, numpy.float64)
    assert found.shape == expected.shape
    error = numpy.abs(found - expected).max(initial=0.0)
    scale = numpy.abs(expected).max(initial=1e-30)
    assert error <= tolerance * scale, f"error {error:.2e}, {error / scale:.1e} of the largest value"


def run_python(*arguments, text=True, **environment):
    """Run Python anew, with the package of this tree: the completed process, whatever its status."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=text, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **environment})


def require(selector):
    """Skip the test if it shall not run on a device, or there is none."""
    import grkan
    torch = sys.modules.get("torch")
    if selector == "cuda" and torch is not None and torch.version.hip:  # ROCm's builds call their GPUs so
        selector = "hip"
    if selector not in DEVICES:
        pytest.skip(f"{selector} is not in GRKAN_TEST_DEVICES")
    try:
        grkan.device(selector)
    except (grkan.NoBackendError, grkan.NoDeviceError) as error:
        pytest.skip(str(error))
