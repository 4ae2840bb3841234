# SPDX-License-Identifier: Apache-2.0
"""grkan.forward and grkan.backward with prologues, frozen gradients, and y again."""

import numpy
import pytest
from conftest import assert_close, coefficients, reference, require

import grkan

A, B = coefficients(groups=5)
GENERATOR = numpy.random.default_rng(1)
X, DY = GENERATOR.uniform(-3, 3, (2, 4, 3, 16))
SCALE, SHIFT = GENERATOR.uniform(0.5, 1.5, (2, 16))
EPSILON = 1e-2
KINDS = {"bias": {"bias": SHIFT}, "layer_norm": {"norm": "layer_norm", "scale": SCALE, "shift": SHIFT},
         "rms_norm": {"norm": "rms_norm", "scale": SCALE}, "no tables": {"norm": "layer_norm"}}
TABLES = ("bias", "scale", "shift")


def prologue(x, norm=None, bias=0.0, scale=1.0, shift=0.0):
    """z by the definition."""
    if norm is None:
        return x + bias
    d = x - x.mean(-1, keepdims=True) if norm == "layer_norm" else x
    return d / numpy.sqrt((d * d).mean(-1, keepdims=True) + EPSILON) * scale + shift


def statistics(kind, dtype="float64"):
    """Arrays for what forward of a norm finds."""
    norm = KINDS[kind].get("norm")
    names = {"layer_norm": ("mean", "rstd"), "rms_norm": ("rstd",)}.get(norm, ())
    return {name: numpy.full(X.shape[:-1], numpy.nan, dtype) for name in names}


def forward(kind, x=X, **options):
    given = {"epsilon": EPSILON} if "norm" in KINDS[kind] else {}
    return grkan.forward(x, A, B, **KINDS[kind], **given, **options)


def backward(kind, x=X, dy=DY, **options):
    """With what forward finds of the rows."""
    found = statistics(kind, "float64" if x.dtype == "float64" else "float32")
    forward(kind, x, **found)
    given = {"epsilon": EPSILON} if "norm" in KINDS[kind] else {}
    return grkan.backward(x, dy, A, B, **KINDS[kind], **found, **given, **options)


def slopes(kind):
    """The gradients of x and of the prologue's tables, by central differences of the definition."""
    step, inputs = 1e-6, {"x": X, **{name: KINDS[kind][name] for name in TABLES if name in KINDS[kind]}}
    others = {key: value for key, value in KINDS[kind].items() if key == "norm"}

    def loss(values):
        values = dict(values)
        return (reference(prologue(values.pop("x"), **others, **values), A, B) * DY).sum()

    found = {}
    for name, values in inputs.items():
        gradient = found[name] = numpy.zeros_like(values)
        for index in numpy.ndindex(values.shape):
            ends = []
            for sign in (1, -1):
                moved = values.copy()
                moved[index] += sign * step
                ends.append(loss({**inputs, name: moved}))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_forward_and_backward(kind):
    assert_close(forward(kind), reference(prologue(X, **KINDS[kind]), A, B), 1e-13)
    dx, _, _, *others = backward(kind)
    for (name, expected), found in zip(slopes(kind).items(), (dx, *others)):
        assert_close(found, expected, 1e-7)
        assert name == "x" or found.shape == (16,)
    assert len(others) == (1 if kind == "bias" else 2)
    assert [gradient is None for gradient in others] == [name not in KINDS[kind] for name in (
        ("bias",) if kind == "bias" else ("scale", "shift"))]


def test_bias_of_images():
    x = X.transpose(0, 2, 1).copy()
    bias = SHIFT[:, None]
    y = grkan.forward(x, A, B, channel_dim=1, bias=list(SHIFT))
    assert numpy.array_equal(y, grkan.forward(x + bias, A, B, channel_dim=1))


def test_statistics():
    found = statistics("layer_norm", "float32")
    forward("layer_norm", X.astype("float32"), **found)
    assert_close(found["mean"], X.mean(-1), 1e-6)
    assert_close(found["rstd"], 1 / numpy.sqrt(X.var(-1) + EPSILON), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_types_apart(kind):
    x, y = X.astype("float32"), numpy.empty(X.shape, "float16")
    forward(kind, x, out=y)
    assert numpy.array_equal(y, forward(kind, x).astype("float16"))
    dx, *_ = backward(kind, x, DY.astype("float16"))
    assert dx.dtype == "float32"
    assert_close(dx, backward(kind, x, DY.astype("float16").astype("float32"))[0], 1e-6)


@pytest.mark.parametrize("kind, selector", [*((kind, "cpu") for kind in ("plain", *KINDS)), ("plain", "opencl"),
                                            ("layer_norm", "opencl")])  # whose kernels take seconds each
def test_y_again_and_what_is_frozen(kind, selector):
    """The other gradients are the same, and so are forward's bits."""
    require(selector)
    KINDS.setdefault("plain", {})
    x, dy = X.astype("float32"), DY.astype("float32")
    options = {"device": selector, "determinism": "device_to_device"}
    try:
        y = forward(kind, x, **options)
        everything = backward(kind, x, dy, **options)
        again = numpy.empty_like(y)
        sets = [("denominator", *({"bias", "scale"} & set(KINDS[kind])))]
        if selector == "cpu":
            sets += [("x",), ("numerator",), ("x", "numerator", "denominator")]
        for frozen in sets:
            found = backward(kind, x, dy, frozen=frozen, y=again, **options)
            assert numpy.array_equal(again, y)
            names = "x", "numerator", "denominator", *(("bias",) if "bias" in KINDS[kind] else ("scale", "shift"))
            for name, f, e in zip(names, found, everything):
                assert f is None if name in frozen or e is None else numpy.array_equal(f, e)
    finally:
        KINDS.pop("plain")


def test_gradients_of_the_caller():
    dx, *tables = backward("layer_norm")
    out = tuple(numpy.ones_like(t) for t in (dx, *tables))
    assert backward("layer_norm", out=out, accumulation="add") is out
    assert numpy.array_equal(out[0], dx)
    for found, expected in zip(out[1:], tables):
        assert_close(found, expected + 1, 1e-14)
    over = DY.copy()
    again = backward("bias", dy=over, y=over, frozen=["x"])
    assert again[0] is None and numpy.array_equal(over, forward("bias"))


@pytest.mark.parametrize("call, text", [
    (lambda: grkan.forward(X, A, B, bias=SHIFT[:3]), r"bias has shape \(3,\); expected \(16,\), the channels"),
    (lambda: grkan.forward(X, A, B, scale=SCALE), "scale is given and norm is None; expected None of it"),
    (lambda: grkan.forward(X, A, B, bias=SHIFT, norm="rms_norm"), "bias is given and norm is 'rms_norm'; expected N"),
    (lambda: grkan.forward(X, A, B, norm="batch_norm"), "norm is 'batch_norm'; expected one of layer_norm, rms_norm"),
    (lambda: grkan.forward(X, A, B, norm="rms_norm", mean=X[..., 0].copy()), "mean is given and norm is 'rms_norm'"),
    (lambda: grkan.forward(X, A, B, norm="layer_norm", rstd=X[0, :, 0].copy()), r"rstd has shape \(3,\); expected"),
    (lambda: grkan.forward(X, A[:, :3], B[:1], norm="layer_norm", channel_dim=0), "operation.inner is 48"),
    (lambda: grkan.forward(X, A, B, norm="layer_norm", epsilon=-1.0), "operation.norm.epsilon is -1"),
    (lambda: grkan.backward(X, DY, A, B, norm="rms_norm"), "rstd"),
    (lambda: grkan.backward(X, DY, A, B, frozen=["bias"]), "frozen is 'bias'; expected one of numerator, denominator"),
    (lambda: grkan.backward(X, DY, A, B, bias=SHIFT, out=(X, A, B)),
     r"out is a tuple; expected \(dx, dnumerator, ddenominator, dbias\)"),
    (lambda: grkan.backward(X, DY, A, B, y=DY.astype("float32")), "y has dtype f32; expected f64"),
    (lambda: grkan.backward(X, DY, A, B, bias=SHIFT, strategy="element", determinism="none"),
     "expected tree with a prologue"),
])
def test_refusals(call, text):
    with pytest.raises(grkan.Error, match=text):
        call()
