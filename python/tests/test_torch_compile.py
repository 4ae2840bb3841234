# SPDX-License-Identifier: Apache-2.0
"""The operators that torch.compile sees (PyTorch 2.4 and later)."""

import pytest

torch = pytest.importorskip("torch")
if not hasattr(torch.library, "register_autograd"):
    pytest.skip("operators need PyTorch 2.4 or later", allow_module_level=True)

from conftest import require

import grkan
from grkan.torch import KAT_Group, KAT_Group2D, norm_rational, rational, rational_linear


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    require(request.param)
    torch._dynamo.reset()
    return torch.device(request.param)


def layer(device):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32), KAT_Group(), torch.nn.Linear(32, 16)).to(device)


def step(model, x):
    """Result and gradients of one training step."""
    model.zero_grad()
    y = model(x)
    y.float().square().mean().backward()
    return [y.detach().clone()] + [p.grad.clone() for p in model.parameters()]


def assert_same(found, expected, tolerance=1e-5):
    for f, e in zip(found, expected):
        torch.testing.assert_close(f, e, rtol=tolerance, atol=tolerance * max(float(e.abs().max()), 1e-6))


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "gaps"])
def test_opcheck(device, layout):
    x = torch.randn(4, 6, 16, device=device)
    x = {"contiguous": x, "transposed": x.transpose(0, 1).contiguous().transpose(0, 1), "gaps": x[:, ::2]}[layout]
    module = KAT_Group(4).to(device)
    coefficients = module.weight_numerator, module.weight_denominator
    torch.library.opcheck(torch.ops.grkan.rational.default,
                          (x.requires_grad_(), *coefficients, 0, -1))
    detached = [t.detach() for t in (x, x, *coefficients)]
    torch.library.opcheck(torch.ops.grkan.rational_backward.default, (*detached, 0, -1))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_without_a_graph_break(device, dynamic):
    model = layer(device)
    compiled = torch.compile(model, fullgraph=True, dynamic=dynamic)
    for rows in (5, 7, 9):
        x = torch.randn(rows, 3, 16, device=device)
        assert_same(step(compiled, x), step(model, x))


def test_compiles_under_autocast(device):
    model, x = layer(device), torch.randn(5, 3, 16, device=device)
    compiled = torch.compile(model, fullgraph=True)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        found, expected = step(compiled, x), step(model, x)
    assert found[0].dtype == torch.bfloat16
    assert_same(found, expected, 3e-2)


def test_compiles_channels_last(device):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), KAT_Group2D(), torch.nn.Conv2d(16, 4, 3)).to(device)
    model = model.to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 9, 9, device=device).to(memory_format=torch.channels_last)
    assert_same(step(torch.compile(model, fullgraph=True), x), step(model, x), 1e-4)


def test_reduce_overhead_captures_cuda_graphs():
    require("cuda")
    torch._dynamo.reset()
    model = layer("cuda")
    compiled = torch.compile(model, fullgraph=True, mode="reduce-overhead")
    for _ in range(6):
        x = torch.randn(64, 3, 16, device="cuda")
        torch.compiler.cudagraph_mark_step_begin()
        assert_same(step(compiled, x), step(model, x), 1e-4)


def test_eager_calls_and_the_operator_are_the_same_function(device):
    x = torch.randn(40, 16, device=device, requires_grad=True)
    module = KAT_Group().to(device)
    inputs = x, module.weight_numerator, module.weight_denominator
    outputs = rational(*inputs), torch.ops.grkan.rational(*inputs, 0, -1)
    assert torch.equal(*outputs)
    gradients = [torch.autograd.grad(y.square().sum(), inputs) for y in outputs]
    assert all(torch.equal(f, e) for f, e in zip(*gradients))


def test_gradgradcheck_of_the_operator(device):
    inputs = [torch.rand(shape, dtype=torch.float64, device=device, requires_grad=True)
              for shape in ((3, 4), (1, 6), (2, 4))]
    assert torch.autograd.gradgradcheck(lambda *t: torch.ops.grkan.rational(*t, 0, -1), inputs)


def test_fake_tensors():
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode():
        module = KAT_Group()
        y = module(torch.empty(3, 5, 16, dtype=torch.bfloat16))
    assert y.shape == (3, 5, 16) and y.dtype == torch.bfloat16


def test_export():
    model, x = layer("cpu"), torch.randn(5, 3, 16)
    program = torch.export.export(model, (x,))
    assert any("grkan.rational" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x), model(x))


EAGER = {
    "rational": lambda x, a, b, c, w: rational(x, a, b),
    "bias": lambda x, a, b, c, w: rational(x, a, b, bias=c),
    "norm": lambda x, a, b, c, w: norm_rational(x, c, None, a, b),
    "linear": lambda x, a, b, c, w: rational_linear(x, a, b, w, bias=c),
}


@pytest.mark.parametrize("name", EAGER)
def test_compiled_autograd_takes_the_backward_of_eager_calls(name, device):
    """PyTorch's compiled autograd traces the nodes that eager calls have left, without a graph break."""
    compiled_autograd = pytest.importorskip("torch._dynamo.compiled_autograd")
    if not hasattr(compiled_autograd, "_enable"):
        pytest.skip("needs PyTorch 2.6 or later")
    torch.manual_seed(0)
    shapes = (5, 3, 8), (1, 6), (4, 4), (8,), (2, 8)
    leaves = [torch.rand(shape, device=device, requires_grad=True) for shape in shapes]
    used = leaves[:{"rational": 3, "bias": 4, "norm": 4, "linear": 5}[name]]
    expected = torch.autograd.grad(EAGER[name](*leaves).square().sum(), used)
    with compiled_autograd._enable(torch.compile(backend="aot_eager", fullgraph=True)):
        EAGER[name](*leaves).square().sum().backward()
    assert_same([t.grad for t in used], expected)


WITHOUT_PROLOGUE = {
    "linear": lambda x, a, b, c, w: rational_linear(x, a, b, w),
    "type": lambda x, a, b, c, w: rational(x, a, b, out_dtype=torch.bfloat16),
}


@pytest.mark.parametrize("name", WITHOUT_PROLOGUE)
@pytest.mark.parametrize("channels", [6, 8])  # as many as coefficients, or not
def test_dynamic_shapes_and_transforms_look_at_no_table_that_there_is_not(name, channels, device):
    """There PyTorch takes the formula for the operator, for whose absent tables a compiled call passes another."""
    torch.manual_seed(0)
    x, *others = (torch.rand(shape, device=device) for shape in ((5, channels), (1, 6), (2, 4), (8,), (2, channels)))
    function = WITHOUT_PROLOGUE[name]
    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for rows in (5, 3):
        found, expected = (torch.autograd.grad(f(t, *others).float().square().sum(), t) for f, t in (
            (f, x[:rows].clone().requires_grad_()) for f in (compiled, function)))
        assert_same(found, expected)

    def gradient(x):
        return torch.func.grad(lambda t: function(t, *others).float().square().sum())(x)

    torch.testing.assert_close(torch.compile(gradient, backend="aot_eager")(x), gradient(x))


def test_dynamic_shapes_of_a_norm_of_transposed_rows(device):
    """Its result is contiguous, which PyTorch then learns from the formula."""
    torch.manual_seed(0)
    tables = [torch.rand(shape, device=device) for shape in ((8,), (8,), (1, 6), (4, 4))]

    def function(x):
        return norm_rational(x, *tables)

    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for length in (3, 5):
        x = torch.randn(2, length, 8, device=device).transpose(0, 1)
        with torch.no_grad():
            assert_same(compiled(x), function(x))
        found, expected = (torch.autograd.grad(f(t).square().sum(), t) for f, t in (
            (f, x.detach().requires_grad_()) for f in (compiled, function)))
        assert_same(found, expected)


SIZES = {
    "3 rows": (((3, 6), (4, 4)), "numerator has 3 rows; expected 1, which all groups share, or 4"),
    "9 groups": (((1, 6), (9, 4)), "groups is 9; expected 1 to 8, the channels of x"),
    "degree": (((1, 17), (4, 4)), r"numerator_degree is 16; expected 0 to 15"),
}


@pytest.mark.parametrize("case", SIZES)
@pytest.mark.parametrize("options", [{}, {"bias": torch.zeros(8)}], ids=["plain", "bias"])
def test_sizes_are_refused_when_a_program_is_traced(case, options):
    """As eager calls refuse them: no program is made that would fail when it runs."""
    shapes, text = SIZES[case]
    x, tables = torch.ones(5, 3, 8), [torch.ones(shape) for shape in shapes]

    class Network(torch.nn.Module):
        def forward(self, x):
            return rational(x, *tables, **options)

    def meta():
        return rational(*(t.to("meta") for t in (x, *tables)), **{k: t.to("meta") for k, t in options.items()})

    for call in (lambda: Network()(x), meta, lambda: torch.export.export(Network(), (x,), strict=False)):
        with pytest.raises(grkan.InvalidArgumentError, match=text):
            call()
    torch._dynamo.reset()
    with pytest.raises(RuntimeError, match=text) as caught:
        torch.compile(Network())(x)
    assert "GRKAN_ERROR" not in str(caught.value)


def test_what_is_no_tensor_is_named_in_compiled_calls_too():
    torch._dynamo.reset()
    tables = torch.ones(1, 6), torch.ones(4, 4)
    with pytest.raises(grkan.InvalidArgumentError, match=r"denominator is a list; expected a torch\.Tensor"):
        torch.compile(lambda x: rational(x, tables[0], [[1.0]]))(torch.ones(3, 8))


def test_misuse_of_the_operator():
    x, a, b = torch.ones(4, 8), torch.ones(1, 6), torch.ones(8, 4)
    with pytest.raises(ValueError, match=r"numerator has dtype torch\.float64; expected torch\.float32 for an x"):
        torch.ops.grkan.rational(x, a.double(), b, 0, -1)
