# SPDX-License-Identifier: Apache-2.0
"""Functions of C that pass by PyTorch's dispatcher: they do what the operator does, or leave the call to it."""

import contextlib

import pytest
import torch
from grkan.torch import KAT_Group, _native, _prologues, norm_rational, rational, rational_linear
from torch.autograd import forward_ad

pytestmark = pytest.mark.skipif(
    _native.library is None or not hasattr(torch.Tensor, "__dlpack_c_exchange_api__"),
    reason="operators in C, and PyTorch's DLPack functions (2.10) are not there")


class LeftAsideError(Exception):
    """The call was left to the dispatcher."""


class Subclass(torch.Tensor):
    pass


def refuse(*arguments):
    raise LeftAsideError


def tables(dtype=torch.float32):
    module = KAT_Group()
    return module.weight_numerator.detach().to(dtype), module.weight_denominator


def x_of(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def forward():
    return _native.direct("rational_forward", refuse)


TAKEN = {
    "plain": lambda: x_of(2, 3, 64),
    "requires a gradient": lambda: x_of(2, 3, 64).requires_grad_(),
    "one dimension": lambda: x_of(64),
    "bfloat16": lambda: x_of(2, 3, 64).bfloat16(),
    "transposed": lambda: x_of(3, 2, 64).transpose(0, 1),
    "a part": lambda: x_of(4, 3, 64)[1:],
    "empty": lambda: x_of(0, 64),
    "parameter": lambda: torch.nn.Parameter(x_of(3, 64)),
}


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_plain_tensors_pass_by_the_dispatcher(forward, make):
    x = make()
    expected = torch.ops.grkan.rational_forward(x, *tables(), 0, -1)
    found = forward(x, *tables(), 0, -1)
    assert type(found) is torch.Tensor and not found.requires_grad and found.grad_fn is None
    assert torch.equal(found, expected) and found.stride() == expected.stride() and found.dtype is x.dtype
    assert found.untyped_storage().resizable()  # PyTorch's own memory


def test_backward_gives_a_tuple():
    x, dy = x_of(2, 3, 64), x_of(2, 3, 64).flip(0)
    found = _native.direct("rational_backward", refuse)(dy, x, *tables(), 0, -1)
    expected = torch.ops.grkan.rational_backward(dy, x, *tables(), 0, -1)
    assert type(found) is tuple and len(found) == 3 and all(map(torch.equal, found, expected))


def test_gradients_that_nobody_wants_are_not_made():
    x, dy, (a, b), empty = x_of(2, 3, 64), x_of(2, 3, 64).flip(0), tables(), torch.empty(0)
    arguments = dy, x, a, b, torch.ones(64), *[empty] * 3, 0, -1, 1, 0.0, 0b01010  # of the numerator and the bias
    found = _native.direct("prologue_rational_backward", refuse)(*arguments)
    expected = torch.ops.grkan.prologue_rational_backward(*arguments)
    for k, (own, other) in enumerate(zip(found, expected, strict=True)):
        assert (own is None and other.shape == (0,)) if k not in (1, 3) else torch.equal(own, other)


@pytest.fixture(scope="module")
def forward_into():
    return _native.direct("rational_forward_into", refuse)


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_results_go_where_they_are_wanted(forward_into, make):
    x = make()
    expected = torch.ops.grkan.rational_forward(x, *tables(), 0, -1)
    y = torch.full_like(expected, torch.nan)
    assert forward_into(y, x, *tables(), 0, -1) == () and torch.equal(y, expected)


@pytest.mark.parametrize("make", [
    lambda: x_of(3, 64).bfloat16(), lambda: x_of(4, 64), lambda: x_of(3, 64, 1), lambda: x_of(64, 3).t(),
    lambda: x_of(3, 128)[:, ::2], lambda: x_of(3, 64).to("meta"), lambda: x_of(3, 64).as_subclass(Subclass),
], ids=["another type", "rows", "dimensions", "strides", "gaps", "meta", "subclass"])
def test_results_that_cannot_go_there_are_left_to_the_dispatcher(forward_into, make):
    y = make()
    before = None if y.is_meta else y.clone()
    with pytest.raises(LeftAsideError):
        forward_into(y, x_of(3, 64), *tables(), 0, -1)
    assert before is None or torch.equal(y, before)


def test_in_inference_mode_results_are_inference_tensors(forward):
    with torch.inference_mode():
        assert forward(x_of(3, 64), *tables(), 0, -1).is_inference()


LEFT = {
    "with gaps": lambda: (x_of(2, 3, 128)[:, :, ::2], *tables(), 0, -1),
    "negated": lambda: (torch.view_as_complex(x_of(2, 3, 64, 2)).conj().imag, *tables(), 0, -1),
    "negated without gaps": lambda: (torch._neg_view(x_of(3, 64)), *tables(), 0, -1),
    "subclass": lambda: (x_of(3, 64).as_subclass(Subclass), *tables(), 0, -1),
    "no tensor": lambda: (None, *tables(), 0, -1),
    "integers": lambda: (torch.ones(3, 64, dtype=torch.int32), *tables(), 0, -1),
    "table of another type": lambda: (x_of(3, 64), *tables(torch.float64), 0, -1),
    "no such form": lambda: (x_of(3, 64), *tables(), 99, -1),
    "no number": lambda: (x_of(3, 64), *tables(), "abs_terms", -1),
    "no such dimension": lambda: (x_of(3, 64), *tables(), 0, 2),
    "too few": lambda: (x_of(3, 64), *tables(), 0),
    "meta": lambda: (x_of(3, 64).to("meta"), *tables(), 0, -1),
    "sparse": lambda: (x_of(3, 64).to_sparse(), *tables(), 0, -1),
    "zeros without memory": lambda: (torch._efficientzerotensor((3, 64)), *tables(), 0, -1),
}


@pytest.mark.parametrize("make", LEFT.values(), ids=LEFT)
def test_what_no_kernel_takes_is_left_to_the_dispatcher(forward, make):
    arguments = make()
    with pytest.raises(LeftAsideError):
        forward(*arguments)


class SeesFunctions(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), named=None):
        return function(*arguments, **(named or {}))


class SeesOperators(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, operator, types, arguments=(), named=None):
        return operator(*arguments, **(named or {}))


@contextlib.contextmanager
def profiled():
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        yield


@pytest.mark.parametrize("watch", [SeesFunctions, SeesOperators, profiled, forward_ad.dual_level])
def test_whoever_watches_sees_the_operator(forward, watch):
    x = x_of(3, 64)
    with watch(), pytest.raises(LeftAsideError):
        forward(x, *tables(), 0, -1)
    forward(x, *tables(), 0, -1)


def test_traces_and_transforms_see_the_operator(forward):
    left = []

    def function(x):
        try:
            forward(x, *tables(), 0, -1)
        except LeftAsideError:
            left.append(x)
        return x.sum()

    x = x_of(3, 64)
    torch.jit.trace(function, (x,), check_trace=False)
    torch.func.grad(function)(x)
    torch.func.vmap(function)(x)
    assert len(left) == 3


def test_the_profiler_has_the_operator_by_name():
    module, x = KAT_Group(), x_of(3, 64)
    with torch.no_grad(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        module(x)
    assert "grkan::rational_forward" in [event.key for event in profile.key_averages()]


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_without_gradients_nothing_is_left_to_python(monkeypatch, guard):
    monkeypatch.setattr("grkan.torch._autograd._eager", refuse)
    module, x = KAT_Group(), x_of(2, 3, 64)
    with guard():
        assert torch.equal(module(x), torch.ops.grkan.rational_forward(x, *module.parameters(), 0, -1))
        with pytest.raises(LeftAsideError):
            rational(x[:, :, ::2], *module.parameters())
    with pytest.raises(LeftAsideError):
        module(x)


PROLOGUES = {
    "norm": lambda x, a, b, scale, shift: norm_rational(x, scale, shift, a, b),
    "rms_norm": lambda x, a, b, scale, shift: norm_rational(x, scale, None, a, b, norm="rms_norm", eps=None),
    "bias": lambda x, a, b, scale, shift: rational(x, a, b, bias=shift),
    "narrow": lambda x, a, b, scale, shift: rational(x, a, b, bias=shift, out_dtype=torch.bfloat16),
}


@pytest.mark.parametrize("call", PROLOGUES.values(), ids=PROLOGUES)
def test_prologues_without_gradients_take_the_short_way(monkeypatch, call):
    inputs = (x_of(3, 64), *tables(), torch.ones(64), torch.zeros(64))
    expected = call(*inputs)  # the long way, which gradients take
    with torch.no_grad():
        call(*inputs)  # which makes what stands for a table that is not there
        monkeypatch.setattr(_prologues, "_without_gradients", _native.direct("prologue_rational_forward", refuse))
        monkeypatch.setattr(_prologues, "compute", refuse)
        assert torch.equal(call(*inputs), expected)
        with pytest.raises(LeftAsideError):
            call(torch._neg_view(inputs[0]), *inputs[1:])


def test_prologues_with_gradients_pass_by_the_dispatcher(monkeypatch):
    for name in ("forward", "norm_forward", "backward", "function"):
        monkeypatch.setattr(_prologues.kernels, name, refuse)
    inputs = [t.requires_grad_() for t in (x_of(3, 64), *tables(), torch.ones(64), torch.zeros(64))]
    for call in PROLOGUES.values():
        call(*inputs).sum().backward()
    rational_linear(*inputs[:3], torch.ones(2, 64, requires_grad=True), bias=inputs[-1]).sum().backward()


def test_references_are_given_back(forward):
    import sys

    x, (a, b) = x_of(3, 64), tables()
    before = [sys.getrefcount(t) for t in (x, a, b, torch.Tensor, torch.nn.Parameter, None, True, False)]
    for arguments in ((x, a, b, 0, -1), (x, a, b, 99, -1)):
        for _ in range(100):
            with contextlib.suppress(LeftAsideError):
                result = forward(*arguments)
    after = [sys.getrefcount(t) for t in (x, a, b, torch.Tensor, torch.nn.Parameter, None, True, False)]
    assert sys.getrefcount(result) == 2
    assert all(now - then < 50 for then, now in zip(before, after))


def test_threads_share_a_function(forward):
    import concurrent.futures

    x = x_of(64, 512)
    expected = forward(x, *tables(), 0, -1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(y, expected) for y in pool.map(lambda _: forward(x, *tables(), 0, -1), range(64)))
