#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grkan beside what else a PyTorch program could use, in one process: GELU, the formula in PyTorch's operations, the
same under torch.compile, and the published packages that Python finds (rational_kat: FlashKAT; kat_rational: KAT;
rational_activations).

All take turns on the same tensors, so that a slow moment of the machine meets them all. These are [1, rows, channels],
since the published modules take three dimensions alone. Each is called as a training step calls it, through autograd;
"backward" is what autograd runs after a forward that is not counted. On a GPU a sample is several calls, one behind the
other as in a training step (--calls 1 has each alone, between two events, where it also pays for a start with nothing
before it); there are so many tensors that none is still in a cache, and the GPU waits before a sample until all of it
is in its queue, so that no time of the host's is in it. The JSON is that of grkan bench, with an "implementation" for
each case: python3 -m grkan.report shows it. A package that is not there is a line that says so; one that is there and
fails is an error.

    PYTHONPATH=python GRKAN_LIBRARY=build/libgrkan.so bench/compare_peers.py --device cuda --json peers.json

Beside GELU alone, in the shapes of KAT's layers:

    ... bench/compare_peers.py --implementation grkan --implementation "torch GELU" --rows 201728 --rows 25216 \
        --channels 192 --channels 768 --channels 3072 --dtype f32 --dtype bf16

With --prologue, the norm or bias in front is part of it, taken in by grkan, and one behind the other elsewhere:
PyTorch's own, under torch.compile too, and for norms those of the packages liger_kernel and apex where Python finds
them:

    ... bench/compare_peers.py --prologue layer_norm --rows 25216 --channels 768 --dtype f32 --output-dtype bf16
"""

import argparse
import importlib
import itertools
import os
import platform
import statistics
import time
from typing import get_args

import torch

from scripting import add_device, command_line, now, output_file, positive, processor, write_json  # and where grkan is

import grkan
from grkan.torch import formula, norm_rational, rational
from grkan._names import Prologue

GROUPS, NUMERATOR_DEGREE, DENOMINATOR_DEGREE = 8, 5, 4
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
PASSES = ("forward", "backward", "forward_and_backward")
WARM_UP = 3
TENSORS = {"forward": (1, 1), "backward": (2, 1), "forward_and_backward": (3, 2)}  # to move, of x's type and of y's
CACHES = 1 << 28  # bytes: several times what a GPU's caches hold
QUEUED = 500_000  # cycles that a GPU waits for the host to enqueue a call, and once more for the first


class Coefficients:
    """KAT's table for swish, and those of a prologue, with room for gradients; and the type of results."""

    def __init__(self, device, channels, prologue, out_dtype):
        fit = grkan.preset("kat_swish")
        self.numerator = torch.tensor(fit.numerator, dtype=torch.float32, device=device).requires_grad_()
        self.denominator = torch.tensor(fit.denominator, dtype=torch.float32, device=device).repeat(GROUPS, 1)
        self.denominator.requires_grad_()
        self.prologue, self.out_dtype = prologue, out_dtype
        self.bias, self.shift = (torch.linspace(-1, 1, channels, device=device).requires_grad_() for _ in range(2))
        self.scale = torch.linspace(0.5, 1.5, channels, device=device).requires_grad_()

    def gradients(self, function):
        """All that an implementation may have gradients of, beside x."""
        own = list(function.parameters()) if isinstance(function, torch.nn.Module) else []
        return [self.numerator, self.denominator, self.bias, self.scale, self.shift, *own]

    def rational(self, x):
        return rational(x, self.numerator, self.denominator)


class Absent(Exception):
    """Why an implementation cannot be measured here; whatever else one raises is an error."""


def find(package):
    """A published package."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name == package.split(".")[0]:
            raise Absent(f"{package} is not installed") from error
        raise


def flashkat(device, channels, _coefficients):
    FlashKAT_Group = find("rational_kat").FlashKAT_Group
    if device == "cpu":
        raise Absent("its kernels are Triton's: it needs a GPU")
    return FlashKAT_Group(in_features=channels, num_groups=1, den_groups=GROUPS, m=6, n=4, mode="swish").to(device)


def kat(device, _channels, _coefficients):
    return find("kat_rational").KAT_Group(num_groups=GROUPS, mode="swish", device=device).to(device)


def rational_activations(device, _channels, _coefficients):
    return find("rational.torch").Rational(approx_func="swish", degrees=(NUMERATOR_DEGREE, DENOMINATOR_DEGREE),
                                           version="A", cuda=device == "cuda")


def compiled(_device, _channels, c):
    if not hasattr(torch, "compile"):
        raise Absent(f"PyTorch {torch.__version__} has no torch.compile")
    function = torch.compile(formula)
    return lambda x: function(x, c.numerator, c.denominator)


# --------------------------------------------------------------------------------------------- with work in front


def fused(_device, _channels, c):
    if c.prologue == "bias":
        return lambda x: rational(x, c.numerator, c.denominator, bias=c.bias, out_dtype=c.out_dtype)
    return lambda x: norm_rational(x, c.scale, c.shift if c.prologue == "layer_norm" else None, c.numerator,
                                   c.denominator, norm=c.prologue, out_dtype=c.out_dtype)


def prologue(c, channels):
    """PyTorch's own work in front of an activation, and the cast."""
    if c.prologue == "bias":
        return lambda x: (x + c.bias).to(c.out_dtype)
    functional = torch.nn.functional
    if c.prologue == "layer_norm":
        return lambda x: functional.layer_norm(x, (channels,), c.scale.to(x.dtype), c.shift.to(x.dtype)).to(c.out_dtype)
    if not hasattr(functional, "rms_norm"):
        raise Absent(f"PyTorch {torch.__version__} has no rms_norm")
    return lambda x: functional.rms_norm(x, (channels,), c.scale.to(x.dtype), 1e-5).to(c.out_dtype)


def behind(activation, is_compiled=False):
    """An implementation: the work in front, then an activation, of a function of the coefficients."""
    def make(_device, channels, c):
        if is_compiled and not hasattr(torch, "compile"):
            raise Absent(f"PyTorch {torch.__version__} has no torch.compile")
        first, second = prologue(c, channels), activation(c)

        def function(x):
            return second(first(x))

        return torch.compile(function) if is_compiled else function

    return make


def packaged(package, modules):
    """An implementation by a package's module for the norm; modules: its name for each prologue."""
    def make(device, channels, c):
        norm = getattr(find(package), modules[c.prologue])(channels, eps=1e-5).to(device)
        if device == "cpu":
            raise Absent("its kernels need a GPU")

        class NormThenRational(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = norm

            def forward(self, x):
                return c.rational(self.norm(x).to(c.out_dtype))

        return NormThenRational()

    return make


def implementations(prologue):
    """Name -> what makes it of (device, channels, coefficients)."""
    if prologue == "none":
        return IMPLEMENTATIONS
    words = "bias" if prologue == "bias" else "norm, cast"
    found = {"grkan": fused}
    for name, activation in (("grkan", lambda c: c.rational), ("GELU", lambda _: torch.nn.functional.gelu)):
        found[f"{words}, {name}"] = behind(activation)
        found[f"{words}, {name}, torch.compile"] = behind(activation, True)
    if prologue != "bias":
        found["liger_kernel norm, cast, grkan"] = packaged("liger_kernel.transformers", {
            "layer_norm": "LigerLayerNorm", "rms_norm": "LigerRMSNorm"})
        found["apex norm, cast, grkan"] = packaged("apex.normalization", {
            "layer_norm": "FusedLayerNorm", "rms_norm": "FusedRMSNorm"})
    return found


IMPLEMENTATIONS = {
    "grkan": lambda _device, _channels, c: lambda x: rational(x, c.numerator, c.denominator),
    "torch GELU": lambda _device, _channels, _c: torch.nn.functional.gelu,
    "formula": lambda _device, _channels, c: lambda x: formula(x, c.numerator, c.denominator),
    "formula, torch.compile": compiled,
    "rational_kat FlashKAT_Group": flashkat,
    "kat_rational KAT_Group": kat,
    "rational_activations": rational_activations,
}


class Peer:
    """An implementation on one pair of tensors after the other, x and dy."""

    def __init__(self, name, function, pairs, gradients):
        self.name, self.function, self.pairs, self.gradients = name, function, pairs, gradients
        self.leaves = [x.clone().requires_grad_() for x, _ in pairs]
        self.graphs = [None] * len(pairs)  # of the results whose backward is measured alone
        self.calls = 0

    def call(self, one_pass):
        """The next call of a pass, and before it what is not to be measured."""
        index = self.calls % len(self.pairs)
        self.calls += 1
        x, dy = self.pairs[index]
        leaf = self.leaves[index]
        if one_pass == "forward":
            return lambda: self.forward(x)
        if one_pass == "forward_and_backward":
            return lambda: self.forward_and_backward(leaf, dy)
        if self.graphs[index] is None:
            self.graphs[index] = self.function(leaf)
        return lambda: torch.autograd.grad(self.graphs[index], [leaf, *self.gradients], dy, retain_graph=True,
                                           allow_unused=True)

    def forward(self, x):
        with torch.no_grad():
            self.function(x)

    def forward_and_backward(self, leaf, dy):
        for tensor in (leaf, *self.gradients):
            tensor.grad = None
        self.function(leaf).backward(dy)


def make_peers(makers, device, pairs, prologue):
    """Those that can run here, and why the others cannot. What is there but fails ends the program."""
    peers, refused = [], {}
    channels = pairs[0][0].shape[-1]
    coefficients = Coefficients(device, channels, prologue, pairs[0][1].dtype)
    for name, make in makers.items():
        try:
            function = make(device, channels, coefficients)
            peer = Peer(name, function, pairs, coefficients.gradients(function))
            for one_pass in PASSES:
                peer.call(one_pass)()
            synchronize(device)
            peers.append(peer)
        except Absent as reason:
            refused[name] = str(reason)
        except Exception as error:  # of packages that we do not know
            raise RuntimeError(f"{name} fails on {tuple(pairs[0][0].shape)} of {pairs[0][0].dtype}") from error
    return peers, refused


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def start_timing(calls, device):
    """Run or enqueue calls. @return what gives the milliseconds of one when asked for them, after the device is done"""
    if device == "cuda":
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(QUEUED * (1 + len(calls)))
        start.record()
        for call in calls:
            call()
        stop.record()
        return lambda: start.elapsed_time(stop) / len(calls)
    start = time.perf_counter()
    for call in calls:
        call()
    elapsed = 1e3 * (time.perf_counter() - start) / len(calls)
    return lambda: elapsed


def measure_in_turn(peers, one_pass, device, calls, repeats):
    """Milliseconds of each."""
    timings = [[] for _ in peers]
    for _ in range(WARM_UP + repeats):
        for peer, own in zip(peers, timings):
            own.append(start_timing([peer.call(one_pass) for _ in range(calls)], device))
        synchronize(device)  # now and then: results that nobody keeps pile up
    return [[read() for read in own[WARM_UP:]] for own in timings]


def case_of(name, shape, dtype, output_dtype, prologue, one_pass):
    operation = {"outer": shape[0], "channels": shape[1], "inner": 1, "groups": GROUPS, "numerator_groups": 1,
                 "denominator_groups": GROUPS, "numerator_degree": NUMERATOR_DEGREE,
                 "denominator_degree": DENOMINATOR_DEGREE, "denominator": "abs_terms"}
    if prologue != "none":
        operation["prologue"] = prologue
    if prologue.endswith("norm"):
        operation |= {"epsilon": 1e-5, "has_scale": True, "has_shift": prologue == "layer_norm"}
    of_y = {} if output_dtype == dtype else {"output_dtype": output_dtype}
    return {"operation": operation, "dtype": dtype, **of_y, "pass": one_pass, "strategy": "auto",
            "determinism": "run_to_run", "implementation": name}


def compare(device, shape, dtype, makers, arguments):
    """Cases of every implementation, those that do not run with their reason."""
    generator = torch.Generator(device=device).manual_seed(1)
    types = dtype, arguments.output_dtype or dtype
    sizes = [shape[0] * shape[1] * torch.empty(0, dtype=DTYPES[one]).element_size() for one in types]
    pairs = [tuple(torch.randn(1, *shape, generator=generator, device=device, dtype=DTYPES[one]) for one in types)
             for _ in range(1 + (CACHES // sizes[0] if device == "cuda" else 0))]
    peers, refused = make_peers(makers, device, pairs, arguments.prologue)
    what = shape, *types, arguments.prologue
    cases = [{**case_of(name, *what, PASSES[-1]), "unsupported": reason} for name, reason in refused.items()]
    for one_pass in PASSES:
        for peer, times in zip(peers, measure_in_turn(peers, one_pass, device, arguments.calls, arguments.repeats)):
            moved = sum(count * size for count, size in zip(TENSORS[one_pass], sizes))
            middle = statistics.median(times)
            cases.append({**case_of(peer.name, *what, one_pass), "bytes": moved,
                          "gb_per_s": moved / middle / 1e6,
                          "milliseconds": {"min": min(times), "median": middle, "max": max(times)}})
    return cases


def document_of(device, cases):
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    threads = "" if device == "cuda" else f", {torch.get_num_threads()} threads"
    return {
        "schema": "grkan-bench/1",
        "grkan": grkan.version()._asdict(),
        "command": command_line("compare_peers.py"),
        "date": now(),
        "machine": {"cpu": processor(), "cores": os.cpu_count(), "memory_bytes": pages * page_bytes, "os": release,
                    "kernel": platform.release()},
        "devices": [{"device": device, "backend": "torch", "name": name,
                     "driver": f"torch {torch.__version__}{threads}",
                     "architecture": platform.machine(), "cases": cases}],
    }


def print_rows(cases):
    own = {(str(case["operation"]), case["dtype"], case["pass"]): case["milliseconds"]["median"]
           for case in cases if case["implementation"] == "grkan" and "milliseconds" in case}
    for case in cases:
        what = (f"{case['operation']['outer']} x {case['operation']['channels']:<10}{case['dtype']:<6}"
                f"{case['pass'].replace('_', ' '):<22}{case['implementation']:<30}")
        if "unsupported" in case:
            print(f"{what} {case['unsupported'][:100]}")
            continue
        middle = case["milliseconds"]["median"]
        grkan_ms = own.get((str(case["operation"]), case["dtype"], case["pass"]))
        print(f"{what}{middle:>10.4f}" + (f"{middle / grkan_ms:>12.2f}" if grkan_ms else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser, choices=["cpu", "cuda"])
    parser.add_argument("--rows", type=positive, action="append", metavar="N",
                        help="may be repeated (201728 on a GPU, 1576 on the cpu)")
    parser.add_argument("--channels", type=positive, action="append", metavar="N", help="may be repeated (768)")
    parser.add_argument("--dtype", choices=list(DTYPES), action="append", help="may be repeated (f32)")
    parser.add_argument("--output-dtype", choices=list(DTYPES), help="of the results, with a prologue (--dtype's)")
    parser.add_argument("--prologue", choices=get_args(Prologue), default="none", help="what stands in front (none)")
    parser.add_argument("--implementation", action="append", metavar="NAME", help="may be repeated (all)")
    parser.add_argument("--threads", type=positive, metavar="N", help="of PyTorch and grkan on the cpu (all)")
    parser.add_argument("--calls", type=positive, metavar="N", help="of a sample (8 on a GPU, 1 on the cpu)")
    parser.add_argument("--repeats", type=positive, default=20, metavar="N", help="samples of each (20)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    arguments = parser.parse_args()
    makers = implementations(arguments.prologue)
    unknown = set(arguments.implementation or ()) - makers.keys()
    if unknown:
        parser.error(f"argument --implementation: expected some of {', '.join(makers)}, got '{min(unknown)}'")
    if arguments.output_dtype and arguments.prologue == "none":
        parser.error("argument --output-dtype: expected with a --prologue alone: the published modules have one type")
    if arguments.implementation:
        makers = {name: makers[name] for name in arguments.implementation}
    arguments.calls = arguments.calls or (8 if arguments.device == "cuda" else 1)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"{'rows x channels':<18}{'type':<6}{'pass':<22}{'implementation':<30}{'ms':>10}{'over grkan':>12}")
    cases = []
    for *shape, dtype in itertools.product(arguments.rows or [201728 if arguments.device == "cuda" else 1576],
                                           arguments.channels or [768], arguments.dtype or ["f32"]):
        found = compare(arguments.device, shape, dtype, makers, arguments)
        print_rows(found)
        cases += found
        if arguments.json:  # after each tensor, so that nothing is lost when a later one fails
            write_json(arguments.json, document_of(arguments.device, cases))


if __name__ == "__main__":
    main()
