#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare grkan's rational function on the cpu with the GELU of PyTorch that it takes the place of.

Both run in this process, in turn, with the same number of threads, on a tensor of 8 x 197 x 768 f32. GELU's backward
goes through autograd, as in a training step; grkan writes into tensors that exist already, as in a framework.
"""

import argparse
import math
import os
import platform
import statistics
import sys
import time

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))

import grkan
from scripting import output_file, positive, write_json

SHAPE = (8, 197, 768)
GROUPS = 8
NUMERATOR_DEGREE, DENOMINATOR_DEGREE = 5, 4
LARGEST_RATIO = 0.8  # what --check allows


class Rational:
    """The layer of KAT on the cpu, with every tensor that it reads and writes."""

    def __init__(self, x, dy, threads):
        operation = grkan.Operation(
            outer=SHAPE[0] * SHAPE[1], channels=SHAPE[2], inner=1, groups=GROUPS,
            numerator_degree=NUMERATOR_DEGREE, denominator_degree=DENOMINATOR_DEGREE,
            form="abs_terms", dtype="f32")
        self.plan = grkan.Plan("cpu", operation, grkan.Options(cpu_threads=threads))
        self.x, self.dy = x, dy
        self.y, self.dx = torch.zeros_like(x), torch.zeros_like(x)
        self.numerator = torch.tensor([1.0 / math.factorial(i) for i in range(NUMERATOR_DEGREE + 1)])
        row = torch.tensor([0.05 / math.factorial(j) for j in range(1, DENOMINATOR_DEGREE + 1)])
        self.denominator = (row * torch.linspace(1.0, 1.1, GROUPS)[:, None]).contiguous()
        self.dnumerator, self.ddenominator = torch.zeros_like(self.numerator), torch.zeros_like(self.denominator)
        self.workspace = torch.zeros(max(16, self.plan.workspace_bytes), dtype=torch.uint8)
        inputs = [t.data_ptr() for t in (self.numerator, self.denominator)]
        self.forward_arguments = [x.data_ptr(), *inputs, self.y.data_ptr()]
        self.backward_arguments = [x.data_ptr(), dy.data_ptr(), *inputs] + [
            t.data_ptr() for t in (self.dx, self.dnumerator, self.ddenominator, self.workspace)]

    def forward(self):
        self.plan.forward(*self.forward_arguments)

    def forward_and_backward(self):
        self.forward()
        self.plan.backward(*self.backward_arguments)

    def reference(self):
        """y, dx, da and db by autograd in double precision, from the formula of grkan.h."""
        x = self.x.double().requires_grad_()
        a = self.numerator.double().requires_grad_()
        b = self.denominator.double().requires_grad_()
        grouped = x.reshape(-1, GROUPS, SHAPE[2] // GROUPS)
        p = sum(a[i] * grouped**i for i in range(NUMERATOR_DEGREE + 1))
        q = 1 + sum(b[:, j - 1, None].abs() * grouped.abs()**j for j in range(1, DENOMINATOR_DEGREE + 1))
        y = (p / q).reshape(SHAPE)
        y.backward(self.dy.double())
        return y.detach(), x.grad, a.grad, b.grad


def assert_right(rational):
    """A comparison with a wrong result would be worth nothing."""
    rational.forward_and_backward()
    results = rational.y, rational.dx, rational.dnumerator, rational.ddenominator
    for name, found, expected in zip(("y", "dx", "da", "db"), results, rational.reference()):
        error = float((found.double() - expected).abs().max() / expected.abs().max())
        if not error < 1e-5:
            sys.exit(f"grkan: {name} is wrong: its error is {error:.1e} of the largest value, 1e-5 is allowed")


# ---------------------------------------------------------------------------------------------------------- measuring


class Gelu:
    """The activation of a ViT."""

    def __init__(self, x, dy):
        self.x, self.dy = x, dy
        self.leaf = x.clone().requires_grad_()

    def forward(self):
        with torch.no_grad():
            torch.nn.functional.gelu(self.x)

    def forward_and_backward(self):
        self.leaf.grad = None
        torch.nn.functional.gelu(self.leaf).backward(self.dy)


def milliseconds(function):
    start = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - start)


def measure_in_turn(functions, repeats):
    """Times of functions that run one after the other, so that a slow moment of the machine meets them all."""
    samples = [[] for _ in functions]
    for number in range(repeats + 5):
        for function, times in zip(functions, samples):
            elapsed = milliseconds(function)
            if number >= 5:  # those before are the warm-up
                times.append(elapsed)
    return samples


def compare(threads, repeats):
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    rational, gelu = Rational(x, dy, threads), Gelu(x, dy)
    assert_right(rational)
    rows = []
    for name in ("forward", "forward_and_backward"):
        samples = measure_in_turn([getattr(gelu, name), getattr(rational, name)], repeats)
        torch_ms, grkan_ms = map(statistics.median, samples)
        torch_least, grkan_least = map(min, samples)
        rows.append({"pass": name, "torch_gelu_milliseconds": torch_ms, "grkan_milliseconds": grkan_ms,
                     "ratio": grkan_ms / torch_ms, "torch_gelu_least_milliseconds": torch_least,
                     "grkan_least_milliseconds": grkan_least, "ratio_of_least": grkan_least / torch_least})
    return rows


def print_table(rows):
    """Medians, and the least times, which other work on the machine changes less."""
    print(f"{'':<22}{'median':>14}{'':>19}{'least':>14}")
    print(f"{'pass':<22}" + 2 * f"{'torch GELU ms':>14}{'grkan ms':>11}{'ratio':>8}")
    for row in rows:
        times = list(row.values())[1:]
        print(f"{row['pass']:<22}" + "".join(f"{time:>{width}.3f}" for time, width in zip(times, 2 * (14, 11, 8))))


def document_of(rows, threads):
    return {
        "schema": "grkan-compare-torch/1",
        "grkan": grkan.version()._asdict(),
        "torch": torch.__version__,
        "machine": {"architecture": platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()},
        "shape": SHAPE,
        "dtype": "f32",
        "threads": threads,
        "passes": rows,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", metavar="PATH", default=os.path.join(ROOT, "build", "libgrkan.so"),
                        help="the built libgrkan.so (that of build/)")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of both (1)")
    parser.add_argument("--repeats", type=positive, default=100, metavar="N", help="samples of each (100)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a ratio is above {LARGEST_RATIO}")
    arguments = parser.parse_args()
    os.environ["GRKAN_LIBRARY"] = arguments.library
    rows = compare(arguments.threads, arguments.repeats)
    print(f"{' x '.join(map(str, SHAPE))} f32, threads: {arguments.threads}, torch {torch.__version__}")
    print_table(rows)
    if arguments.json:
        write_json(arguments.json, document_of(rows, arguments.threads))
    if arguments.check and any(row["ratio"] > LARGEST_RATIO for row in rows):
        print(f"a ratio is above {LARGEST_RATIO}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
