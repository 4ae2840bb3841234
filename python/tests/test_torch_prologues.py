# SPDX-License-Identifier: Apache-2.0
"""rational() with a bias and with another type for its result, and norm_rational(): the formulas against PyTorch's
modules, the kernels against the formulas, and whatever PyTorch asks of a function."""

import io
import itertools

import pytest

torch = pytest.importorskip("torch")

from conftest import FORMS, coefficients, require

import grkan
from grkan.torch import _prologues, formula, norm_formula, norm_rational, rational, set_determinism

HAS_OPERATOR = hasattr(torch.library, "register_autograd")
needs_operator = pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")

torch.manual_seed(0)
A, B = (torch.from_numpy(c) for c in coefficients())
X, DY = torch.randn(2, 4, 3, 16, dtype=torch.float64)
SCALE, SHIFT = torch.randn(2, 16, dtype=torch.float64)
NORMS = ("layer_norm", "rms_norm")
TABLES = {"both": (SCALE, SHIFT), "scale": (SCALE, None), "shift": (None, SHIFT), "none": (None, None)}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    require(request.param)
    return torch.device(request.param)


def composed(x, scale, shift, a, b, form="abs_terms", norm="layer_norm", eps=1e-5):
    """A norm as PyTorch has it, or as its authors define it; then the rational."""
    if norm == "layer_norm":
        z = torch.nn.functional.layer_norm(x, x.shape[-1:], scale, shift, eps)
    else:
        z = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
        z = z * (1 if scale is None else scale) + (0 if shift is None else shift)
    return formula(z, a, b, form)


def leaves(*tensors):
    return [None if t is None else t.clone().requires_grad_() for t in tensors]


def gradients(y, dy, *inputs):
    return torch.autograd.grad(y, [t for t in inputs if t is not None], dy)


def assert_close(found, expected, tolerance):
    for f, e in zip(found, expected):
        assert f.shape == e.shape
        torch.testing.assert_close(f.double(), e.double(), rtol=0, atol=tolerance * float(e.abs().max()))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("tables", TABLES)
@pytest.mark.parametrize("form", FORMS)
def test_norm_formula(form, tables, norm):
    inputs = leaves(X, *TABLES[tables], A, B)
    found, wanted = norm_formula(*inputs, form, norm=norm), composed(*inputs, form, norm)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, DY, *inputs), gradients(wanted, DY, *inputs))


@pytest.mark.parametrize("shape, channel_dim", [((3, 16), -1), ((2, 16, 5), 1), ((16,), 0)])
def test_formula_with_bias(shape, channel_dim):
    x = torch.randn(shape, dtype=torch.float64)
    bias = SHIFT.reshape(-1, *[1] * (len(shape) - 1 - channel_dim % len(shape)))
    found = formula(x, A, B, "square", channel_dim, bias=SHIFT)
    assert torch.equal(found, formula(x + bias, A, B, "square", channel_dim))


# ---------------------------------------------------------------------------------------------------------- kernels

PAIRS = [(torch.float64, None), (torch.float32, None), (torch.float32, torch.bfloat16), (torch.bfloat16, None),
         (torch.float16, torch.float32)]


def compare(function, reference, dtype, out_dtype, device, tensors, dy):
    """Result and gradients of a function and of the formula, which is given what the function reads in f64."""
    kinds = [dtype] + [torch.float64 if dtype is torch.float64 else torch.float32] * (len(tensors) - 1)
    inputs = leaves(*(None if t is None else t.to(device, kind) for t, kind in zip(tensors, kinds)))
    wide = leaves(*(None if t is None else t.detach().double() for t in inputs))
    y, expected = function(*inputs), reference(*wide)
    dy = dy.to(device, out_dtype or dtype)
    assert y.dtype is (out_dtype or dtype)
    assert_close([y], [expected], TOLERANCE[y.dtype])
    found, wanted = gradients(y, dy, *inputs), gradients(expected, dy.double(), *wide)
    assert [g.dtype for g in found] == [t.dtype for t in inputs if t is not None]
    assert_close(found[:1], wanted[:1], TOLERANCE[dtype])
    assert_close(found[1:], wanted[1:], TOLERANCE[kinds[1]])
    return y


@pytest.mark.parametrize("dtype, out_dtype", PAIRS)
@pytest.mark.parametrize("shape, channel_dim", [((4, 3, 16), -1), ((2, 16, 5), 1), ((16,), 0)])
def test_bias_on_kernels(device, shape, channel_dim, dtype, out_dtype):
    generator = torch.Generator().manual_seed(2)
    x, dy = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))

    def function(x, bias, a, b):
        return rational(x, a, b, "abs_terms", channel_dim, bias=bias, out_dtype=out_dtype)

    def reference(x, bias, a, b):
        return formula(x, a, b, "abs_terms", channel_dim, bias=bias)

    compare(function, reference, dtype, out_dtype, device, (x, SHIFT, A, B), dy)


@pytest.mark.parametrize("dtype, out_dtype", PAIRS)
@pytest.mark.parametrize("tables", TABLES)
@pytest.mark.parametrize("norm", NORMS)
def test_norms_on_kernels(device, norm, tables, dtype, out_dtype):
    compare(lambda *t: norm_rational(*t, norm=norm, out_dtype=out_dtype), lambda *t: norm_formula(*t, norm=norm), dtype,
            out_dtype, device, (X, *TABLES[tables], A, B), DY)


@pytest.mark.parametrize("form", FORMS)
def test_forms_on_kernels(device, form):
    a, b = (torch.from_numpy(c) for c in coefficients(form, 5, False))
    compare(lambda *t: norm_rational(*t, form), lambda *t: norm_formula(*t, form), torch.float64, None, device,
            (X, SCALE, SHIFT, a, b), DY)


@pytest.mark.parametrize("dtype, out_dtype",
                         list(itertools.product([torch.float32, torch.float16, torch.bfloat16], repeat=2)))
def test_types_apart(device, dtype, out_dtype):
    """y and dy in another type than x and dx: rounded once, from what is computed in f32."""
    dy, (x, a, b) = DY.to(device, out_dtype), leaves(X.to(device, dtype), A.float().to(device), B.float().to(device))
    wide = x.detach().float().requires_grad_()
    y, expected = rational(x, a, b, out_dtype=out_dtype), rational(wide, a, b)
    assert y.dtype is out_dtype and torch.equal(y, expected.to(out_dtype))
    dx, *others = gradients(y, dy, x, a, b)
    wanted, *wanted_others = gradients(expected, dy.float(), wide, a, b)
    assert dx.dtype is dtype and torch.equal(dx, wanted.to(dtype))
    torch.testing.assert_close(others, wanted_others)


@pytest.mark.parametrize("strides", ["transposed", "gaps", "dy otherwise"])
def test_layouts(device, strides):
    x, dy, scale, shift, a, b = (t.to(device) for t in (X, DY, SCALE, SHIFT, A, B))
    if strides == "transposed":
        x = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    elif strides == "gaps":
        x = torch.stack([x, x], -1)[..., 0]
    else:
        dy = dy.transpose(0, 1).contiguous().transpose(0, 1)
    inputs = leaves(x, scale, shift, a, b)
    for function, reference in ((norm_rational, norm_formula),
                                (lambda x, scale, bias, a, b: rational(scale * x, a, b, bias=bias),
                                 lambda x, scale, bias, a, b: formula(scale * x, a, b, bias=bias))):
        y, expected = function(*inputs), reference(*inputs)
        torch.testing.assert_close(y, expected)
        torch.testing.assert_close(gradients(y, dy, *inputs), gradients(expected, dy, *inputs))


@pytest.mark.parametrize("kind", ["none", "bias", *NORMS])
def test_only_what_is_wanted(device, kind):
    """Each input alone, and some of them: the gradient that it has among all. What is not wanted is not computed."""
    tensors = [t.to(device) for t in (X, SCALE, SHIFT, A, B)]

    def function(x, scale, shift, a, b):
        if kind == "none":
            return rational(x, a, b)
        if kind == "bias":
            return rational(scale * x, a, b, bias=shift)
        return norm_rational(x, scale, shift, a, b, norm=kind)

    dy, inputs = DY.to(device), leaves(*tensors)
    sets = [[0], [3], [4], [0, 3]] + ([] if kind == "none" else [[2], [2, 4]])
    of_all = torch.autograd.grad(function(*inputs), inputs, dy, allow_unused=True)
    for chosen in sets:
        inputs = [t.clone().requires_grad_(i in chosen) for i, t in enumerate(tensors)]
        found = gradients(function(*inputs), dy, *(inputs[i] for i in chosen))
        torch.testing.assert_close(list(found), [of_all[i] for i in chosen])


def arguments_of(kind):
    """What operators take, of (x, tables, ...)."""
    empty = torch.empty(0, dtype=torch.float64)
    tables = (SHIFT, empty) if kind == 1 else (SCALE, SHIFT) if kind > 1 else (empty, empty)
    return (X, A, B, *tables), (0, -1, kind, 1e-5)


@needs_operator
@pytest.mark.parametrize("kind", range(4))
def test_operators_give_what_is_wanted(kind):
    """Empty tensors for the rest; and y again, with forward's bits."""
    tensors, numbers = arguments_of(kind)
    set_determinism("device_to_device")
    try:
        y = torch.ops.grkan.prologue_rational_forward(*tensors, *numbers, 0)
        statistics = [tensors[-1]] * 2
        if kind > 1:
            again, *statistics = torch.ops.grkan.norm_rational_forward(*tensors, *numbers, 0)
            assert torch.equal(again, y) and statistics[1].shape == X.shape[:-1]
            assert statistics[0].shape == (X.shape[:-1] if kind == 2 else (0,))
        backward = torch.ops.grkan.prologue_rational_backward
        everything = backward(DY, *tensors, *statistics, *numbers, 63)
        assert [t.shape for t in everything] == [t.shape for t in (*tensors, y)] and torch.equal(everything[-1], y)
        for wanted in (0b100000, 0b010001, 0b001110, 0):
            found = backward(DY, *tensors, *statistics, *numbers, wanted)
            for k, (f, e) in enumerate(zip(found, everything)):
                assert torch.equal(f, e) if wanted >> k & 1 else f.shape == (0,)
    finally:
        set_determinism("run_to_run")


# ------------------------------------------------------------------------------------------------- what PyTorch asks


def with_bias(x, scale, shift, a, b, form="abs_terms"):
    return rational(x * scale, a, b, form, bias=shift)


def with_bias_formula(x, scale, shift, a, b):
    return formula(x * scale, a, b, bias=shift)


FUNCTIONS = [(with_bias, with_bias_formula), (norm_rational, norm_formula)]
each_function = pytest.mark.parametrize("function, reference", FUNCTIONS, ids=["bias", "norm"])
INPUTS = (X[:2, :2], SCALE, SHIFT, A, B)


@each_function
def test_derivatives(function, reference):
    inputs = leaves(*(0.3 * t for t in INPUTS))  # finite differences of powers of large numbers are rough
    assert torch.autograd.gradcheck(lambda *t: function(*t, "square"), inputs)  # smooth everywhere
    assert torch.autograd.gradgradcheck(lambda *t: function(*t, "square"), inputs)


@each_function
@pytest.mark.skipif(not hasattr(torch, "func"), reason="torch.func needs PyTorch 2.0 or later")
def test_transforms(function, reference):
    x, *others = INPUTS
    v = x.cos()
    for of in (lambda f: torch.func.jvp(f, (x,), (v,))[1], lambda f: torch.func.vjp(f, x)[1](v)[0],
               lambda f: torch.func.vmap(f)(x), lambda f: torch.func.hessian(lambda t: f(t).sum())(x[0])):
        torch.testing.assert_close(of(lambda t: function(t, *others)), of(lambda t: reference(t, *others)))
    several = torch.stack([others[0], 2 * others[0]])
    torch.testing.assert_close(torch.func.vmap(lambda t, s: function(t, s, *others[1:]))(x, several),
                               torch.func.vmap(lambda t, s: reference(t, s, *others[1:]))(x, several))


@each_function
def test_batched_gradients(function, reference):
    inputs = leaves(*INPUTS)
    y = function(*inputs)
    several = torch.randn(3, *y.shape, dtype=y.dtype)
    found = torch.autograd.grad(y, inputs, several, is_grads_batched=True, retain_graph=True)
    one_by_one = [gradients(reference(*inputs), dy, *inputs) for dy in several]
    for f, wanted in zip(found, zip(*one_by_one)):
        torch.testing.assert_close(f, torch.stack(wanted))


@each_function
def test_meta_tensors(function, reference):
    inputs = [t.to("meta").requires_grad_() for t in INPUTS]
    y = function(*inputs)
    assert y.is_meta and y.shape == INPUTS[0].shape
    assert [g.shape for g in gradients(y, y.detach(), *inputs)] == [t.shape for t in INPUTS]


@each_function
def test_saved_tensors_may_come_back_otherwise(function, reference):
    inputs = leaves(*INPUTS)
    expected = gradients(function(*inputs), torch.ones_like(INPUTS[0]), *inputs)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t[:1] if t.dim() > 1 else t):
        y = function(*inputs)
    with pytest.raises((grkan.InvalidArgumentError, RuntimeError)):
        gradients(y, torch.ones_like(y), *inputs)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: torch.stack([t, t], -1), lambda t: t[..., 0]):
        y = function(*inputs)
    torch.testing.assert_close(gradients(y, torch.ones_like(y), *inputs), expected)


@each_function
@needs_operator
@pytest.mark.parametrize("dynamic, backend", [(False, "inductor"), (True, "aot_eager")])
def test_compiled(function, reference, dynamic, backend):
    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=dynamic, backend=backend)
    for rows in (4, 3):
        inputs = leaves(X[:rows], *INPUTS[1:])
        y, expected = compiled(*inputs), function(*inputs)
        torch.testing.assert_close(y, expected)
        torch.testing.assert_close(gradients(y, DY[:rows], *inputs), gradients(expected, DY[:rows], *inputs))
        with torch.no_grad():
            torch.testing.assert_close(compiled(*inputs), expected)


@each_function
@needs_operator
def test_opcheck(function, reference):
    kind = 1 if function is with_bias else 2
    tensors, numbers = arguments_of(kind)
    torch.library.opcheck(torch.ops.grkan.prologue_rational.default, (*leaves(*tensors), *numbers, 0))
    statistics = [tensors[-1]] * 2
    if kind > 1:
        torch.library.opcheck(torch.ops.grkan.norm_rational_forward.default, (*tensors, *numbers, 0))
        statistics = torch.ops.grkan.norm_rational_forward(*tensors, *numbers, 0)[1:]
    for wanted in (63, 0b010101):
        torch.library.opcheck(torch.ops.grkan.prologue_rational_backward.default,
                              (DY, *tensors, *statistics, *numbers, wanted))


class Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        for name, t in zip(("scale", "shift", "a", "b"), INPUTS[1:]):
            setattr(self, name, torch.nn.Parameter(t.float()))

    def forward(self, x):
        return self.function(x, self.scale, self.shift, self.a, self.b)


@each_function
def test_graphs(function, reference):
    """torch.fx.symbolic_trace, torch.jit.trace, torch.export, and both of ONNX's exporters."""
    model, x = Network(function), X.float()
    expected = model(x)
    graph = torch.fx.symbolic_trace(model)
    assert [node.target for node in graph.graph.nodes if node.op == "call_function"][-1] in (rational, norm_rational)
    assert torch.equal(graph(x), expected)
    torch.testing.assert_close(torch.jit.trace(model, (x,))(x), expected, rtol=1e-5, atol=1e-5)
    if HAS_OPERATOR:
        program = torch.export.export(model, (x,))
        assert torch.ops.grkan.prologue_rational.default in [node.target for node in program.graph.nodes]
        assert torch.equal(program.module()(x), expected)
        table = torch.export.default_decompositions() if hasattr(torch.export, "default_decompositions") else {}
        below = program.run_decompositions(table)
        torch.testing.assert_close(below.module()(x), expected, rtol=1e-5, atol=1e-5)


@each_function
@pytest.mark.parametrize("dynamo", [False, True])
def test_onnx(function, reference, dynamo):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x, file = Network(function), X.float(), io.BytesIO()
    torch.onnx.export(model, (x,), file, dynamo=dynamo)
    session = onnxruntime.InferenceSession(file.getvalue())
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), model(x).detach(), rtol=1e-5, atol=1e-5)


def test_types_under_autocast():
    x, a, b = X.float(), A.float(), B.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert rational(x, a, b, bias=SHIFT).dtype is torch.float32
        assert rational(x, a, b, out_dtype="autocast").dtype is torch.bfloat16
        assert norm_rational(x, SCALE, SHIFT, a, b, out_dtype="autocast").dtype is torch.bfloat16
        assert norm_rational(X, SCALE, SHIFT, a, b, out_dtype="autocast").dtype is torch.float64
    assert norm_rational(x, SCALE, SHIFT, a, b, out_dtype="autocast").dtype is torch.float32


def bias(t, **options):
    return lambda: rational(X, A, B, bias=t, **options)


def norm(x=X, scale=SCALE, shift=SHIFT, **options):
    return lambda: norm_rational(x, scale, shift, A, B, **options)


@pytest.mark.parametrize("call, text", [
    (bias(SHIFT[:5]), r"bias has (another )?shape.*expected"),
    (bias(SHIFT[None]), r"bias has (another )?shape.*expected"),
    (bias([1.0]), "bias is a list; expected a torch.Tensor"),
    (bias(SHIFT, channel_dim=3), "channel_dim is 3; expected a dimension of x"),
    (norm(scale=SCALE[:5]), r"scale has (another )?shape.*expected"),
    (norm(shift=SHIFT.to("meta")), "shift lies on meta; expected cpu, as x"),
    (norm(norm="batch_norm"), "norm is 'batch_norm'; expected one of layer_norm, rms_norm"),
    (norm(eps=-1.0), "epsilon is -1"),
    (norm(out_dtype=torch.float32), "out_dtype is torch.float32 for an x of torch.float64; expected float64"),
    (norm(out_dtype=torch.int8), "out_dtype is torch.int8; expected float32, float16, bfloat16, float64 or 'autocast'"),
])
def test_refusals(call, text):
    with pytest.raises(grkan.InvalidArgumentError, match=text):
        call()


def test_inference_mode_leaves_nothing_that_training_cannot_use(monkeypatch):
    monkeypatch.setattr(_prologues, "_absent", {})
    x, numerator, denominator = torch.randn(4, 8), torch.randn(1, 6), torch.randn(2, 4)
    with torch.inference_mode():
        norm_rational(x, None, None, numerator, denominator)
    numerator.requires_grad_()
    norm_rational(x, None, None, numerator, denominator).sum().backward()
    assert numerator.grad.isfinite().all()
