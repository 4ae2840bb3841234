#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images per second of a training step: ViT, and KAT with grkan, with GELU in the rationals' places, and as published.

A step is forward, backward and AdamW on one batch of random images, under bfloat16 autocast. All models of a size run
in one process, in windows that alternate, so that a slow moment of the machine meets them all; the figure is the
median of a model's windows. Memory is what a step needs at its peak with weights and optimizer state, without CUDA
graphs, counted for each model apart.

    train_throughput.py --device cuda --json results.json
    train_throughput.py --device cuda --cuda-graphs --sizes tiny,small
    train_throughput.py --device cuda --batch 512 --sizes tiny,small

The ViT is timm's; --vit own takes the one of examples/kat.py, which is the same function and needs PyTorch alone.
"""

import argparse
import gc
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import kat
from scripting import command_line, output_file, positive, write_json
from train_kat import machine

# -------------------------------------------------------------------------------------------------------------- models


def flashkat_activation(channels, mode):
    from rational_kat import FlashKAT_Group

    return FlashKAT_Group(in_features=channels, num_groups=1, den_groups=8, m=6, n=4, mode=mode)


def published_activation(channels, mode):
    from kat_rational import KAT_Group

    return KAT_Group(mode=mode)


# Of each model: what makes its activations, and whether the first rational's input is narrowed (see kat.py).
MODELS = {
    "vit": None,
    "kat": (kat.grkan_activation, True),
    "kat-gelu": (kat.gelu_activation, True),
    "kat-eager": (kat.eager_activation, False),
    "flashkat": (flashkat_activation, False),
    "kat-published": (published_activation, False),
}
BASELINE = "vit"
OURS = ("vit", "kat", "kat-gelu", "kat-eager")  # those that need no peer's package: a failure is an error


def make_vit(size, arguments):
    if arguments.vit == "own":
        return kat.VisionTransformer(size, image=arguments.image)
    import timm

    return timm.create_model(f"vit_{size}_patch16_224", img_size=arguments.image)


def make_model(name, size, arguments):
    torch.manual_seed(1)
    vit = make_vit(size, arguments)
    return vit if MODELS[name] is None else kat.to_kat(vit, *MODELS[name])


# --------------------------------------------------------------------------------------------------------------- steps


class Step:
    """A training step of one model; calling it enqueues one."""

    def __init__(self, name, size, batch, arguments):
        self.device = torch.device(arguments.device)
        self.module = make_model(name, size, arguments).to(self.device)
        self.model = torch.compile(self.module) if arguments.compile else self.module
        options = {"fused": True, "capturable": arguments.cuda_graphs} if self.device.type == "cuda" else {}
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=1e-4, **options)
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(batch, 3, arguments.image, arguments.image, generator=generator).to(self.device)
        self.labels = torch.randint(1000, (batch,), generator=generator).to(self.device)
        self.run = self.train

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def capture(self):
        """From now on, a call replays one CUDA graph of the whole step."""
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.train()
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.train()
        self.run = graph.replay


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(step, count):
    synchronize(step.device)
    start = time.perf_counter()
    for _ in range(count):
        step.run()
    synchronize(step.device)
    return time.perf_counter() - start


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
    seconds(step, 3)
    peak = torch.cuda.max_memory_allocated(device) - before if on_gpu else None
    if arguments.cuda_graphs:
        step.capture()
    return step, peak


# ----------------------------------------------------------------------------------------------------------- measuring


def prepare_all(size, batch, arguments):
    """Steps of the models that run, and for each of the others why it does not: a peer may be absent or fail."""
    steps, absent = {}, {}
    for name in arguments.models:
        try:
            steps[name] = prepare(name, size, batch, arguments)
        except Exception as error:  # whatever a peer raises, the others are still measured
            absent[name] = f"{type(error).__name__}: {error}"
    return steps, absent


def measure_in_turn(steps, arguments):
    """Seconds of one step of each model, one figure a window."""
    counts = {name: max(1, round(arguments.window / seconds(step, 1))) for name, (step, _) in steps.items()}
    samples = {name: [] for name in steps}
    for _ in range(arguments.windows):
        for name, (step, _) in steps.items():
            samples[name].append(seconds(step, counts[name]) / counts[name])
    return samples


def measure(size, batch, arguments):
    """One row for each model."""
    if arguments.compile:
        torch._dynamo.reset()  # past 8 models it would no longer compile, and not say so
    steps, absent = prepare_all(size, batch, arguments)
    samples = measure_in_turn(steps, arguments)
    baseline = statistics.median(samples[BASELINE]) if BASELINE in samples else None
    rows = []
    for name in arguments.models:
        row = {"size": size, "model": name, "batch": batch, "cuda_graphs": arguments.cuda_graphs,
               "compile": arguments.compile}
        if name in absent:
            row["absent"] = absent[name]
        else:
            step, peak = steps[name]
            rates = sorted(batch / sample for sample in samples[name])
            middle = statistics.median(samples[name])
            row |= {"parameters": sum(parameter.numel() for parameter in step.module.parameters()), "peak_bytes": peak,
                    "images_per_second": {"min": rates[0], "median": batch / middle, "max": rates[-1]},
                    "ratio_to_vit": baseline / middle if baseline else None}
        rows.append(row)
    return rows


# -------------------------------------------------------------------------------------------------------------- report


def print_rows(rows):
    for row in rows:
        start = f"{row['size']:<6}{row['batch']:>6}  {row['model']:<14}"
        if "absent" in row:
            print(f"{start} did not run: {row['absent']}", flush=True)
            continue
        rate, ratio, peak = row["images_per_second"], row["ratio_to_vit"], row["peak_bytes"]
        print(f"{start}{rate['median']:>10.1f}{rate['min']:>10.1f}{rate['max']:>10.1f}"
              f"{'-' if ratio is None else f'{ratio:.3f}':>8}{'-' if peak is None else f'{peak / 2**30:.2f}':>10}",
              flush=True)


def describe(rows, arguments):
    return {"schema": "grkan-train-throughput/1", "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": command_line("bench/train_throughput.py"),
            "machine": machine(torch.device(arguments.device)), "vit": arguments.vit, "image": arguments.image,
            "autocast": "bfloat16", "results": rows}


def list_of(allowed):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"expected some of {','.join(allowed)}, got '{name}'")
        return names

    return parse


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu (cuda)")
    parser.add_argument("--sizes", type=list_of(list(kat.SIZES)), default=["tiny", "small", "base"], metavar="S,...")
    parser.add_argument("--models", type=list_of(list(MODELS)), default=["vit", "kat", "kat-gelu", "flashkat"],
                        metavar="M,...", help=f"some of {','.join(MODELS)} (vit,kat,kat-gelu,flashkat)")
    parser.add_argument("--batch", type=positive, default=128, metavar="N")
    parser.add_argument("--vit", choices=("timm", "own"), default="timm")
    parser.add_argument("--image", type=positive, default=224, metavar="N", help="height and width of the images (224)")
    parser.add_argument("--cuda-graphs", action="store_true", help="replay each step as one CUDA graph")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--windows", type=positive, default=7, metavar="N", help="of each model (7)")
    parser.add_argument("--window", type=float, default=0.4, metavar="SECONDS", help="length of a window (0.4)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    arguments = parser.parse_args(words)
    if arguments.cuda_graphs and not arguments.device.startswith("cuda"):
        parser.error(f"--cuda-graphs: expected a CUDA device, got '{arguments.device}'")
    return arguments


def main(words=None):
    arguments = parse(words)
    print(f"{'size':<6}{'batch':>6}  {'model':<14}{'images/s':>10}{'min':>10}{'max':>10}{'to ViT':>8}{'peak GiB':>10}")
    rows = []
    for size in arguments.sizes:
        found = measure(size, arguments.batch, arguments)
        print_rows(found)
        rows += found
        if arguments.json:  # after each size, so that nothing is lost when a later one fails
            write_json(arguments.json, describe(rows, arguments))
    return 1 if any("absent" in row and row["model"] in OURS for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
