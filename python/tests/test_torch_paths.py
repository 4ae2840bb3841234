# SPDX-License-Identifier: Apache-2.0
"""Tensors that are not plain, and what watches or transforms calls: which way rational() goes, with right numbers."""

import copy
import warnings

import pytest

torch = pytest.importorskip("torch")

from conftest import coefficients, require
from torch.autograd import forward_ad, functional
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import grkan
from grkan.torch import KAT_Group, Rational, formula, rational

HAS_OPERATOR = hasattr(torch.library, "register_autograd")
needs_operator = pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")
needs_func = pytest.mark.skipif(not hasattr(torch, "func"), reason="torch.func needs PyTorch 2.0 or later")

torch.manual_seed(0)
A, B = (torch.from_numpy(c) for c in coefficients())
X, DY = torch.randn(2, 5, 3, 16, dtype=torch.float64)


def kernels(x):
    return rational(x, A, B)


def expected(x):
    return formula(x, A, B)


def assert_same(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def leaf(x=X):
    return x.clone().requires_grad_()


def targets(graph_module):
    return [str(node.target) for node in graph_module.graph.nodes]


# Modes that see every operation: the operator is what they see, or before PyTorch 2.4 the formula's operations.

def step(x, a, b):
    return torch.autograd.grad(rational(x, a, b).square().sum(), (x, a, b))


@pytest.mark.parametrize("tracing", ["real", "fake"] + (["symbolic"] if HAS_OPERATOR else []))
def test_make_fx_of_a_step(tracing):
    inputs = [leaf(t) for t in (X, A, B)]
    graph = make_fx(step, tracing_mode=tracing)(*inputs)
    others = [leaf(2 * t) for t in (X, A, B)]
    for found, wanted in zip(graph(*others), step(*others)):
        assert_same(found, wanted)
    if HAS_OPERATOR:
        assert {"grkan.rational_forward.default", "grkan.rational_backward.default"} <= set(targets(graph))


def test_make_fx_of_backward_alone():
    inputs = [leaf(t) for t in (X, A, B)]
    y = rational(*inputs)

    def backward(dy):
        return torch.autograd.grad(y, inputs, dy, retain_graph=True)

    graph = make_fx(backward)(DY)
    for found, wanted in zip(graph(3 * DY), backward(3 * DY)):
        assert_same(found, wanted)


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


def test_a_dispatch_mode_sees_what_is_computed():
    inputs = [leaf(t) for t in (X, A, B)]
    with Seen() as forward:
        y = rational(*inputs)
    with Seen() as backward:
        found = torch.autograd.grad(y, inputs, DY)
    for f, wanted in zip(found, torch.autograd.grad(formula(*inputs), inputs, DY)):
        assert_same(f, wanted)
    if HAS_OPERATOR:
        assert "grkan.rational_forward.default" in forward.names and "grkan.rational_backward.default" in backward.names
    else:
        assert any("div" in name for name in forward.names) and any("mul" in name for name in backward.names)


def test_meta_tensors_also_after_calls_on_the_cpu():
    inputs = [t.to("meta").requires_grad_() for t in (X, A, B)]
    kernels(X)
    y = rational(*inputs)
    assert y.is_meta and y.shape == X.shape
    gradients = torch.autograd.grad(y, inputs, DY.to("meta"))
    assert all(g.is_meta and g.shape == t.shape for g, t in zip(gradients, inputs))
    kernels(X.clone())
    with pytest.raises(grkan.InvalidArgumentError, match="numerator lies on cpu; expected meta, as x"):
        rational(inputs[0], A, B)
    with pytest.raises(grkan.InvalidArgumentError, match="denominator lies on meta; expected cpu, as x"):
        rational(X, A, inputs[2])


# What has rules for PyTorch's own operations only: the formula.

def test_batched_gradients():
    inputs = [leaf(t) for t in (X, A, B)]
    y = rational(*inputs)
    several = torch.randn(4, *y.shape, dtype=y.dtype)
    found = torch.autograd.grad(y, inputs, several, is_grads_batched=True, retain_graph=True)
    one_by_one = [torch.autograd.grad(y, inputs, dy, retain_graph=True) for dy in several]
    for f, wanted in zip(found, zip(*one_by_one)):
        assert_same(f, torch.stack(wanted))


@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"vectorize": True, "create_graph": True},
                                     {"vectorize": True, "strategy": "forward-mode"}])
def test_jacobians(options):
    x = X[0, 0]
    assert_same(functional.jacobian(kernels, x, **options), functional.jacobian(expected, x))


@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy":
                                                                  "forward-mode"}])
def test_hessians(options):
    x = X[0, 0]
    assert_same(functional.hessian(lambda t: kernels(t).square().sum(), x, **options),
                functional.hessian(lambda t: expected(t).square().sum(), x))


def dual_result(function, wrt):
    tensors = [X, A, B]
    with forward_ad.dual_level():
        tensors[wrt] = forward_ad.make_dual(tensors[wrt], tensors[wrt].cos())
        return forward_ad.unpack_dual(function(*tensors)).tangent


@pytest.mark.parametrize("wrt", range(3))
def test_forward_mode(wrt):
    assert_same(dual_result(rational, wrt), dual_result(formula, wrt))


def test_forward_mode_over_reverse_mode():
    def tangents(function):
        x = leaf()
        before = function(x)
        with forward_ad.dual_level():
            (within,) = torch.autograd.grad(function(forward_ad.make_dual(x, DY)).sum(), x)
            (of_dy,) = torch.autograd.grad(before, x, forward_ad.make_dual(X, DY))
            return [forward_ad.unpack_dual(t).tangent for t in (within, of_dy)]

    for found, wanted in zip(tangents(kernels), tangents(expected)):
        assert_same(found, wanted)


def test_gradcheck_of_forward_mode_and_batched_gradients():
    inputs = [leaf(t) for t in (X[:1, :1], A, B)]
    assert torch.autograd.gradcheck(rational, inputs, check_forward_ad=True, check_batched_grad=True,
                                    check_batched_forward_grad=True)
    assert torch.autograd.gradgradcheck(rational, inputs)


@needs_func
@pytest.mark.parametrize("name", ["jacrev", "jacfwd", "hessian"])
def test_transforms_of_torch_func(name):
    transform = getattr(torch.func, name)
    assert_same(transform(lambda t: kernels(t).sum())(X[0, 0]), transform(lambda t: expected(t).sum())(X[0, 0]))


@needs_func
def test_linearized_and_functionalized():
    if hasattr(torch.func, "linearize"):
        assert_same(torch.func.linearize(kernels, X)[1](DY), torch.func.jvp(expected, (X,), (DY,))[1])
    assert_same(torch.func.functionalize(kernels)(X), expected(X))
    assert_same(make_fx(torch.func.functionalize(kernels))(X)(DY), expected(DY))


@needs_func
def test_vmap_over_a_backward_of_a_forward_outside():
    def batched(function):
        x = leaf()
        y = function(x)
        return torch.func.vmap(lambda dy: torch.autograd.grad(y, x, dy)[0])(torch.stack([DY, X]))

    assert_same(batched(kernels), batched(expected))


@needs_func
def test_functional_call_and_ensembles():
    modules = [Rational(groups=4, init=init).double() for init in ("gelu", "tanh")]
    parameters, buffers = torch.func.stack_module_state(modules)
    base = copy.deepcopy(modules[0])

    def call(parameters, buffers, x):
        return torch.func.functional_call(base, (parameters, buffers), (x,))

    found = torch.func.vmap(call, (0, 0, None))(parameters, buffers, X)
    assert_same(found, torch.stack([module(X) for module in modules]))


def test_vmap_as_it_was_before_torch_func():
    from torch._vmap_internals import vmap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(vmap(kernels)(X), expected(X))
        assert_same(vmap(lambda a: rational(X, a, B))(torch.stack([A, 2 * A])),
                    torch.stack([kernels(X), 2 * kernels(X)]))


@needs_operator
def test_vmap_of_the_operator():
    operator = torch.ops.grkan.rational.default
    with warnings.catch_warnings():
        warnings.simplefilter("error" if hasattr(torch.library, "register_vmap") else "ignore")
        assert_same(torch.vmap(lambda t: operator(t, A, B, 0, -1))(X), expected(X))
        assert_same(torch.vmap(lambda t: operator(t, A, B, 0, 1), 2, 2)(X.transpose(1, 2).contiguous()),
                    formula(X.transpose(1, 2), A, B, "abs_terms", 1))
        assert_same(torch.vmap(lambda a, b: operator(X, a, b, 0, -1), (0, 1))(
            torch.stack([A, 2 * A]), torch.stack([B, 3 * B], 1)), torch.stack([expected(X), formula(X, 2 * A, 3 * B)]))


@pytest.mark.parametrize("channel_dim", [None, 1.0, "1", 2**70])
@pytest.mark.parametrize("options", [{}, {"bias": torch.zeros(16, dtype=torch.float64)}], ids=["plain", "bias"])
def test_channels_that_are_no_dimension_are_refused_alike(channel_dim, options):
    def call(x=X):
        return rational(x, A, B, "abs_terms", channel_dim, **options)

    def watched():
        with Seen():
            return call()

    for way in (call, watched, lambda: call(leaf()), lambda: dual_result(lambda x, a, b: call(x), 0)):
        with pytest.raises(grkan.InvalidArgumentError, match=r"^channel_dim is .*; expected a dimension of x, whose"):
            way()


# Bits that say how memory is to be read.

def test_a_lazy_negative_bit():
    x = leaf()
    y = rational(torch._neg_view(x), torch._neg_view(A), torch._neg_view(B))
    assert_same(y, formula(-x, -A, -B))
    (found,), (wanted,) = (torch.autograd.grad(y_, x, dy) for y_, dy in ((y, torch._neg_view(DY)),
                                                                        (formula(-x, -A, -B), -DY)))
    assert_same(found, wanted)
    (found,) = torch.autograd.grad(kernels(x), x, torch._neg_view(DY))
    assert_same(found, torch.autograd.grad(expected(x), x, -DY)[0])


@pytest.mark.parametrize("shape", [(5, 16), (5, 1), (1, 1)])
def test_parts_of_conjugates(shape):
    z = torch.randn(shape, dtype=torch.complex128)
    b = B[:1]
    assert_same(rational(z.conj().imag, A, b), formula(-z.imag.clone(), A, b))
    assert_same(rational(z.conj().real, A, b), formula(z.real.clone(), A, b))


def test_zeros_without_memory():
    zeros = [torch._efficientzerotensor(t.shape, dtype=t.dtype) for t in (X, A, B)]
    assert_same(kernels(zeros[0]), expected(torch.zeros_like(X)))
    assert_same(rational(X, zeros[1], B), torch.zeros_like(X))
    assert_same(rational(X, A, zeros[2]), formula(X, A, torch.zeros_like(B)))
    x = leaf()
    assert not torch.autograd.grad(kernels(x), x, zeros[0])[0].any()


OTHERS = {
    "sparse": lambda t: t.to_sparse(),
    "compressed": lambda t: t.to_sparse_csr(),
    "mkldnn": lambda t: t.float().to_mkldnn(),
    "nested": lambda t: getattr(torch, "nested", torch).nested_tensor([t, t[:1]]),
    "quantised": lambda t: torch.quantize_per_tensor(t.float(), 0.1, 0, torch.qint8),
    "complex": lambda t: t.to(torch.complex128),
    "list": lambda t: t.tolist(),
    "array": lambda t: t.numpy(),
    "None": lambda t: None,
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("which", range(3))
@pytest.mark.filterwarnings("ignore")
def test_what_is_refused_is_named(kind, which):
    tensors = [X[0], A, B]
    tensors[which] = OTHERS[kind](tensors[which])
    if which > 0 and kind in ("quantised", "complex"):
        pytest.skip("coefficients are converted to f64")
    with pytest.raises(grkan.InvalidArgumentError, match=f"^{('x', 'numerator', 'denominator')[which]} "):
        rational(*tensors)


def test_ragged_tensors_are_refused():
    if not hasattr(torch, "jagged"):
        pytest.skip("torch.jagged needs PyTorch 2.1 or later")
    with pytest.raises(grkan.InvalidArgumentError, match=r"x has layout torch.jagged .*; expected a dense tensor"):
        kernels(torch.nested.nested_tensor([X[0], X[1, :2]], layout=torch.jagged))


# Subclasses, and modes of __torch_function__: rational() can be overridden like PyTorch's own functions.

class Named(torch.Tensor):
    seen = []

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        cls.seen.append(function)
        return super().__torch_function__(function, types, args, kwargs or {})


class NamedParameter(torch.nn.Parameter):
    pass


@pytest.mark.parametrize("which", range(3))
def test_subclasses_of_tensor(which):
    tensors = [leaf(t) for t in (X, A, B)]
    given = list(tensors)
    given[which] = given[which].as_subclass(Named)
    Named.seen.clear()
    y = rational(*given)
    assert rational in Named.seen and type(y) is Named
    found = torch.autograd.grad(y.sum(), tensors)
    for f, wanted in zip(found, torch.autograd.grad(formula(*tensors).sum(), tensors)):
        assert_same(f.as_subclass(torch.Tensor), wanted)


def test_subclasses_of_parameter():
    module = KAT_Group().double()
    module.weight_numerator = NamedParameter(module.weight_numerator.detach())
    y = module(X)
    y.sum().backward()
    assert_same(y, formula(X, module.weight_numerator, module.weight_denominator))
    assert module.weight_numerator.grad is not None


def test_tensors_that_wrap_others():
    class Wrapper(torch.Tensor):
        seen = []

        @staticmethod
        def __new__(cls, inner):
            return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

        def __init__(self, inner):
            self.inner = inner

        __torch_function__ = torch._C._disabled_torch_function_impl

        @classmethod
        def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
            cls.seen.append(str(function))
            unwrapped = [arg.inner if isinstance(arg, cls) else arg for arg in args]
            result = function(*unwrapped, **(kwargs or {}))
            return cls(result) if isinstance(result, torch.Tensor) else result

    y = kernels(Wrapper(X))
    assert type(y) is Wrapper
    assert_same(y.inner, expected(X))
    assert not HAS_OPERATOR or Wrapper.seen == ["grkan.rational_forward.default"]


def test_a_mode_of_torch_function():
    class Recorder(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    seen = []
    with Recorder():
        y = kernels(X)
    assert seen[0] is rational
    assert_same(y, expected(X))


@pytest.mark.skipif(not hasattr(torch, "set_default_device"), reason="needs PyTorch 2.0 or later")
def test_a_default_device():
    with torch.device("meta"):
        module = KAT_Group()
        assert_same(kernels(X), expected(X))
        assert module(torch.ones(2, 16)).is_meta


# Compiled transforms.

@needs_operator
@pytest.mark.parametrize("transform", ["grad", "vmap", "jvp", "dual"])
def test_compiled_transforms(transform):
    torch._dynamo.reset()

    def dual(x):
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(kernels(forward_ad.make_dual(x, x))).tangent

    functions = {
        "grad": lambda: torch.func.grad(lambda x: kernels(x).square().sum()),
        "vmap": lambda: torch.func.vmap(kernels),
        "jvp": lambda: lambda x: torch.func.jvp(kernels, (x,), (x,))[1],
        "dual": lambda: dual,
    }
    function = functions[transform]()
    assert_same(torch.compile(function, backend="aot_eager")(X), function(X))


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_autocast_takes_each_way(where):
    require(where)
    x = X.to(where, torch.bfloat16)
    a, b = (t.to(where, torch.float32) for t in (A, B))
    with torch.autocast(where, dtype=torch.bfloat16):
        assert rational(x, a, b).dtype == formula(x, a, b).dtype == torch.bfloat16
        with forward_ad.dual_level():
            y, tangent = forward_ad.unpack_dual(rational(forward_ad.make_dual(x, x), a, b))
    assert y.dtype == tangent.dtype == torch.bfloat16
