#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images per second of a training step: ViT, and KAT with grkan, with GELU in the rationals' places, and as published.

A step is forward, backward and AdamW on one batch of random images, under bfloat16 autocast. All models of a size run
in one process, in windows that alternate, so that a slow moment of the machine meets them all; figures are medians of a
model's windows, ratios to the ViT medians of what windows side by side have. Beside images per second there is the
processor time of a step, of all threads of the process; where the GPU is the limit, waiting for it is part of that.
Memory is what a step needs at its peak with weights and optimizer state, without CUDA graphs, counted for each model
apart.

    train_throughput.py --device cuda --json results.json
    train_throughput.py --device cuda --cuda-graphs --sizes tiny,small
    train_throughput.py --device cuda --batch 512 --sizes tiny,small
    train_throughput.py --device cuda --sizes base --models vit,kat --compile --one-core --windows 61 --window 0.15

The ViT is timm's; --vit own takes the one of examples/kat.py, which is the same function and needs PyTorch alone.
"""

import argparse
import contextlib
import gc
import os
import subprocess
import sys
import time

import models
import torch
import torch.nn.functional as F
from models import print_without, ratio, seconds, spread
from scripting import origin, positive, write_json

BASELINE = "vit"

# --------------------------------------------------------------------------------------------------------------- steps


class Step:
    """A training step of one model; calling it enqueues one."""

    def __init__(self, name, size, batch, arguments):
        self.device = torch.device(arguments.device)
        self.module = models.make_model(name, size, arguments).to(self.device)
        self.model = torch.compile(self.module) if arguments.compile else self.module
        options = {"fused": True, "capturable": arguments.cuda_graphs} if self.device.type == "cuda" else {}
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=1e-4, **options)
        self.images = models.images_of(batch, arguments)
        self.labels = torch.randint(1000, (batch,), generator=torch.Generator().manual_seed(0)).to(self.device)
        self.run = self.train

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def capture(self):
        """From now on, a call replays one CUDA graph of the whole step."""
        self.run, _ = models.capture(self.train)


def prepare(name, size, batch, arguments):
    """Returns a warmed-up step and the bytes at its peak (None on the cpu, which does not count them)."""
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
    step = Step(name, size, batch, arguments)
    seconds(step.run, 3, device)
    peak = torch.cuda.max_memory_allocated(device) - before if on_gpu else None
    if arguments.cuda_graphs:
        step.capture()
    return step, peak


# ----------------------------------------------------------------------------------------------------------- measuring


@contextlib.contextmanager
def one_core(arguments):
    """Keep all threads that this process has now on one core, which a busy loop shares, if --one-core asks for it."""
    if not arguments.one_core:
        yield
        return
    before = os.sched_getaffinity(0)
    core = min(before)
    loop = (f"import os\nos.sched_setaffinity(0, {{{core}}})\n"
            f"while os.getppid() == {os.getpid()}:\n    sum(range(10000))")
    with subprocess.Popen([sys.executable, "-c", loop]) as busy:
        try:
            keep_on({core})
            yield
        finally:
            keep_on(before)
            busy.kill()


def keep_on(cores):
    """All threads of this process, autograd's too; those that they start inherit it."""
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread), cores)


def sample(run, count, device):
    """Seconds, and seconds of processors, of a step of a window of so many."""
    models.synchronize(device)
    before = time.process_time()
    spent = seconds(run, count, device)
    return spent / count, (time.process_time() - before) / count


def measure(size, batch, arguments):
    """One row for each model."""
    if arguments.compile:
        torch._dynamo.reset()  # past 8 models it would no longer compile, and not say so
    steps, without = models.make_each(arguments.models, lambda name: prepare(name, size, batch, arguments))
    device = torch.device(arguments.device)
    with one_core(arguments):
        samples = models.measure_in_turn({name: step.run for name, (step, _) in steps.items()}, device, arguments,
                                         lambda run, count: sample(run, count, device))
    times = {name: [spent for spent, _ in found] for name, found in samples.items()}
    rows = []
    for name in arguments.models:
        row = {"size": size, "model": name, "batch": batch, "cuda_graphs": arguments.cuda_graphs,
               "compile": arguments.compile, "one_core": arguments.one_core, **without.get(name, {})}
        if name in steps:
            step, peak = steps[name]
            row |= {"parameters": sum(parameter.numel() for parameter in step.module.parameters()), "peak_bytes": peak,
                    "images_per_second": spread([batch / spent for spent in times[name]]),
                    "processor_milliseconds": spread([1e3 * spent for _, spent in samples[name]]),
                    "ratio_to_vit": ratio(times[name], times.get(BASELINE))}
        rows.append(row)
    return rows


# -------------------------------------------------------------------------------------------------------------- report


def print_rows(rows):
    for row in rows:
        start = f"{row['size']:<6}{row['batch']:>6}  {row['model']:<14}"
        if print_without(start, row):
            continue
        rate, of_vit, peak = row["images_per_second"], row["ratio_to_vit"], row["peak_bytes"]
        print(f"{start}{rate['median']:>10.1f}{rate['min']:>10.1f}{rate['max']:>10.1f}"
              f"{'-' if of_vit is None else f'{of_vit:.3f}':>8}{row['processor_milliseconds']['median']:>10.2f}"
              f"{'-' if peak is None else f'{peak / 2**30:.2f}':>10}", flush=True)


def describe(rows, arguments):
    return {**origin("grkan-train-throughput/1", "bench/train_throughput.py", torch.device(arguments.device)),
            "vit": arguments.vit, "image": arguments.image, "autocast": "bfloat16", "results": rows}


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models.add_options(parser, windows=7, window=0.4)
    parser.add_argument("--batch", type=positive, default=128, metavar="N")
    parser.add_argument("--cuda-graphs", action="store_true", help="replay each step as one CUDA graph")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--one-core", action="store_true",
                        help="once warm, keep all threads on one core, together with a busy loop: a slow host")
    arguments = parser.parse_args(words)
    if arguments.cuda_graphs and not arguments.device.startswith("cuda"):
        parser.error(f"argument --cuda-graphs: expected a CUDA device, got '{arguments.device}'")
    models.check_vit(parser, arguments.vit, arguments.sizes)
    return arguments


def main(words=None):
    arguments = parse(words)
    print(f"{'size':<6}{'batch':>6}  {'model':<14}{'images/s':>10}{'min':>10}{'max':>10}{'to ViT':>8}{'cpu ms':>10}"
          f"{'peak GiB':>10}")
    rows = []
    for size in arguments.sizes:
        found = measure(size, arguments.batch, arguments)
        print_rows(found)
        rows += found
        if arguments.json:  # after each size, so that nothing is lost when a later one fails
            write_json(arguments.json, describe(rows, arguments))
    return 1 if any("failed" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
