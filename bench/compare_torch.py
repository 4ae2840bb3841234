#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare grkan's rational function on the cpu with the GELU of PyTorch that it takes the place of.

Both run in this process, in turn, with the same number of threads, on a tensor of 8 x 197 x 768 f32. GELU's backward
goes through autograd, as in a training step; grkan writes into tensors that exist already, as in a framework.
"""

import argparse
import ctypes
import json
import math
import os
import platform
import statistics
import sys
import time

import torch

SHAPE = (8, 197, 768)
GROUPS = 8
NUMERATOR_DEGREE, DENOMINATOR_DEGREE = 5, 4
LARGEST_RATIO = 0.8  # what --check allows

# ------------------------------------------------------------------------------------------ the library, as grkan.h


class Operation(ctypes.Structure):
    _fields_ = [("outer", ctypes.c_int64), ("channels", ctypes.c_int64), ("inner", ctypes.c_int64),
                ("groups", ctypes.c_int64), ("numerator_groups", ctypes.c_int64),
                ("denominator_groups", ctypes.c_int64), ("numerator_degree", ctypes.c_int),
                ("denominator_degree", ctypes.c_int), ("denominator", ctypes.c_int), ("dtype", ctypes.c_int)]


class Options(ctypes.Structure):
    _fields_ = [("strategy", ctypes.c_int), ("determinism", ctypes.c_int), ("cpu_threads", ctypes.c_int),
                ("cpu_simd", ctypes.c_int)]


class Buffer(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("offset", ctypes.c_size_t)]


class ForwardArguments(ctypes.Structure):
    _fields_ = [("x", Buffer), ("numerator", Buffer), ("denominator", Buffer), ("y", Buffer)]


class BackwardArguments(ctypes.Structure):
    _fields_ = [("x", Buffer), ("dy", Buffer), ("numerator", Buffer), ("denominator", Buffer), ("dx", Buffer),
                ("dnumerator", Buffer), ("ddenominator", Buffer), ("accumulation", ctypes.c_int),
                ("workspace", Buffer), ("workspace_bytes", ctypes.c_size_t)]


SIGNATURES = {
    "grkan_last_error": (ctypes.c_char_p, []),
    "grkan_version": (ctypes.c_char_p, []),
    "grkan_commit": (ctypes.c_char_p, []),
    "grkan_device_open": (ctypes.c_int, [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]),
    "grkan_device_close": (None, [ctypes.c_void_p]),
    "grkan_plan_create": (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(Operation), ctypes.POINTER(Options),
                                         ctypes.POINTER(ctypes.c_void_p)]),
    "grkan_plan_destroy": (None, [ctypes.c_void_p]),
    "grkan_plan_workspace_bytes": (ctypes.c_size_t, [ctypes.c_void_p]),
    "grkan_forward": (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(ForwardArguments), ctypes.c_void_p]),
    "grkan_backward": (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(BackwardArguments), ctypes.c_void_p]),
}


def load_library(path):
    library = ctypes.CDLL(os.path.abspath(path))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def buffer(tensor):
    return Buffer(tensor.data_ptr(), 0)


class Rational:
    """The layer of KAT on the cpu, with every tensor that it reads and writes."""

    def __init__(self, library, x, dy, threads):
        self.library = library
        self.device, self.plan = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(library.grkan_device_open(b"cpu", ctypes.byref(self.device)))
        operation = Operation(outer=SHAPE[0] * SHAPE[1], channels=SHAPE[2], inner=1, groups=GROUPS, numerator_groups=1,
                              denominator_groups=GROUPS, numerator_degree=NUMERATOR_DEGREE,
                              denominator_degree=DENOMINATOR_DEGREE)
        options = Options(cpu_threads=threads)
        self.check(library.grkan_plan_create(self.device, ctypes.byref(operation), ctypes.byref(options),
                                             ctypes.byref(self.plan)))
        self.x, self.dy = x, dy
        self.y, self.dx = torch.zeros_like(x), torch.zeros_like(x)
        self.numerator = torch.tensor([1.0 / math.factorial(i) for i in range(NUMERATOR_DEGREE + 1)])
        row = torch.tensor([0.05 / math.factorial(j) for j in range(1, DENOMINATOR_DEGREE + 1)])
        self.denominator = (row * torch.linspace(1.0, 1.1, GROUPS)[:, None]).contiguous()
        self.dnumerator, self.ddenominator = torch.zeros_like(self.numerator), torch.zeros_like(self.denominator)
        self.workspace = torch.zeros(max(16, library.grkan_plan_workspace_bytes(self.plan)), dtype=torch.uint8)
        self.forward_arguments = ForwardArguments(buffer(x), buffer(self.numerator), buffer(self.denominator),
                                                  buffer(self.y))
        self.backward_arguments = BackwardArguments(
            buffer(x), buffer(dy), buffer(self.numerator), buffer(self.denominator), buffer(self.dx),
            buffer(self.dnumerator), buffer(self.ddenominator), 0, buffer(self.workspace), self.workspace.numel())

    def check(self, status):
        if status != 0:
            sys.exit(f"grkan: {self.library.grkan_last_error().decode()}")

    def forward(self):
        self.check(self.library.grkan_forward(self.plan, ctypes.byref(self.forward_arguments), None))

    def forward_and_backward(self):
        self.forward()
        self.check(self.library.grkan_backward(self.plan, ctypes.byref(self.backward_arguments), None))

    def close(self):
        self.library.grkan_plan_destroy(self.plan)
        self.library.grkan_device_close(self.device)

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
    """Medians of functions that run one after the other, so that a slow moment of the machine meets them all."""
    samples = [[] for _ in functions]
    for number in range(repeats + 5):
        for function, times in zip(functions, samples):
            elapsed = milliseconds(function)
            if number >= 5:  # those before are the warm-up
                times.append(elapsed)
    return [statistics.median(times) for times in samples]


def compare(library, threads, repeats):
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    rational, gelu = Rational(library, x, dy, threads), Gelu(x, dy)
    assert_right(rational)
    rows = []
    for name in ("forward", "forward_and_backward"):
        torch_ms, grkan_ms = measure_in_turn([getattr(gelu, name), getattr(rational, name)], repeats)
        rows.append({"pass": name, "torch_gelu_milliseconds": torch_ms, "grkan_milliseconds": grkan_ms,
                     "ratio": grkan_ms / torch_ms})
    rational.close()
    return rows


def print_table(rows):
    print(f"{'pass':<22}{'torch GELU ms':>14}{'grkan ms':>11}{'ratio':>8}")
    for row in rows:
        print(f"{row['pass']:<22}{row['torch_gelu_milliseconds']:>14.3f}{row['grkan_milliseconds']:>11.3f}"
              f"{row['ratio']:>8.3f}")


def write_json(path, rows, library, threads):
    document = {
        "schema": "grkan-compare-torch/1",
        "grkan": {"version": library.grkan_version().decode(), "commit": library.grkan_commit().decode()},
        "torch": torch.__version__,
        "machine": {"architecture": platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()},
        "shape": SHAPE,
        "dtype": "f32",
        "threads": threads,
        "passes": rows,
    }
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    os.replace(temporary, path)


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a whole number from 1 on")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True, metavar="PATH", help="the built libgrkan.so")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of both (1)")
    parser.add_argument("--repeats", type=positive, default=100, metavar="N", help="samples of each (100)")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON too")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a ratio is above {LARGEST_RATIO}")
    arguments = parser.parse_args()
    library = load_library(arguments.library)
    rows = compare(library, arguments.threads, arguments.repeats)
    print(f"{' x '.join(map(str, SHAPE))} f32, threads: {arguments.threads}, torch {torch.__version__}, medians")
    print_table(rows)
    if arguments.json:
        write_json(arguments.json, rows, library, arguments.threads)
    if arguments.check and any(row["ratio"] > LARGEST_RATIO for row in rows):
        print(f"a ratio is above {LARGEST_RATIO}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
