# SPDX-License-Identifier: Apache-2.0
"""Graphs that others make of modules: torch.fx.symbolic_trace, torch.jit.trace, torch.export and both of ONNX's
exporters."""

import copy
import io
import pickle
import warnings

import pytest

torch = pytest.importorskip("torch")

from conftest import FORMS, coefficients, run_python

from grkan.torch import GroupRationalMlp, KAT_Group, KAT_Group2D, Rational, formula, rational

HAS_OPERATOR = hasattr(torch.library, "register_autograd")
needs_operator = pytest.mark.skipif(not HAS_OPERATOR, reason="needs PyTorch 2.4 or later")

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


def test_symbolic_trace_of_a_kats_mlp():
    """Autocast's type is that of the graph's calls, not of the trace."""
    mlp = GroupRationalMlp(torch.nn.Linear(16, 24), torch.nn.Linear(24, 16))
    graph, x = torch.fx.symbolic_trace(mlp), torch.randn(5, 16)
    assert torch.equal(graph(x), mlp(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = graph(x), mlp(x)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)  # the graph adds fc1's bias apart, in 16 bits


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
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    assert torch.equal(torch.jit.load(file)(x), traced(x))


def exported(model, x):
    return torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))


def namespaces(program):
    """Whose operators a program calls."""
    return {node.target.namespace for node in program.graph.nodes if isinstance(node.target, torch._ops.OpOverload)}


@needs_operator
@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_runs_in_another_process(tmp_path):
    """The same bits, for any number of images: the program has the operator in it."""
    model, x = Network().eval(), torch.randn(3, 3, 16)
    torch.export.save(exported(model, x), tmp_path / "model.pt2")
    torch.save((x[:2], model(x[:2]).detach()), tmp_path / "answer.pt")
    done = run_python("-c", "import sys, torch, grkan.torch\n"
                      "x, y = torch.load(sys.argv[2])\n"
                      "print(torch.equal(torch.export.load(sys.argv[1]).module()(x), y))",
                      tmp_path / "model.pt2", tmp_path / "answer.pt")
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@needs_operator
@pytest.mark.filterwarnings("ignore")
def test_decompositions_keep_the_kernels_unless_the_formula_is_asked_for():
    model, x = Network().eval(), torch.randn(3, 3, 16)
    program, expected = exported(model, x), model(x)
    kept = program.run_decompositions()
    assert namespaces(kept) == {"aten", "grkan"} and torch.equal(kept.module()(x), expected)
    plain = program.run_decompositions(torch._decomp.get_decompositions([torch.ops.grkan.rational_forward.default]))
    assert namespaces(plain) == {"aten"}
    torch.testing.assert_close(plain.module()(x), expected, rtol=1e-5, atol=1e-5)


def check_onnx(file):
    """The model in a file, which has operators of ONNX's own alone."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(file)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    return model


def run_onnx(file, x):
    model = check_onnx(file)
    from onnx.reference import ReferenceEvaluator
    (y,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.numpy()})
    return torch.from_numpy(y)


def export_old(model, x, file):
    options = {"dynamo": False} if HAS_OPERATOR and hasattr(torch.onnx, "ONNXProgram") else {}
    torch.onnx.export(model, (x,), file, input_names=["x"], dynamic_axes={"x": {0: "batch"}}, **options)


def export_new(model, x, file):
    torch.onnx.export(model, (x,), file, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},))


def export_program(model, x, file):
    torch.onnx.export(exported(model, x), (x,), file)


def require_exporter(export):
    if export is not export_old:
        pytest.importorskip("onnxscript")
        if not HAS_OPERATOR:
            pytest.skip("needs PyTorch 2.4 or later")


@pytest.mark.parametrize("export", [export_old, export_new, export_program])
@pytest.mark.filterwarnings("ignore")
def test_onnx(export, tmp_path):
    require_exporter(export)
    model = Network().eval()
    file = str(tmp_path / "model.onnx")
    export(model, torch.randn(2, 3, 16), file)
    for batch in (2, 4):
        x = torch.randn(batch, 3, 16)
        torch.testing.assert_close(run_onnx(file, x), model(x).detach(), rtol=1e-4, atol=1e-5)


class EveryForm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.rationals = torch.nn.ModuleList(Rational(3, form=form, shared_numerator=False, channel_dim=1)
                                             for form in FORMS)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(1 + 0.1 * torch.rand_like(parameter))

    def forward(self, x):
        return torch.stack([each(x) for each in self.rationals])


def exact(model, x):
    """What each rational gives in f64, and what an error of 1 in each of P's and Q's terms would come to."""
    values, scales = [], []
    for each in model.rationals:
        a, b = each.numerator.double(), each.denominator.double()
        one, none = torch.eye(1, a.shape[1], dtype=a.dtype), torch.zeros_like(b[:1, :1])
        over_q, least_over_q = (formula(t, one, c, each.form, 1) for t, c in ((x, b), (x.abs(), b.abs())))
        values.append(formula(x, a, b, each.form, 1))
        scales.append(formula(x.abs(), a.abs(), none, "plain", 1) * over_q.square() / least_over_q)
    return torch.stack(values), torch.stack(scales)


@pytest.mark.parametrize("export", [export_old, export_new])
@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_onnxruntime_rounds_as_the_formula_does(export, tmp_path):
    """Every form, in f32: an error of at most 1e-6 of the terms, for x from -10 to 10."""
    onnxruntime = pytest.importorskip("onnxruntime")
    require_exporter(export)
    model, file = EveryForm().eval(), str(tmp_path / "model.onnx")
    x = torch.linspace(-10, 10, 3 * 20 * 101).reshape(101, 20, 3)
    export(model, x[:2], file)
    check_onnx(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    expected, scale = exact(model, x.double())
    assert float(((torch.from_numpy(y).double() - expected).abs() / scale).max()) <= 1e-6
