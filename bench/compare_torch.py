#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare grkan's rational function on the cpu with the GELU of PyTorch that it takes the place of.

Both run in this process, in turn, with the same number of threads, and write into tensors made beforehand. Backward is
dx, and grkan's gradients of the coefficients with it; `device_to_device` is grkan's backward with the bits that every
device has, beside its own of run_to_run. Where GRKAN_CPU_SIMD holds grkan to narrower instructions, PyTorch is held to
them, too.
"""

import argparse
import math
import os
import re
import statistics
import sys
import time

# Before PyTorch is loaded: its own kernels, and those of the library that computes GELU for it at f32.
INSTRUCTIONS_OF_TORCH = {"scalar": ("default", "SSE41"), "avx2": ("avx2", "AVX2")}
if os.environ.get("GRKAN_CPU_SIMD") in INSTRUCTIONS_OF_TORCH:
    names = INSTRUCTIONS_OF_TORCH[os.environ["GRKAN_CPU_SIMD"]]
    os.environ["ATEN_CPU_CAPABILITY"], os.environ["ONEDNN_MAX_CPU_ISA"] = names

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))

import grkan
from scripting import origin, output_file, positive, processor, write_json

SHAPE = (8, 197, 768)
GROUPS = 8
NUMERATOR_DEGREE, DENOMINATOR_DEGREE = 5, 4
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
ALLOWED_ERROR = {"f32": 1e-5, "bf16": 1e-2}  # of the largest value
LARGEST_RATIOS = {"forward": 0.95, "backward": 1.0, "device_to_device": 1.1}  # of least times: what --check allows


class Rational:
    """The layer of KAT on the cpu, with every tensor that it reads and writes."""

    def __init__(self, x, dy, dtype, threads, determinism="run_to_run"):
        operation = grkan.Operation(
            outer=SHAPE[0] * SHAPE[1], channels=SHAPE[2], inner=1, groups=GROUPS,
            numerator_degree=NUMERATOR_DEGREE, denominator_degree=DENOMINATOR_DEGREE,
            form="abs_terms", dtype=dtype)
        self.plan = grkan.Plan("cpu", operation, grkan.Options(cpu_threads=threads, determinism=determinism))
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

    def backward(self):
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


def assert_right(rational, allowed):
    """A comparison with a wrong result would be worth nothing."""
    rational.forward()
    rational.backward()
    results = rational.y, rational.dx, rational.dnumerator, rational.ddenominator
    for name, found, expected in zip(("y", "dx", "da", "db"), results, rational.reference()):
        error = float((found.double() - expected).abs().max() / expected.abs().max())
        if not error < allowed:
            sys.exit(f"grkan: {name} is wrong: its error is {error:.1e} of the largest value, {allowed:.0e} is allowed")


# ---------------------------------------------------------------------------------------------------------- measuring


class Gelu:
    """The activation of a ViT."""

    def __init__(self, x, dy):
        self.x, self.dy = x, dy
        self.y, self.dx = torch.zeros_like(x), torch.zeros_like(x)

    def forward(self):
        torch.ops.aten.gelu.out(self.x, out=self.y)

    def backward(self):
        torch.ops.aten.gelu_backward.grad_input(self.dy, self.x, grad_input=self.dx)


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


def compare(dtype, threads, repeats):
    """A row for each pass: the time that it is measured by, grkan's, and their ratio; medians, and least times."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(SHAPE, generator=generator).to(DTYPES[dtype]) for _ in range(2))
    rational, same_bits = Rational(x, dy, dtype, threads), Rational(x, dy, dtype, threads, "device_to_device")
    gelu = Gelu(x, dy)
    for layer in (rational, same_bits):
        assert_right(layer, ALLOWED_ERROR[dtype])
    functions = gelu.forward, rational.forward, gelu.backward, rational.backward, same_bits.backward
    gelu_y, y, gelu_dx, dx, same_dx = measure_in_turn(functions, repeats)
    rows = []
    for name, beside, samples in (("forward", gelu_y, y), ("backward", gelu_dx, dx), ("device_to_device", dx, same_dx)):
        row = {"pass": name, "dtype": dtype, "threads": threads, "beside": "grkan" if beside is dx else "torch GELU"}
        for kind, figure in (("median", statistics.median), ("least", min)):
            row[kind] = {"beside_milliseconds": figure(beside), "grkan_milliseconds": figure(samples),
                         "ratio": figure(samples) / figure(beside)}
        rows.append(row)
    return rows


def print_table(rows):
    """Medians, and the least times, which other work on the machine changes less."""
    print(f"{'pass':<18}{'dtype':<6}{'threads':>7}  {'beside':<11}" + "".join(
        f"{kind + ' ms':>11}{'grkan ms':>10}{'ratio':>7}" for kind in ("median", "least")))
    for row in rows:
        times = [time for kind in ("median", "least") for time in row[kind].values()]
        print(f"{row['pass']:<18}{row['dtype']:<6}{row['threads']:>7}  {row['beside']:<11}" +
              "".join(f"{time:>{width}.3f}" for time, width in zip(times, 2 * (11, 10, 7))))


def instructions_of_torch():
    return re.search(r"CPU capability usage: (.+)", torch.__config__.show())[1].lower()


def document_of(rows):
    return origin("grkan-compare-torch/2", "compare_torch.py", torch.device("cpu")) | {
        "instructions": grkan.device("cpu").architecture, "torch_instructions": instructions_of_torch(),
        "shape": SHAPE, "passes": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", metavar="PATH", default=os.path.join(ROOT, "build", "libgrkan.so"),
                        help="the built libgrkan.so (that of build/)")
    parser.add_argument("--threads", type=positive, action="append", metavar="N",
                        help="threads of both; may be repeated (1)")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="of the tensors; may be repeated (both)")
    parser.add_argument("--repeats", type=positive, default=30, metavar="N", help="samples of each (30)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    bounds = ", ".join(f"{name} {ratio}" for name, ratio in LARGEST_RATIOS.items())
    parser.add_argument("--check", action="store_true",
                        help=f"exit with 1 if a ratio of least times is above: {bounds}")
    arguments = parser.parse_args()
    os.environ["GRKAN_LIBRARY"] = arguments.library
    try:
        grkan.version()
    except grkan.LibraryNotFoundError as error:
        parser.error(f"argument --library: {error}")
    rows = [row for dtype in arguments.dtype or DTYPES for threads in arguments.threads or [1]
            for row in compare(dtype, threads, arguments.repeats)]
    print(f"{' x '.join(map(str, SHAPE))}, {processor()}, grkan by {grkan.device('cpu').architecture}, "
          f"torch {torch.__version__} by {instructions_of_torch()}")
    print_table(rows)
    if arguments.json:
        write_json(arguments.json, document_of(rows))
    if arguments.check and any(row["least"]["ratio"] > LARGEST_RATIOS[row["pass"]] for row in rows):
        print("a ratio is above its bound", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
