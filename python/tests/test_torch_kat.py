# SPDX-License-Identifier: Apache-2.0
"""The plain KAT's MLP, whose second rational takes the bias of the linear layer before where nobody can tell."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

import grkan
from grkan.torch import FlashKAT_Group, GroupRationalMlp, KAT_Group, Rational, rational

HAS_OPERATOR = hasattr(torch.library, "register_autograd")
CHANNELS, HIDDEN = 8, 16


def mlp(activation=lambda channels, mode: KAT_Group(4, mode), dtype=torch.float64):
    torch.manual_seed(0)
    made = GroupRationalMlp(nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, CHANNELS), activation).to(dtype)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def by_modules(model, x):
    return model.fc2(model.act2(model.fc1(model.act1(x))))


X = torch.randn(2, 3, CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Biases(TorchFunctionMode):
    """How many rationals have taken a bias."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += function is rational and (kwargs or {}).get("bias") is not None
        return function(*args, **(kwargs or {}))


def takes_bias(model, x):
    with Biases() as seen:
        model(x)
    return seen.count == 1


def step(function, x, parameters):
    x = x.clone().requires_grad_()
    y = function(x)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), (x, *parameters))]


def assert_same(found, expected, tolerance=1e-10):
    for f, e in zip(found, expected):
        assert f.dtype is e.dtype
        torch.testing.assert_close(f, e, rtol=tolerance, atol=tolerance * max(1.0, float(e.abs().max())))


ACTIVATIONS = {"KAT": lambda channels, mode: KAT_Group(4, mode), "Rational": lambda channels, mode: Rational(2, mode),
               "FlashKAT": lambda channels, mode: FlashKAT_Group(channels, 1, 4, 6, 4, mode)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_function(activation):
    model = mlp(ACTIVATIONS[activation])
    assert takes_bias(model, X)
    with torch.no_grad():  # what has to be asked first would cost the host more than the bias does
        assert not takes_bias(model, X)
    for x in (X, X[0], X[0, 0]) if activation != "KAT" else (X, X[0]):
        assert_same(step(model, x, model.parameters()), step(lambda t: by_modules(model, t), x, model.parameters()))
        with torch.no_grad():
            assert_same([model(x)], [by_modules(model, x)])
    frozen = mlp(ACTIVATIONS[activation])
    frozen.fc1.requires_grad_(False)
    assert_same(step(frozen, X, frozen.act2.parameters()), step(model, X, model.act2.parameters()))


def test_under_autocast_the_bias_is_not_rounded():
    """And so the result is nearer to the one of f64."""
    model, wide = mlp(dtype=torch.float32), mlp()
    with torch.autocast("cpu", torch.bfloat16):
        assert takes_bias(model, X.float())
        y, other, exact = model(X.float()), by_modules(model, X.bfloat16()), wide(X)
    assert y.dtype is torch.bfloat16
    torch.testing.assert_close(y, other, rtol=0.05, atol=0.05)
    assert (y - exact).square().sum() < 1.1 * (other - exact).square().sum()
    y.sum().backward()
    assert model.fc1.bias.grad.dtype is torch.float32


def add_one(module, inputs, y):
    return y + 1


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class DoubledKAT(KAT_Group):
    def forward(self, x):
        return 2 * super().forward(x)


class Twice(nn.Module):
    def forward(self, weight):
        return 2 * weight


class OwnCall(nn.Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Subclass(torch.Tensor):
    pass


def replace(model, name, kind):
    made = kind.__new__(kind)
    made.__dict__ = getattr(model, name).__dict__
    setattr(model, name, made)


def own_forward(module):
    """As accelerate's hooks do."""
    forward = module.forward
    module.forward = lambda x: 2 * forward(x)


def one_number(model):
    model.fc1.bias = nn.Parameter(torch.ones(1, dtype=torch.float64))


def subclassed(model):
    model.fc1.bias = nn.Parameter(model.fc1.bias.detach().as_subclass(Subclass))


MORE = {
    "forward hook": lambda model: model.fc1.register_forward_hook(add_one),
    "forward pre-hook": lambda model: model.act2.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],)),
    "backward hook": lambda model: model.fc1.register_full_backward_hook(lambda module, dx, dy: (2 * dx[0],)),
    "backward hook of the activation": lambda model: model.act2.register_full_backward_hook(
        lambda module, dx, dy: (2 * dx[0],)),
    "hook of all modules": lambda model: nn.modules.module.register_module_forward_hook(add_one),
    "backward hook of all modules": lambda model: nn.modules.module.register_module_full_backward_hook(
        lambda module, dx, dy: (2 * dx[0],) if dx[0] is not None else None),
    "own forward": lambda model: own_forward(model.fc1),
    "own forward of the activation": lambda model: own_forward(model.act2),
    "another linear layer": lambda model: replace(model, "fc1", Doubled),
    "another rational": lambda model: replace(model, "act2", DoubledKAT),
    "another call": lambda model: replace(model, "fc1", OwnCall),
    "weight norm": lambda model: nn.utils.weight_norm(model.fc1),
    "parametrization": lambda model: parametrize.register_parametrization(model.fc1, "bias", Twice()),
    "bias of one number": one_number,
    "bias of a subclass": subclassed,
    "bias of another type": lambda model: (model.fc1.float(), model.act1.register_forward_hook(
        lambda module, inputs, y: y.float()), model.act2.register_forward_hook(lambda module, inputs, y: y.double())),
    "another type throughout": lambda model: model.bfloat16(),
    "without bias": lambda model: model.fc1.register_parameter("bias", None),
    "compiled": lambda model: model.fc1.compile(backend="eager"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", MORE)
def test_modules_with_more_to_them_are_called(what):
    if what == "compiled" and not HAS_OPERATOR:
        pytest.skip("module.compile() needs PyTorch 2.2 or later")
    model = mlp()
    handle = MORE[what](model)
    try:
        x = X.to(next(model.fc2.parameters()).dtype)
        parameters = list(model.parameters())
        assert_same(step(model.forward, x, parameters), step(lambda t: by_modules(model, t), x, parameters))
        if what != "bias of another type":  # of f64 as the input, whatever act1 gives
            assert not takes_bias(model, x)
    finally:
        if "all modules" in what:
            handle.remove()


def test_what_is_wrong_is_told_as_before():
    model = mlp(dtype=torch.float32)
    for x in (torch.randn(2, 3, 4, CHANNELS), torch.tensor(1.0), torch.ones(2, 5)):
        found = []
        for function in (model, lambda x: by_modules(model, x)):
            with pytest.raises((grkan.InvalidArgumentError, RuntimeError)) as caught:
                function(x)
            found.append(str(caught.value).replace("addmm: ", "mm: "))  # whatever multiplied
        assert found[0] == found[1]


def jvp(function, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(function(forward_ad.make_dual(x, x.cos()))).tangent


def ensemble(function, x):
    """Of two models with the same parameters, by torch.func."""
    parameters = {name: torch.stack([p, p]) for name, p in MODEL.named_parameters()}
    call = torch.func.vmap(lambda one, x: torch.func.functional_call(MODEL, one, (x,)), (0, None))
    return call(parameters, x)[1]


def checkpointed(function, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(checkpoint(function, x, use_reentrant=False).sum(), x)[0]


def of_all(function, x):
    return torch.func.functional_call(MODEL, {n: 2 * p.detach() for n, p in MODEL.named_parameters()}, (x,))


def with_all_twice(function, x):
    twice = mlp()
    with torch.no_grad():
        for parameter in twice.parameters():
            parameter.mul_(2)
    return by_modules(twice, x)


MODEL = mlp()
# Each with what it gives of the modules' calls, if that is not the same of by_modules.
OTHERS = {
    "forward mode": (jvp, None),
    "checkpoint": (checkpointed, None),
    "second derivatives": (lambda function, x: torch.autograd.functional.hessian(
        lambda t: function(t).square().sum(), x[0, :1]), None),
    "jit.trace": (lambda function, x: torch.jit.trace(function, (x,), check_trace=False)(2 * x),
                  lambda function, x: function(2 * x)),
    "make_fx": (lambda function, x: make_fx(function)(x)(2 * x),
                lambda function, x: function(2 * x)),
    "jacfwd": (lambda function, x: torch.func.jacfwd(function)(x[0, :1]), None),
    "vmap": (lambda function, x: torch.func.vmap(function)(x), lambda function, x: function(x)),
    "functional_call": (of_all, with_all_twice),
    "ensemble": (ensemble, lambda function, x: function(x)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", OTHERS)
def test_who_else_calls_it(what):
    if what in ("jacfwd", "vmap", "functional_call", "ensemble") and not hasattr(torch, "func"):
        pytest.skip("torch.func needs PyTorch 2.0 or later")
    one, other = OTHERS[what]
    assert_same([one(MODEL, X)], [(other or one)(lambda x: by_modules(MODEL, x), X)])


def test_graphs_have_the_modules_calls():
    model = mlp()
    model.narrow_input = False  # which asks for the input's device
    graph = torch.fx.symbolic_trace(model)
    targets = [node.target for node in graph.graph.nodes if node.op in ("call_module", "call_function")]
    assert targets == [rational, "fc1", rational, "fc2"]
    assert_same([graph(X)], [MODEL(X)])
    traced = torch.jit.trace(MODEL, (X,), check_trace=False)
    assert "bias" in traced.fc1.code


@pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")
@pytest.mark.parametrize("strict", [False, True])
def test_exported_programs_have_the_modules_calls(strict):
    program = torch.export.export(MODEL, (X,), strict=strict)
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("grkan.rational.default") == 2 and "grkan.prologue_rational.default" not in targets
    assert_same([program.module()(X)], [MODEL(X)])


@pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")
def test_modules_with_more_to_them_are_called_by_compiled_programs():
    torch._dynamo.reset()
    for what in ("forward hook", "own forward of the activation", "another linear layer", "parametrization"):
        model = mlp()
        MORE[what](model)
        with torch.no_grad():
            assert_same([torch.compile(model, backend="aot_eager")(X)], [by_modules(model, X)])
