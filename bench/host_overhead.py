#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Host time of one module's forward and backward call: grkan's KAT_Group against a bare autograd.Function around GELU.

Both are called in turn on a tensor so small that the host, not the device, takes the time. On a GPU nothing waits for
the device within a sample, so the figures are what a training loop pays to enqueue. On the cpu they hold the kernels
too.
"""

import argparse
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
from grkan.torch import KAT_Group
from scripting import output_file, positive, write_json

LARGEST_RATIO = 1.3  # what --check allows
CALLS = 50  # of a sample


class GeluFunction(torch.autograd.Function):
    """The least that a user's own activation costs."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.nn.functional.gelu(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return torch.ops.aten.gelu_backward(dy, x)


class Gelu(torch.nn.Module):
    def forward(self, x):
        return GeluFunction.apply(x)


def sample(module, x, dy):
    """Microseconds of a forward call, and of a forward and a backward call; not of taking the gradients away."""
    leaves = [x, *module.parameters()]
    forward = both = 0.0
    for _ in range(CALLS):
        start = time.perf_counter()
        y = module(x)
        middle = time.perf_counter()
        y.backward(dy)
        both += time.perf_counter() - start
        forward += middle - start
        for leaf in leaves:
            leaf.grad = None
    if x.is_cuda:
        torch.cuda.synchronize()
    return 1e6 * forward / CALLS, 1e6 * both / CALLS


def measure(modules, x, dy, repeats):
    """Medians, the modules taking turns, so that a slow moment of the machine meets them all."""
    samples = {name: [] for name in modules}
    for number in range(repeats + 3):
        for name, module in modules.items():
            times = sample(module, x, dy)
            if number >= 3:  # those before are the warm-up
                samples[name].append(times)
    return {name: [statistics.median(column) for column in zip(*times)] for name, times in samples.items()}


def parse(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--repeats", type=positive, default=100, metavar="N",
                        help=f"samples, of {CALLS} calls each (100)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a ratio is above {LARGEST_RATIO}")
    return parser.parse_args(words)


def print_table(times, ratios):
    print(f"{'':<22}{'GELU':>10}{'grkan':>10}{'ratio':>8}")
    for row, label in enumerate(("forward", "forward and backward")):
        print(f"{label:<22}{times['gelu'][row]:>10.1f}{times['grkan'][row]:>10.1f}{ratios[row]:>8.2f}")


def document_of(times, device_name, dtype):
    return {
        "schema": "grkan-host-overhead/1",
        "grkan": grkan.version()._asdict(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": {"architecture": platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()},
        "device": device_name,
        "dtype": dtype,
        "microseconds": {name: dict(zip(("forward", "forward_and_backward"), values))
                         for name, values in times.items()},
    }


def main():
    arguments = parse()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    x = torch.randn(1, 8, 64, device=device, dtype=getattr(torch, arguments.dtype), requires_grad=True)
    times = measure({"gelu": Gelu(), "grkan": KAT_Group().to(device)}, x, torch.randn_like(x), arguments.repeats)
    ratios = [grkan_us / gelu_us for grkan_us, gelu_us in zip(times["grkan"], times["gelu"])]
    device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    print(f"host microseconds of a call, medians: {device} ({device_name}), {arguments.dtype}, torch "
          f"{torch.__version__}")
    print_table(times, ratios)
    if arguments.json:
        write_json(arguments.json, document_of(times, device_name, arguments.dtype))
    if arguments.check and ratios[1] > LARGEST_RATIO:
        print(f"the ratio of forward and backward is above {LARGEST_RATIO}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
