# SPDX-License-Identifier: Apache-2.0
"""Streams, CUDA graphs and several GPUs: what only a GPU can show."""

import pytest

torch = pytest.importorskip("torch")

from conftest import require, run_python

from grkan.torch import KAT_Group, formula, rational


@pytest.fixture(autouse=True)
def needs_a_gpu():
    require("cuda")


def make(rows=4096, channels=64, device="cuda", dtype=torch.float32):
    torch.manual_seed(0)
    x, dy = torch.randn(2, rows, channels, device=device, dtype=dtype)
    return KAT_Group().to(device), x, dy


def step(module, x, dy):
    """y, dx, dnumerator and ddenominator."""
    x = x.detach().requires_grad_()
    y = module(x)
    return [y.detach(), *torch.autograd.grad(y, (x, *module.parameters()), dy)]


def assert_equal(found, expected):
    assert all(torch.equal(f, e) for f, e in zip(found, expected))


def test_the_current_stream_is_used():
    module, x, dy = make(rows=65536)
    expected = step(module, x, dy)
    stream = torch.cuda.Stream()
    for _ in range(5):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            torch.cuda._sleep(20_000_000)  # on another stream, the kernels would overtake the copies
            late_x, late_dy = x.clone(), dy.clone()
            found = step(module, late_x, late_dy)
            late_x.zero_(), late_dy.zero_()
        torch.cuda.current_stream().wait_stream(stream)
        assert_equal(found, expected)


def test_streams_at_the_same_time_have_workspaces_of_their_own():
    module, x, dy = make(rows=65536)
    expected = step(module, x, dy)
    streams = [torch.cuda.Stream() for _ in range(3)]
    torch.cuda.synchronize()
    found = []
    for _ in range(10):
        for stream in streams:
            with torch.cuda.stream(stream):
                found.append(step(module, x, dy))
    torch.cuda.synchronize()
    for results in found:
        assert_equal(results, expected)


def test_a_cuda_graph_of_forward_and_backward():
    module, x, dy = make()
    static_x, static_dy = torch.zeros_like(x), torch.zeros_like(dy)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step(module, static_x, static_dy)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step(module, static_x, static_dy)
    for scale in (1.0, 0.5, -1.0):
        static_x.copy_(scale * x)
        static_dy.copy_(dy)
        graph.replay()
        assert_equal(results, step(module, scale * x, dy))


def test_graphed_callables():
    module, x, dy = make()
    eager = KAT_Group().to("cuda")
    eager.load_state_dict(module.state_dict())
    graphed = torch.cuda.make_graphed_callables(module, (x.detach().requires_grad_(),))
    for _ in range(3):
        assert_equal(step(graphed, x, dy), step(eager, x, dy))


def test_repeats_bit_for_bit():
    module, x, dy = make(rows=200_000, channels=192, dtype=torch.bfloat16)
    expected = step(module, x, dy)
    for _ in range(5):
        assert_equal(step(module, x, dy), expected)


def test_coefficients_on_another_device():
    module, x, _ = make()
    with pytest.raises(ValueError, match="numerator lies on cpu; expected cuda:0"):
        rational(x, module.weight_numerator.cpu(), module.weight_denominator)


def test_second_gpu_while_the_first_is_current():
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU")
    assert torch.cuda.current_device() == 0
    module, x, dy = make()
    expected = step(module, x, dy)
    found = step(module.to("cuda:1"), x.to("cuda:1"), dy.to("cuda:1"))
    assert torch.cuda.current_device() == 0
    assert all(t.device == torch.device("cuda:1") for t in found)
    assert_equal([t.to("cuda:0") for t in found], expected)


def test_memory_of_a_step():
    """Forward and backward hold x, y, dy and dx, the coefficients, and a workspace of at most 1 MiB."""
    module, x, dy = make(rows=65536, channels=768, dtype=torch.bfloat16)
    step(module, x, dy)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    results = step(module, x, dy)
    peak = torch.cuda.max_memory_allocated() - before
    assert peak <= 2 * x.numel() * x.element_size() + 2**20, peak
    assert len(results) == 4


def test_large_values_and_the_formula_agree():
    module, x, _ = make()
    y = module(10 * x)
    expected = formula(10 * x.double(), *(p.double() for p in module.parameters()))
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5)


# Who brings CUDA's driver and NVRTC, or ROCm, into the process first.
ORDERS = ["import grkan.torch", "import torch, grkan.torch",
          "import torch; torch.zeros(1, device='cuda'); import grkan.torch",
          "import grkan; grkan.devices(); import grkan.torch"]
IN_ORDER = """
x = torch.linspace(-4, 4, 8 * 768, device="cuda").reshape(8, 768).requires_grad_()
a = torch.linspace(0.1, 1, 6, device="cuda").reshape(1, 6).requires_grad_()
b = torch.linspace(0.1, 1, 32, device="cuda").reshape(8, 4).requires_grad_()
y = grkan.torch.rational(x, a, b)
y.sum().backward()
print(*[float(t.detach().double().sum()) for t in (y, x.grad, a.grad, b.grad)])
"""


def test_the_order_of_imports_makes_no_difference():
    done = [run_python("-c", f"{order}; import torch{IN_ORDER}") for order in ORDERS]
    assert [one.returncode for one in done] == [0] * len(ORDERS), [one.stderr for one in done]
    assert len({one.stdout for one in done}) == 1, [one.stdout for one in done]
