# SPDX-License-Identifier: Apache-2.0
"""Graphs that others make of modules: torch.fx.symbolic_trace, torch.jit.trace and both of ONNX's exporters."""

import copy
import pickle
import warnings

import pytest

torch = pytest.importorskip("torch")

from conftest import coefficients

from grkan.torch import KAT_Group, KAT_Group2D, Rational, formula, rational

HAS_OPERATOR = hasattr(torch.library, "register_autograd")

torch.manual_seed(0)
A, B = (torch.from_numpy(c) for c in coefficients())
X = torch.randn(5, 3, 16, dtype=torch.float64)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(16, 20)
        self.first = KAT_Group()  # 20 channels in 8 groups: uneven
        self.second = Rational(groups=3, form="abs_sum_offset", channel_dim=1, shared_numerator=False)
        self.third = KAT_Group2D(5)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(0.1 * torch.rand_like(parameter))

    def forward(self, x):
        x = self.second(self.first(self.linear(x)))
        return self.third(x.transpose(1, 2).unsqueeze(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_symbolic_trace(dtype):
    """One graph for every type, shape and device; its calls take the way that their tensors ask for."""
    graph = torch.fx.symbolic_trace(Network())
    assert "float32" not in graph.code
    model = copy.deepcopy(graph).to(dtype)
    other = Network().to(dtype)
    for shape in ((5, 3, 16), (2, 7, 16)):
        x = torch.randn(shape).to(dtype)
        assert torch.equal(model(x), other(x))
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again(x), other(x))


def test_symbolic_trace_of_the_functions():
    for graph in (torch.fx.symbolic_trace(lambda x, a, b: rational(x, a, b, "abs_sum", channel_dim=1)),
                  torch.fx.symbolic_trace(lambda x, a, b: formula(x, a, b, "abs_sum", channel_dim=1))):
        for x in (X, X.float()):
            a, b = A.to(x.dtype), B[:3].to(x.dtype)
            torch.testing.assert_close(graph(x, a, b), formula(x, a, b, "abs_sum", 1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_jit_trace_records_the_formula():
    model = Network()
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        traced = torch.jit.trace(model, (torch.randn(2, 3, 16),))
    for shape in ((2, 3, 16), (4, 3, 16)):
        x = torch.randn(shape)
        torch.testing.assert_close(traced(x), model(x), rtol=1e-5, atol=1e-5)


def run_onnx(file, x):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator
    model = onnx.load(file)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}  # of ONNX's own operators
    (y,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.numpy()})
    return torch.from_numpy(y)


def export_old(model, x, file):
    options = {"dynamo": False} if HAS_OPERATOR and hasattr(torch.onnx, "ONNXProgram") else {}
    torch.onnx.export(model, (x,), file, input_names=["x"], dynamic_axes={"x": {0: "batch"}}, **options)


def export_new(model, x, file):
    torch.onnx.export(model, (x,), file, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},))


def export_program(model, x, file):
    torch.onnx.export(torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)), (x,), file)


@pytest.mark.parametrize("export", [export_old, export_new, export_program])
@pytest.mark.filterwarnings("ignore")
def test_onnx(export, tmp_path):
    if export is not export_old:
        pytest.importorskip("onnxscript")
        if not HAS_OPERATOR:
            pytest.skip("needs PyTorch 2.4 or later")
    model = Network().eval()
    file = str(tmp_path / "model.onnx")
    export(model, torch.randn(2, 3, 16), file)
    for batch in (2, 4):
        x = torch.randn(batch, 3, 16)
        torch.testing.assert_close(run_onnx(file, x), model(x).detach(), rtol=1e-4, atol=1e-5)
