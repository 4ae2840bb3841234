# SPDX-License-Identifier: Apache-2.0
"""Saved-tensor hooks: backward looks at the tensors that it is given, not at those that forward saw."""

import pytest

torch = pytest.importorskip("torch")

from conftest import coefficients, require

import grkan
from grkan.torch import KAT_Group, KAT_Group2D, formula, rational

SHAPE = (3, 10, 4, 5)
ORDERS = [(0, 1, 2, 3), (0, 2, 3, 1), (1, 0, 2, 3), (3, 2, 1, 0)]  # in memory, from the slowest to the fastest


def tensors(order=(0, 1, 2, 3), dtype=torch.float32, device="cpu"):
    """x with its elements in an order in memory, dy, and coefficients of each channel's group, all different."""
    generator = torch.Generator().manual_seed(1)
    x, dy = (torch.rand(SHAPE, generator=generator, dtype=torch.float64) * 6 - 3 for _ in range(2))
    a, b = (torch.from_numpy(c) for c in coefficients(groups=4, shared=False))
    inverse = sorted(range(4), key=order.__getitem__)
    x = x.permute(order).contiguous().permute(inverse)
    return [t.to(device, dtype).requires_grad_(t is not dy) for t in (x, dy, a, b)]


def gradients(x, dy, a, b, pack, unpack):
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = rational(x, a, b, channel_dim=1)
    return torch.autograd.grad(y, (x, a, b), dy)


def assert_right(found, x, dy, a, b, tolerance=5e-6):
    wide = [t.detach().double().requires_grad_() for t in (x, a, b)]
    for f, e in zip(found, torch.autograd.grad(formula(*wide, channel_dim=1), wide, dy.double())):
        torch.testing.assert_close(f.double(), e, rtol=0, atol=tolerance * float(e.abs().max()))


def with_offset(t):
    """The same values and strides at another place of a larger storage."""
    room = torch.full((t.numel() + 3,), float("nan"), dtype=t.dtype, device=t.device)
    return room.as_strided(t.shape, t.stride(), 3).copy_(t)


def with_gaps(t):
    return t.repeat_interleave(2, -1)[..., ::2]


UNPACKS = {
    "contiguous": lambda t: t.contiguous(),
    "fastest first": lambda t: t.permute(*reversed(range(t.dim()))).contiguous().permute(*reversed(range(t.dim()))),
    "offset": with_offset,
    "gaps": with_gaps,
    "another type and back": lambda t: t.double().contiguous().float(),
    "parameter": lambda t: torch.nn.Parameter(t.detach().contiguous()),
}


@pytest.mark.parametrize("unpack", UNPACKS)
@pytest.mark.parametrize("order", ORDERS)
def test_tensors_that_come_back_otherwise(order, unpack):
    x, dy, a, b = tensors(order)
    found = gradients(x, dy, a, b, lambda t: t.detach().clone(), UNPACKS[unpack])
    assert_right(found, x, dy, a, b)


@pytest.mark.parametrize("order", ORDERS)
def test_quantised_activations(order):
    x, dy, a, b = tensors(order)

    def pack(t):
        return t.bfloat16().contiguous() if t.dim() == 4 else t

    found = gradients(x, dy, a, b, pack, lambda t: t.float())
    assert_right(found, x.bfloat16(), dy, a, b)


@pytest.mark.parametrize("order", ORDERS)
def test_save_on_cpu(order):
    require("cuda")
    x, dy, a, b = tensors(order, device="cuda")
    with torch.autograd.graph.save_on_cpu(pin_memory=True):
        y = rational(x, a, b, channel_dim=1)
    assert_right([t.cpu() for t in torch.autograd.grad(y, (x, a, b), dy.to("cuda"))], *(t.cpu() for t in (x, dy, a, b)))


def test_save_on_cpu_of_tensors_of_the_cpu():
    x, dy, a, b = tensors((0, 2, 3, 1))
    with torch.autograd.graph.save_on_cpu():
        y = rational(x, a, b, channel_dim=1)
    assert_right(torch.autograd.grad(y, (x, a, b), dy), x, dy, a, b)


def is_x(t):
    return t.dim() == 4


def is_numerator(t):
    return t.shape == (4, 6)


@pytest.mark.parametrize("unpack, text", [
    (lambda t: t.bfloat16() if is_x(t) else t, "x has dtype torch.bfloat16 in backward; expected torch.float32"),
    (lambda t: t.double(), "x has dtype torch.float64 in backward; expected torch.float32"),
    (lambda t: t[:, :5] if is_x(t) else t, "x has shape torch.Size([3, 5, 4, 5]) in backward; expected torch.Size([3,"),
    (lambda t: t.flatten() if is_x(t) else t, "x has shape torch.Size([600]) in backward"),
    (lambda t: t.half() if is_numerator(t) else t, "numerator has dtype torch.float16"),
    (lambda t: t.to("meta") if is_x(t) else t, "x has device meta in backward; expected cpu"),
    (lambda t: t.to("meta") if is_numerator(t) else t, "numerator has device meta in backward; expected cpu"),
    (lambda t: t[:, 0] if is_numerator(t) else t, "numerator has shape (4,); expected [groups, coefficients]"),
    (lambda t: t[:3] if is_numerator(t) else t, "numerator has 3 rows"),
])
def test_tensors_that_do_not_fit_are_refused(unpack, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        gradients(*tensors((0, 2, 3, 1)), lambda t: t.detach().clone(), unpack)
    assert text in str(caught.value)


def test_another_gpu_or_none_is_refused():
    require("cuda")
    for move, text in ((lambda t: t.cpu(), "x has device cpu in backward; expected cuda:0"),
                       (lambda t: t.cpu() if is_numerator(t) else t,
                        "numerator has device cpu in backward; expected cuda:0")):
        with pytest.raises(grkan.InvalidArgumentError, match=text):
            gradients(*tensors(device="cuda"), lambda t: t.detach().clone(), move)


@pytest.mark.parametrize("change, text", [
    (lambda g: g.bfloat16(), "x has dtype torch.float32 in backward; expected torch.bfloat16"),
    (lambda g: g[:2], "x has shape .* in backward"),
    (lambda g: g.to("meta"), "x has device cpu in backward; expected meta"),
])
@torch.no_grad()
def test_gradients_of_y_that_do_not_fit_are_refused(change, text):
    """autograd checks dy, but the node can be called without it."""
    x, dy, a, b = tensors()
    with torch.enable_grad():
        y = rational(x, a, b, channel_dim=1)
    with pytest.raises(grkan.InvalidArgumentError, match=text):
        y.grad_fn.apply(change(dy))


def test_gradients_of_y_with_any_strides():
    x, dy, a, b = tensors((0, 2, 3, 1))
    for given in (dy[:1, :1].expand(SHAPE), dy.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0), with_gaps(dy),
                  with_offset(dy)):
        assert_right(torch.autograd.grad(rational(x, a, b, channel_dim=1), (x, a, b), given), x, given, a, b)


@pytest.mark.parametrize("which", [0, 2, 3])
def test_changes_in_place_are_still_seen(which):
    inputs = tensors()
    x, dy, a, b = inputs
    y = rational(x, a, b, channel_dim=1)
    with torch.no_grad():
        inputs[which].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward(dy)


@pytest.mark.parametrize("module", [KAT_Group(2), KAT_Group2D(2)])
def test_second_derivatives_through_hooks(module):
    module = module.double()
    x = torch.rand((3, 4, 2) if type(module) is KAT_Group else (3, 4, 2, 2), dtype=torch.float64, requires_grad=True)

    def function(t):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.contiguous()):
            return module(t)

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)
