#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Host time of grkan's calls beside torch's GELU, and beside the least that a function of one's own costs.

Three cases, each with its contestants called in turn, on tensors so small that the host, not the device, takes the
time:

    inference    an operator's call without gradients: "operator" as rational() calls it, and by its OpOverload, which
                 is a frame of Python more
    training     forward and backward; "empty" is an autograd.Function over operators in C that compute nothing
                 (build/libempty_operators.so, which meson builds)
    compiled     torch.compile of a chain of (activation, linear), without and with backward, per pair

On a GPU nothing waits for the device within a sample, so the figures are what a training loop pays to enqueue. On the
cpu they hold the kernels too. Ratios are of the least times, which other work on the machine changes least; medians are
beside them.
"""

import argparse
import ctypes
import os
import platform
import statistics
import sys
import time

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))
os.environ.setdefault("GRKAN_LIBRARY", os.path.join(ROOT, "build", "libgrkan.so"))

import grkan
from grkan.torch import KAT_Group, _autograd, _native, rational
from scripting import add_device, origin, output_file, positive, write_json

WARM_UP = 3  # samples

# What a ratio may be: (case, numerator, denominator, most).
BOUNDS = (("inference", "operator", "gelu", 1.1), ("training", "rational", "empty", 1.15),
          ("compiled inference", "grkan", "gelu", 1.03), ("compiled training", "grkan", "gelu", 1.25))
RATIOS = (*BOUNDS, ("inference", "OpOverload", "gelu", None), ("inference", "rational", "gelu", None),
          ("inference", "module", "gelu", None), ("training", "rational", "gelu", None),
          ("training", "module", "gelu", None))


class Sampler:
    """Microseconds of a call: of contestants in turn, so that a slow moment of the machine meets them all."""

    def __init__(self, device, repeats):
        self.device, self.repeats = device, repeats

    def _sample(self, step, calls):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        spent = time.perf_counter() - start
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return 1e6 * spent / calls

    def measure(self, contestants, calls, share=1):
        """name to its least and median time, divided by `share`."""
        samples = {name: [] for name in contestants}
        for number in range(self.repeats + WARM_UP):
            for name, step in contestants.items():
                spent = self._sample(step, calls) / share
                if number >= WARM_UP:
                    samples[name].append(spent)
        return {name: {"least": min(times), "median": statistics.median(times)} for name, times in samples.items()}


def backward_of(function, leaves, dy):
    """A step: forward, backward, and the gradients taken away, which all contestants pay alike."""
    def step():
        function().backward(dy)
        for leaf in leaves:
            leaf.grad = None
    return step


def empty_operators():
    """The operators that compute nothing; None where they are not built, or PyTorch is older than them."""
    if _native.library is None:
        return None
    folder = os.path.dirname(os.path.abspath(os.environ["GRKAN_LIBRARY"]))
    try:
        ctypes.CDLL(os.path.join(folder, "libempty_operators.so"))
    except OSError:
        return None
    return torch.ops.grkan_bench if hasattr(torch.ops.grkan_bench, "empty") else None


def empty_function(operators):
    """An autograd.Function around them, as anybody would write it."""
    forward_operator, backward_operator = operators.empty.default, operators.empty_backward.default

    class EmptyFunction(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, numerator, denominator, form, channel_dim):
            ctx.save_for_backward(x, numerator, denominator)
            ctx.numbers = form, channel_dim
            return forward_operator(x, numerator, denominator, form, channel_dim)

        @staticmethod
        def backward(ctx, dy):
            x, numerator, denominator = ctx.saved_tensors
            return *backward_operator(dy, x, numerator, denominator, *ctx.numbers), None, None

    return EmptyFunction.apply


def measure_calls(sampler, dtype):
    """The cases inference and training."""
    module = KAT_Group().to(sampler.device)
    a, b = module.weight_numerator, module.weight_denominator
    x = torch.randn(1, 8, 64, device=sampler.device, dtype=dtype, requires_grad=True)
    dy, leaves = torch.randn_like(x), (x, a, b)
    functions = {"gelu": lambda: torch.nn.functional.gelu(x), "rational": lambda: rational(x, a, b),
                 "module": lambda: module(x)}
    inference = dict(functions)
    if _native.library is not None:
        operator, overload = _autograd.forward_kernel, torch.ops.grkan.rational_forward.default
        inference["operator"] = lambda: operator(x, a, b, 0, -1)
        inference["OpOverload"] = lambda: overload(x, a, b, 0, -1)
    operators = empty_operators()
    if operators is not None:
        empty = empty_function(operators)
        functions["empty"] = lambda: empty(x, a, b, 0, -1)
        inference["empty operator"] = lambda: operators.empty.default(x, a, b, 0, -1)
    with torch.no_grad():
        found = {"inference": sampler.measure(inference, 100)}
    steps = {name: backward_of(function, leaves, dy) for name, function in functions.items()}
    return found | {"training": sampler.measure(steps, 50)}


def measure_compiled(sampler, dtype, pairs):
    """The cases of compiled chains."""
    def chain(activation):
        torch.manual_seed(0)
        layers = [layer for _ in range(pairs) for layer in (activation(), torch.nn.Linear(64, 64))]
        return torch.nn.Sequential(*layers).to(sampler.device, dtype)

    chains = {"gelu": chain(torch.nn.GELU), "grkan": chain(KAT_Group)}
    compiled = {name: torch.compile(chain) for name, chain in chains.items()}
    x = torch.randn(8, 64, device=sampler.device, dtype=dtype)
    dy = torch.randn_like(x)
    with torch.no_grad():
        found = {"compiled inference": sampler.measure(
            {name: lambda run=run: run(x) for name, run in compiled.items()}, 5, pairs)}
    steps = {name: backward_of(lambda run=run: run(x), list(chains[name].parameters()), dy)
             for name, run in compiled.items()}
    return found | {"compiled training": sampler.measure(steps, 3, pairs)}


def ratios_of(times):
    """Of what was measured, each with its bound and whether it is met."""
    found = []
    for case, numerator, denominator, most in RATIOS:
        if numerator in times.get(case, {}) and denominator in times[case]:
            ratio = times[case][numerator]["least"] / times[case][denominator]["least"]
            medians = times[case][numerator]["median"] / times[case][denominator]["median"]
            found.append({"case": case, "of": numerator, "to": denominator, "ratio": ratio, "ratio_of_medians": medians,
                          "most": most, "is_met": None if most is None else ratio <= most})
    return found


def print_tables(times, ratios):
    print(f"{'microseconds':<22}{'':<16}{'least':>9}{'median':>9}")
    for case, contestants in times.items():
        for name, found in contestants.items():
            print(f"{case:<22}{name:<16}{found['least']:>9.2f}{found['median']:>9.2f}")
    print(f"\n{'ratio':<22}{'':<25}{'least':>9}{'median':>9}{'at most':>9}")
    for row in ratios:
        bound = "" if row["most"] is None else f"{row['most']:>9.2f}{'' if row['is_met'] else '  MISSED'}"
        print(f"{row['case']:<22}{row['of'] + ' / ' + row['to']:<25}{row['ratio']:>9.3f}"
              f"{row['ratio_of_medians']:>9.3f}{bound}")


def parse(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--repeats", type=positive, default=100, metavar="N", help="samples of each (100)")
    parser.add_argument("--pairs", type=positive, default=24, metavar="N", help="of the compiled chain (24)")
    parser.add_argument("--no-compile", action="store_true", help="leave out what takes a compiler")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a ratio is above its bound")
    return parser.parse_args(words)


def main():
    arguments = parse()
    torch.set_num_threads(1)
    device, dtype = torch.device(arguments.device), getattr(torch, arguments.dtype)
    sampler = Sampler(device, arguments.repeats)
    print(f"host time of a call on {device}, {arguments.dtype}, torch {torch.__version__}; operators "
          f"{'in Python' if _native.library is None else 'in C'}, grkan {grkan.version().commit}", flush=True)
    times = measure_calls(sampler, dtype)
    if hasattr(torch, "compile") and not arguments.no_compile:
        times |= measure_compiled(sampler, dtype, arguments.pairs)
    ratios = ratios_of(times)
    print_tables(times, ratios)
    if arguments.json:
        write_json(arguments.json, {
            **origin("grkan-host-overhead/2", "bench/host_overhead.py", device),
            "python": platform.python_version(), "device": str(device), "dtype": arguments.dtype,
            "operators_in_c": _native.library is not None, "pairs": arguments.pairs, "microseconds": times,
            "ratios": ratios})
    missed = [row for row in ratios if row["is_met"] is False]
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
