# SPDX-License-Identifier: Apache-2.0
"""grkan.forward and grkan.backward of NumPy's arrays and of others by DLPack."""

import threading

import numpy
import pytest
from conftest import FORMS, ROOT, assert_close, coefficients, reference, require

import grkan

TOLERANCE = {"float64": 1e-14, "float32": 2e-6, "float16": 1e-3}
LAYOUTS = [((6, 5, 16), -1, 8), ((3, 10, 4, 5), 1, 4), ((7, 13), 1, 5), ((9,), 0, 1)]  # 13 channels: uneven groups


def data(shape, dtype="float64", seed=1):
    generator = numpy.random.default_rng(seed)
    return [generator.uniform(-3, 3, shape).astype(dtype) for _ in range(2)]


def numeric_gradients(x, dy, numerator, denominator, form, channel_dim):
    """By central differences of the reference."""
    step = 1e-6

    def loss(x, a, b):
        return (reference(x, a, b, form, channel_dim) * dy).sum()

    def slope(parameters, position):
        gradient = numpy.zeros_like(parameters[position])
        for index in numpy.ndindex(gradient.shape):
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in parameters]
                moved[position][index] += sign * step
                ends.append(loss(*moved))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        return gradient

    parameters = [x, numerator, denominator]
    return [slope(parameters, position) for position in range(3)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape, channel_dim, groups", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_forward(form, shape, channel_dim, groups, dtype):
    x, _ = data(shape, dtype)
    a, b = coefficients(form, groups)
    y = grkan.forward(x, a, b, form=form, channel_dim=channel_dim)
    assert type(y) is numpy.ndarray and y.dtype == x.dtype
    assert_close(y, reference(x, a, b, form, channel_dim), TOLERANCE[dtype])


def test_y_of_another_type():
    (x, dy), (a, b) = data((6, 16), "float32"), coefficients("abs_terms", 8)
    y, dy_half = numpy.empty(x.shape, "float16"), dy.astype("float16")
    assert grkan.forward(x, a, b, out=y) is y
    assert numpy.array_equal(y, grkan.forward(x, a, b).astype("float16"))
    for found, expected in zip(grkan.backward(x, dy_half, a, b), grkan.backward(x, dy_half.astype("float32"), a, b)):
        assert found.dtype == expected.dtype and numpy.array_equal(found, expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shared", [True, False])
def test_backward(form, shared):
    shape, channel_dim, groups = (3, 7, 2), 1, 3
    x, dy = data(shape)
    a, b = coefficients(form, groups, shared)
    found = grkan.backward(x, dy, a, b, form=form, channel_dim=channel_dim)
    for gradient, expected in zip(found, numeric_gradients(x, dy, a, b, form, channel_dim)):
        assert_close(gradient, expected, 1e-7)


def test_outputs_of_the_caller():
    x, dy = data((5, 8), "float32")
    a, b = (c.astype("float32") for c in coefficients())
    y = numpy.full_like(x, numpy.nan)
    assert grkan.forward(x, a, b, out=y) is y
    gradients = grkan.backward(x, dy, a, b)
    in_place = x.copy()
    assert numpy.array_equal(grkan.forward(in_place, a, b, out=in_place), y)
    out = numpy.empty_like(x), numpy.ones_like(a), numpy.ones_like(b)
    added = grkan.backward(x, dy, a, b, out=out, accumulation="add")
    assert added is out and numpy.array_equal(out[0], gradients[0])
    for sum_, gradient in zip(out[1:], gradients[1:]):
        assert_close(sum_, 1 + gradient, 1e-6)


@pytest.mark.parametrize("shape", [(0, 8), (4, 0, 8)])
def test_no_elements(shape):
    a, b = coefficients()
    x = numpy.zeros(shape, numpy.float32)
    assert grkan.forward(x, a, b).shape == shape
    dx, da, db = grkan.backward(x, x, a, b)
    assert dx.shape == shape and not da.any() and not db.any() and db.shape == (8, 4)


def test_lists_are_coefficients_too():
    x, _ = data((5, 2))
    assert_close(grkan.forward(x, [[0, 1, 2]], [[0.5], [1]]), reference(x, [[0, 1, 2]], [[0.5], [1]]), 1e-14)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_torch_by_dlpack(dtype):
    torch = pytest.importorskip("torch")
    x, dy = (torch.from_numpy(t).to(getattr(torch, dtype)) for t in data((6, 16)))
    if dtype == "bfloat16" and not hasattr(torch, "compile"):
        pytest.skip("PyTorch before 2.0 exports no bfloat16")
    kind = torch.float64 if dtype == "float64" else torch.float32
    a, b = (torch.from_numpy(c).to(kind) for c in coefficients())
    y = grkan.forward(x, a, b)
    assert type(y) is torch.Tensor and y.dtype == x.dtype
    tolerance = {"bfloat16": 8e-3, **TOLERANCE}[dtype]
    assert_close(y.double(), reference(x.double(), a.double().numpy(), b.double().numpy()), tolerance)
    y2 = torch.empty_like(x)
    assert grkan.forward(x, a, b, out=y2) is y2 and torch.equal(y, y2)
    dx, da, db = grkan.backward(x, dy, a, b)
    assert (dx.dtype, da.dtype, db.shape) == (x.dtype, kind, b.shape)


def test_torch_on_a_gpu_by_dlpack():
    require("cuda")
    torch = pytest.importorskip("torch")
    x, dy = (torch.from_numpy(t).float().cuda() for t in data((64, 16)))
    a, b = (torch.from_numpy(c).float().cuda() for c in coefficients())
    stream = torch.cuda.Stream()
    for handle in (0, stream.cuda_stream):
        y = grkan.forward(x, a, b, stream=handle)
        gradients = grkan.backward(x, dy, a, b, stream=handle)
        torch.cuda.synchronize()
        assert y.is_cuda
        assert_close(y.cpu(), reference(x.cpu(), a.cpu().double().numpy(), b.cpu().double().numpy()), 2e-6)
        on_cpu = grkan.backward(x.cpu(), dy.cpu(), a.cpu(), b.cpu())
        for gradient, expected in zip(gradients, on_cpu):
            assert_close(gradient.cpu(), expected, 2e-6)


@pytest.mark.parametrize("selector", ["opencl", "cuda"])
def test_another_device_gives_the_same_bits(selector):
    require(selector)
    x, dy = data((40, 24), "float32")
    a, b = (c.astype("float32") for c in coefficients())
    there, here = {"device": selector, "determinism": "device_to_device"}, {"determinism": "device_to_device"}
    assert numpy.array_equal(grkan.forward(x, a, b, **there), grkan.forward(x, a, b, **here))
    for found, expected in zip(grkan.backward(x, dy, a, b, **there), grkan.backward(x, dy, a, b, **here)):
        assert numpy.array_equal(found, expected)


def test_threads_have_workspaces_of_their_own():
    x, dy = data((4096, 64), "float32")  # enough for many blocks
    a, b = coefficients()
    expected = grkan.backward(x, dy, a, b)
    wrong = []

    def work():
        for _ in range(10):
            found = grkan.backward(x, dy, a, b)
            wrong.extend(1 for f, e in zip(found, expected) if not numpy.array_equal(f, e))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def frozen(array):
    array.flags.writeable = False
    return array


X, A, B = numpy.ones((4, 8), numpy.float32), numpy.ones((1, 6), numpy.float32), numpy.ones((8, 4), numpy.float32)


@pytest.mark.parametrize("call, text", [
    (lambda: grkan.forward([1.0], A, B, out=X), "x is a list; expected a NumPy array"),
    (lambda: grkan.forward([1.0], A, B), "x is a list; expected a NumPy array"),
    (lambda: grkan.forward(None, A, B), "x is a NoneType; expected a NumPy array"),
    (lambda: grkan.forward(X, None, B), "numerator is a NoneType; expected an array of numbers"),
    (lambda: grkan.forward(X, A, "b"), "denominator is a str; expected an array of numbers"),
    (lambda: grkan.forward(X, [[1.0], [1.0, 2.0]], B), "numerator is a list; expected an array of numbers"),
    (lambda: grkan.forward(X, A, B, out=[1.0]), "out is a list; expected a NumPy array"),
    (lambda: grkan.forward(X, A, B, form=["abs_terms"]), "form is ['abs_terms']; expected one of abs_terms"),
    (lambda: grkan.forward(X, A, B, form=None), "form is None; expected one of abs_terms"),
    (lambda: grkan.forward(X, A, B, determinism=None), "determinism is None; expected one of run_to_run"),
    (lambda: grkan.forward(X, A, B, channel_dim=None), "channel_dim is None; expected a dimension of x"),
    (lambda: grkan.forward(X, A, B, channel_dim=1.0), "channel_dim is 1.0; expected a dimension of x"),
    (lambda: grkan.forward(X, A, B, device=3), "device is 3; expected a string"),
    (lambda: grkan.forward(X[0, 0], A, B), "expected"),
    (lambda: grkan.backward(X, None, A, B), "dy is a NoneType; expected a NumPy array"),
    (lambda: grkan.backward(X, [1.0], A, B), "dy is a list; expected a NumPy array"),
    (lambda: grkan.backward(X, X, A, B, out=X), "out is a ndarray; expected (dx, dnumerator, ddenominator)"),
    (lambda: grkan.backward(X, X, A, B, out=(X,)), "out is a tuple; expected (dx, dnumerator, ddenominator)"),
    (lambda: grkan.backward(X, X, A, B, out=(X, A, None)), "out: ddenominator is a NoneType"),
    (lambda: grkan.backward(X, X, A, B, strategy=None), "strategy is None; expected one of auto"),
    (lambda: grkan.backward(X, X, A, B, accumulation=[]), "accumulation is []; expected one of overwrite"),
    (lambda: grkan.forward(X.astype("int32"), A, B), "x has dtype int32; expected float32"),
    (lambda: grkan.forward(X.T, A, B), "x is not contiguous"),
    (lambda: grkan.forward(X, A[0], B), "numerator has shape (6,); expected [groups, coefficients]"),
    (lambda: grkan.forward(X, A, B[:, :0].T), "denominator has 0 rows"),
    (lambda: grkan.forward(X, numpy.ones((2, 6)), B), "numerator has 2 rows"),
    (lambda: grkan.forward(X[:, :4].copy(), A, B), "groups is 8; expected 1 to 4, the channels of x"),
    (lambda: grkan.forward(X, A, B, form="abs"), "form is 'abs'; expected one of abs_terms, abs_sum"),
    (lambda: grkan.forward(X, A, B, channel_dim=2), "channel_dim is 2; expected a dimension of x"),
    (lambda: grkan.forward(X, A, B, determinism="full"), "determinism is 'full'; expected one of run_to_run"),
    (lambda: grkan.forward(X, A, B, out=X[:2]), "out has shape (2, 8); expected (4, 8)"),
    (lambda: grkan.forward(X, A, B, out=X.astype("float64")), "operation.output_dtype is f64 and operation.dtype f32"),
    (lambda: grkan.backward(X, X.astype("float16"), A, B, out=(X.astype("float16"), A.copy(), B.copy())),
     "out: dx has dtype f16; expected f32"),
    (lambda: grkan.forward(X, A, B, out=frozen(X.copy())), "out is read-only"),
    (lambda: grkan.backward(X, X[:2], A, B), "dy has shape (2, 8); expected (4, 8)"),
    (lambda: grkan.backward(X, X, A, B, accumulation="add"), "out is None; expected the gradients to add to"),
    (lambda: grkan.backward(X, X, A, B, accumulation="sum"), "accumulation is 'sum'"),
    (lambda: grkan.backward(X, X, A, B, out=(X.copy(), A.copy(), A.copy())), "out: ddenominator has shape (1, 6)"),
    (lambda: grkan.backward(X, X, A, B, strategy="trees"), "strategy is 'trees'; expected one of auto"),
])
def test_misuse(call, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_strategy_that_cannot_keep_the_promise():
    with pytest.raises(grkan.UnsupportedError, match="strategy element adds in no fixed order"):
        grkan.backward(X, X, A, B, strategy="element")


def test_the_examples_of_the_readme():
    pytest.importorskip("torch")
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1:]
    assert len(blocks) >= 2
    for block in blocks:
        exec(block.split("```")[0], {})
