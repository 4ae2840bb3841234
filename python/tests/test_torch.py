# SPDX-License-Identifier: Apache-2.0
"""grkan.torch.rational against the formula in PyTorch's own operations, its gradients, layouts, types and streams."""

import threading

import pytest

torch = pytest.importorskip("torch")

from conftest import FORMS, coefficients, require

import grkan
from grkan._plan import MOST_PLANS
from grkan.torch import _kernels, formula, get_determinism, rational, set_determinism

TOLERANCE = {torch.float64: 1e-13, torch.float32: 5e-6, torch.bfloat16: 8e-3, torch.float16: 1e-3}
LAYOUTS = [((6, 5, 16), -1, 8), ((3, 10, 4, 5), 1, 4), ((7, 13), 1, 5), ((9,), 0, 1)]  # 13 channels: uneven groups


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    require(request.param)
    return torch.device(request.param)


@pytest.fixture
def determinism():
    yield set_determinism
    set_determinism("run_to_run")


def tensors(shape, form="abs_terms", groups=8, shared=True, dtype=torch.float64, device="cpu", seed=1):
    """x, dy, numerator and denominator; all but dy want gradients."""
    generator = torch.Generator().manual_seed(seed)
    x, dy = ((torch.rand(shape, generator=generator, dtype=torch.float64) * 6 - 3).to(device, dtype) for _ in range(2))
    kind = torch.float64 if dtype is torch.float64 else torch.float32
    a, b = (torch.from_numpy(c).to(device, kind) for c in coefficients(form, groups, shared))
    return x.requires_grad_(), dy, a.requires_grad_(), b.requires_grad_()


def assert_close(found, expected, tolerance):
    assert found.shape == expected.shape
    if found.numel() > 0:
        found, expected = found.detach().double(), expected.detach().double()
        error, scale = float((found - expected).abs().max()), float(expected.abs().max())
        assert error <= tolerance * scale, f"error {error:.2e}, {error / scale:.1e} of the largest value"


def assert_like_formula(x, dy, a, b, form="abs_terms", channel_dim=-1):
    """Result and gradients in the types and layouts that they should have; the reference is computed in f64."""
    y = rational(x, a, b, form, channel_dim)
    assert y.dtype == x.dtype and y.device == x.device
    found = torch.autograd.grad(y, (x, a, b), dy)
    wide = [t.detach().double().requires_grad_() for t in (x, a, b)]
    expected_y = formula(*wide, form, channel_dim)
    assert_close(y, expected_y, TOLERANCE[x.dtype])
    for gradient, t, expected in zip(found, (x, a, b), torch.autograd.grad(expected_y, wide, dy.double())):
        assert gradient.dtype == t.dtype
        assert_close(gradient, expected, TOLERANCE[t.dtype])
    return y, found


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape, channel_dim, groups", LAYOUTS)
def test_equals_the_formula(device, form, shape, channel_dim, groups, dtype):
    assert_like_formula(*tensors(shape, form, groups, dtype=dtype, device=device), form, channel_dim)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shared", [True, False])
def test_gradcheck_and_gradgradcheck(device, form, shared):
    x, _, a, b = tensors((2, 5, 2), form, 2, shared, device=device)

    def function(*inputs):
        return rational(*inputs, form, 1)

    assert torch.autograd.gradcheck(function, (x, a, b))
    assert torch.autograd.gradgradcheck(function, (x, a, b))


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2)])
def test_second_derivatives_of_some_inputs(wanted):
    inputs = [t.detach().requires_grad_(i in wanted) for i, t in enumerate(tensors((4, 8))[::2] + tensors((4, 8))[3:])]
    x, a, b = inputs
    chosen = [inputs[i] for i in wanted]
    found = torch.autograd.grad(rational(x, a, b).square().sum(), chosen, create_graph=True)
    expected = torch.autograd.grad(formula(x, a, b).square().sum(), chosen, create_graph=True)
    total = [sum(g.square().sum() for g in gradients) for gradients in (found, expected)]
    for f, e in zip(torch.autograd.grad(total[0], chosen), torch.autograd.grad(total[1], chosen)):
        assert_close(f, e, 1e-10)


def permuted(x, order):
    """x with its elements in another order in memory."""
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return x.detach().permute(order).contiguous().permute(inverse).requires_grad_()


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (1, 0, 2, 3), (3, 2, 1, 0)])
def test_any_dense_layout_is_taken_as_it_lies(device, order):
    x, dy, a, b = tensors((3, 10, 4, 5), groups=4, dtype=torch.float32, device=device)
    x = permuted(x, order)
    assert not x.is_contiguous()
    y, (dx, _, _) = assert_like_formula(x, dy, a, b, "abs_terms", 1)
    assert y.stride() == dx.stride() == x.stride()


def test_elements_with_gaps(device):
    x, dy, a, b = tensors((6, 10, 16), dtype=torch.float32, device=device)
    wide = x.detach().repeat_interleave(2, 1)
    assert_like_formula(wide[:, ::2].requires_grad_(), dy, a, b)
    assert_like_formula(x.detach()[:1].expand(6, 10, 16).requires_grad_(), dy, a, b)
    assert_like_formula(x, dy[:1, :1].expand(6, 10, 16), a, b)
    assert_like_formula(x, dy.transpose(0, 1).contiguous().transpose(0, 1), a, b)
    assert_like_formula(x, dy, a.detach().repeat(1, 2)[:, :6].requires_grad_(), b.detach().t().contiguous().t()
                        .requires_grad_())


@pytest.mark.parametrize("shape", [(0, 8), (4, 0, 8)])
def test_no_elements(device, shape):
    x, dy, a, b = tensors(shape, dtype=torch.float32, device=device)
    y = rational(x, a, b)
    dx, da, db = torch.autograd.grad(y, (x, a, b), dy)
    assert y.shape == dx.shape == shape and not da.any() and not db.any()


def test_degrees_without_coefficients(device):
    x, dy, a, _ = tensors((4, 8), device=device)
    b = torch.zeros(8, 0, device=device, dtype=torch.float64, requires_grad=True)
    y = rational(x, a[:, :1], b)
    assert torch.equal(y, a[:, :1].expand(4, 8))
    assert torch.autograd.grad(y, b, dy, create_graph=True)[0].shape == (8, 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_storage_type(device, dtype):
    if device.type == "cpu" and dtype is torch.float16:
        pytest.skip("PyTorch's autocast of the cpu is for bfloat16")
    x, dy, a, b = tensors((6, 16), dtype=torch.float32, device=device)
    linear = torch.nn.Linear(16, 16).to(device)
    with torch.autocast(device.type, dtype=dtype):
        y = rational(linear(x), a, b)
    assert y.dtype == dtype
    dx, da, db = torch.autograd.grad(y, (x, a, b), dy.to(dtype))
    assert dx.dtype == da.dtype == db.dtype == torch.float32
    with torch.autocast(device.type, dtype=dtype):
        assert rational(x, a, b).dtype == torch.float32


def test_coefficients_of_half_precision_are_computed_in_f32(device):
    x, dy, a, b = tensors((6, 16), dtype=torch.bfloat16, device=device)
    a, b = (t.detach().bfloat16().requires_grad_() for t in (a, b))
    y = rational(x, a, b)
    assert_close(y, formula(x.double(), a.double(), b.double()), 8e-3)
    assert [g.dtype for g in torch.autograd.grad(y, (x, a, b), dy)] == 3 * [torch.bfloat16]


def test_accumulates_like_any_other_function(device):
    x, dy, a, b = tensors((64, 16), dtype=torch.float32, device=device)
    (rational(x, a, b) + rational(2 * x, a, b)).backward(dy)
    expected = [t.detach().double().requires_grad_() for t in (x, a, b)]
    (formula(*expected) + formula(2 * expected[0], *expected[1:])).backward(dy.double())
    for found, e in zip((x, a, b), expected):
        assert_close(found.grad, e.grad, 5e-6)


@pytest.mark.parametrize("level", ["run_to_run", "none", "device_to_device"])
def test_determinism(device, determinism, level):
    determinism(level)
    assert get_determinism() == level
    x, dy, a, b = tensors((1000, 96), dtype=torch.float32, device=device)
    runs = [torch.autograd.grad(rational(x, a, b), (x, a, b), dy) for _ in range(3)]
    for run in runs[1:]:
        assert level == "none" or all(torch.equal(f, e) for f, e in zip(run, runs[0]))


def test_device_to_device_gives_the_bits_of_the_cpu(determinism):
    require("cuda")
    determinism("device_to_device")
    runs = []
    for where in ("cpu", "cuda"):
        x, dy, a, b = tensors((1000, 96), dtype=torch.float32, device=where)
        y = rational(x, a, b)
        runs.append([t.cpu() for t in (y, *torch.autograd.grad(y, (x, a, b), dy))])
    assert all(torch.equal(f, e) for f, e in zip(*runs))


def test_deterministic_algorithms_are_honoured(determinism):
    determinism("none")
    torch.use_deterministic_algorithms(True)
    try:
        assert get_determinism() == "run_to_run"
    finally:
        torch.use_deterministic_algorithms(False)
    assert get_determinism() == "none"
    with pytest.raises(grkan.InvalidArgumentError, match="level is 'all'; expected one of run_to_run"):
        determinism("all")


def test_threads_of_the_cpu():
    x, dy, a, b = tensors((4096, 64), dtype=torch.float32)
    expected = torch.autograd.grad(rational(x, a, b), (x, a, b), dy)
    wrong = []

    def work():
        for _ in range(10):
            found = torch.autograd.grad(rational(x, a, b), (x, a, b), dy)
            wrong.extend(1 for f, e in zip(found, expected) if not torch.equal(f, e))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


ONES, A, B = torch.ones(4, 8), torch.ones(1, 6), torch.ones(8, 4)


@pytest.mark.parametrize("call, text", [
    (lambda: rational(ONES.int(), A, B), "x has dtype torch.int32; expected float32"),
    (lambda: rational(ONES.to("meta"), A, B), "numerator lies on cpu; expected meta, as x"),
    (lambda: rational(ONES, A.to("meta"), B), "numerator lies on meta; expected cpu, as x"),
    (lambda: rational(ONES, A[0], B), "numerator has shape (6,); expected [groups, coefficients]"),
    (lambda: rational(ONES, torch.ones(2, 6), B), "numerator has 2 rows"),
    (lambda: rational(ONES[:, :4], A, B), "groups is 8; expected 1 to 4, the channels of x"),
    (lambda: rational(ONES.tolist(), A, B), "x is a list; expected a torch.Tensor"),
    (lambda: rational(ONES, None, B), "numerator is a NoneType; expected a torch.Tensor"),
    (lambda: rational(ONES, A, [[1.0]]), "denominator is a list; expected a torch.Tensor"),
    (lambda: rational(ONES, A, B, ["abs_terms"]), "form is ['abs_terms']; expected one of abs_terms"),
    (lambda: rational(ONES, A, B, None), "form is None; expected one of abs_terms"),
    (lambda: rational(ONES, A, B, channel_dim=None), "channel_dim is None; expected a dimension of x"),
    (lambda: rational(ONES, A, B, channel_dim="last"), "channel_dim is 'last'; expected a dimension of x"),
    (lambda: rational(ONES[0, 0], A, B), "channel_dim is -1; expected a dimension of x, whose shape is ()"),
    (lambda: rational(ONES, A, B, "abs"), "form is 'abs'; expected one of abs_terms, abs_sum"),
    (lambda: rational(ONES, A, B, channel_dim=2), "channel_dim is 2; expected a dimension of x"),
])
def test_misuse(call, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)


needs_func = pytest.mark.skipif(not hasattr(torch, "func"), reason="torch.func needs PyTorch 2.0 or later")


@needs_func
def test_gradients_by_torch_func(device):
    x, dy, a, b = tensors((6, 4, 8), device=device)
    expected = torch.autograd.grad(rational(x, a, b), (x, a, b), dy)
    found = torch.func.grad(lambda *t: (rational(*t) * dy).sum(), (0, 1, 2))(*(t.detach() for t in (x, a, b)))
    for gradient, reference in zip(found, expected):
        assert_close(gradient, reference, 1e-12)


@needs_func
def test_vmap_over_examples_and_over_layers(device):
    x, _, a, b = (t.detach() for t in tensors((6, 4, 8), device=device))
    assert_close(torch.func.vmap(rational, (0, None, None))(x, a, b), rational(x, a, b), 1e-12)
    layers = torch.stack([a, 2 * a]), torch.stack([b, 3 * b])
    expected = torch.stack([rational(x, a, b), rational(x, 2 * a, 3 * b)])
    assert_close(torch.func.vmap(rational, (None, 0, 0))(x, *layers), expected, 1e-12)


@needs_func
def test_forward_mode_and_per_example_gradients(device):
    x, v, a, b = (t.detach() for t in tensors((6, 8), device=device))
    jacobian = torch.func.jacrev(rational)(x[0], a, b)
    assert_close(torch.func.jvp(lambda t: rational(t, a, b), (x[0],), (v[0],))[1], jacobian @ v[0], 1e-12)
    each = torch.func.vmap(torch.func.grad(lambda c, t: rational(t, c, b).sum()), (None, 0))(a, x)
    whole = torch.func.grad(lambda c: rational(x, c, b).sum())(a)
    assert_close(each.sum(0), whole, 1e-12)


@needs_func
def test_misuse_within_a_transform():
    x, _, a, b = (t.detach() for t in tensors((6, 8)))
    with pytest.raises(grkan.InvalidArgumentError, match="form is 'abs'; expected one of abs_terms"):
        torch.func.vmap(lambda t: rational(t, a, b, "abs"))(x)
    with pytest.raises(grkan.InvalidArgumentError, match="groups is 8"):
        torch.func.vmap(lambda t: rational(t[:4], a, b))(x)


def test_sequences_may_have_any_length():
    _, _, a, b = tensors((1, 16))
    for rows in range(1, MOST_PLANS + 3):
        y = rational(torch.ones(rows, 16), a, b)
    assert len(_kernels._plans) <= MOST_PLANS
    assert_close(y[-1], formula(torch.ones(16).double(), a, b, "abs_terms", -1), 5e-6)
