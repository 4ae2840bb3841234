#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency and images per second of predictions: ViT, and KAT with grkan, with GELU in the rationals' places, and as
published.

Each model answers batches of random images without gradients, in these modes:

    eager     PyTorch as it is
    graph     one CUDA graph of the same
    compiled  torch.compile, for each batch size
    aot       an AOTInductor package of torch.export's program, one for all batch sizes

Weights are f32 under bfloat16 autocast; --weights bf16 converts them once, but the rationals' coefficients, which stay
f32. Before it is measured, each mode's answer is compared with the model's own in mode eager. All models of a case take
turns in one process, in short windows, so that a slow moment of the machine meets them all. In a window, calls first
follow one another (images per second), and then each is waited for (latency); figures are medians of windows, ratios
medians of what windows side by side have.

    inference.py --json results.json                   the whole study
    inference.py --sizes base --batches 1 --modes compiled --models vit,kat,kat-gelu --check
    inference.py --table results.json

A case that would start after --limit seconds is left out, and said so. Exit status 1 if something failed or was left
out. --table prints what a run wrote as a table of Markdown.
"""

import argparse
import functools
import gc
import itertools
import os
import statistics
import sys
import tempfile
import time

import models
import torch
from models import list_of, make_each, print_without, ratio, seconds, spread, synchronize
from scripting import duration, origin, positive, results_file, write_json

MODES = ("eager", "graph", "compiled", "aot")
LARGE_ONLY = ("compiled", "aot")  # modes that the study has for its largest size alone: they take long to make
LEAST_RATIO = 0.98  # of the images per second of the KAT with GELU, which --check wants of the largest size
TOLERANCE = 0.1  # of an answer's largest element: 12 blocks in bfloat16, whose roundings modes place differently

# ---------------------------------------------------------------------------------------------------------------- modes


class Served(torch.nn.Module):
    """A model as it answers: in eval mode, under autocast unless its weights have 16 bits."""

    def __init__(self, name, size, arguments):
        super().__init__()
        self.model = models.make_model(name, size, arguments).to(arguments.device).eval()
        self.autocast = arguments.weights == "f32"
        if not self.autocast:
            kept = [".mlp.act"]  # coefficients of rationals, and what those of a fused KAT take in
            if name.startswith("kat-fused"):
                kept += [".norm2.", ".mlp.fc1.bias"]
            for parameter_name, parameter in self.model.named_parameters():
                if not any(part in parameter_name for part in kept):
                    parameter.data = parameter.data.to(torch.bfloat16)

    def forward(self, images):
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.autocast):
            return self.model(images)


def package_of(served, images, folder):
    """AOTInductor's package of a model, loaded, for every batch size. images: two, from which it takes shapes."""
    with torch.inference_mode(False), torch.no_grad():
        program = torch.export.export(served, (images,), dynamic_shapes=({0: torch.export.Dim("batch", max=4096)},))
        path = os.path.join(folder, f"{len(os.listdir(folder))}.pt2")
        return torch._inductor.aoti_load_package(torch._inductor.aoti_compile_and_package(program, package_path=path))


def call_of(mode, served, images, package):
    """What makes an answer, by a mode: a function without arguments, and one that gives the answer of the last call."""
    function = served
    if mode == "compiled":
        function = torch.compile(served, dynamic=False)
    elif mode == "aot":
        function = package()
    if mode == "graph":
        replay, answer = models.capture(lambda: function(images))
        return replay, lambda: answer
    return (lambda: function(images)), (lambda: function(images))


# ------------------------------------------------------------------------------------------------------------ measuring


class Study:
    """The models of one size, and what they are asked."""

    def __init__(self, size, folder, arguments):
        self.size, self.arguments, self.device = size, arguments, torch.device(arguments.device)
        self.served, self.without = make_each(arguments.models, lambda name: Served(name, size, arguments))
        two = self.images(2)
        self.package = functools.cache(lambda name: package_of(self.served[name], two, folder))  # once for all batches

    def images(self, batch):
        return models.images_of(batch, self.arguments).to(
            torch.float32 if self.arguments.weights == "f32" else torch.bfloat16)

    def prepare(self, name, mode, images):
        """A warm call of a model, whose answer is right."""
        call, answer = call_of(mode, self.served[name], images, lambda: self.package(name))
        seconds(call, 3, self.device)
        expected, found = self.served[name](images).float(), answer().float()
        error, largest = float((found - expected).abs().max()), float(expected.abs().max())
        if not error <= TOLERANCE * largest:
            raise RuntimeError(f"mode {mode} is {error:.2g} from mode eager, whose answer is up to {largest:.2g}")
        return call

    def sample(self, call, count):
        """Seconds of a call behind another, and of one that is waited for."""
        behind = seconds(call, count, self.device) / count
        alone = []
        for _ in range(count):
            start = time.perf_counter()
            call()
            synchronize(self.device)
            alone.append(time.perf_counter() - start)
        return behind, statistics.median(alone)

    @torch.inference_mode()
    def measure(self, mode, batch):
        """One row for each model."""
        if mode in LARGE_ONLY:
            torch._dynamo.reset()  # past 8 models it would no longer compile, and not say so
        images = self.images(batch)
        calls, without = make_each(self.served, lambda name: self.prepare(name, mode, images))
        samples = models.measure_in_turn(calls, self.device, self.arguments, self.sample)
        behind = {name: [one for one, _ in found] for name, found in samples.items()}
        rows = []
        for name in self.arguments.models:
            row = {"size": self.size, "mode": mode, "batch": batch, "model": name,
                   **self.without.get(name, {}), **without.get(name, {})}
            if name in samples:
                row |= {"images_per_second": spread([batch / one for one in behind[name]]),
                        "latency_milliseconds": spread([1e3 * alone for _, alone in samples[name]])}
                row |= {f"ratio_to_{other.replace('-', '_')}": ratio(behind[name], behind.get(other))
                        for other in ("vit", "kat-gelu")}
            rows.append(row)
        return rows


def cases_of(arguments):
    """Sizes, each with its modes and batches."""
    for size in arguments.sizes:
        modes = [mode for mode in arguments.modes if mode not in LARGE_ONLY or size == arguments.sizes[-1]]
        yield size, list(itertools.product(modes, arguments.batches))


def measure(arguments, folder):
    """Rows, as they are found, of one case after the other; (size, mode, batch) of a case that is left out."""
    start = time.perf_counter()
    for size, cases in cases_of(arguments):
        study = None
        for mode, batch in cases:
            if time.perf_counter() - start > arguments.limit:
                yield [{"size": size, "mode": mode, "batch": batch, "model": name, "failed": "left out: --limit"}
                       for name in arguments.models]
                continue
            study = study or Study(size, folder, arguments)
            yield study.measure(mode, batch)
            gc.collect()  # graphs, and what was compiled for them


# --------------------------------------------------------------------------------------------------------------- report


def text_of(ratio):
    return "-" if ratio is None else f"{ratio:.3f}"


def print_rows(rows):
    for row in rows:
        start = f"{row['size']:<7}{row['mode']:<10}{row['batch']:>5}  {row['model']:<14}"
        if not print_without(start, row):
            print(f"{start}{row['latency_milliseconds']['median']:>9.3f}{row['images_per_second']['median']:>11.1f}"
                  f"{text_of(row['ratio_to_vit']):>8}{text_of(row['ratio_to_kat_gelu']):>13}", flush=True)


def table_of(rows):
    """Lines of Markdown, one for each case: latencies, KAT's images per second, and ratios of images per second."""
    names = {"vit": "ViT", "kat": "KAT with grkan", "kat-fused": "fused KAT", "kat-gelu": "KAT with GELU",
             "flashkat": "FlashKAT"}
    yield (f"| size | mode | batch | {' | '.join(f'{name}, ms' for name in names.values())} | KAT images/s | of ViT | "
           "of KAT with GELU | fused of ViT | FlashKAT of ViT |")
    yield f"|---|---|{'---:|' * (len(names) + 6)}"
    for (size, mode, batch), found in itertools.groupby(rows, lambda row: (row["size"], row["mode"], row["batch"])):
        of = {row["model"]: row for row in found if "images_per_second" in row}
        times = [f"{of[name]['latency_milliseconds']['median']:.3f}" if name in of else "-" for name in names]
        own, fused, peer = of.get("kat", {}), of.get("kat-fused", {}), of.get("flashkat", {})
        rate = f"{own['images_per_second']['median']:.0f}" if own else "-"
        ratios = [text_of(row.get(f"ratio_to_{name}"))
                  for row, name in ((own, "vit"), (own, "kat_gelu"), (fused, "vit"), (peer, "vit"))]
        yield f"| {' | '.join([size, mode, str(batch), *times, rate, *ratios])} |"


def too_slow(rows):
    """The rows that --check is about and does not like."""
    return [row for row in rows if row["model"] == "kat" and row["size"] == rows[-1]["size"]
            and row.get("ratio_to_kat_gelu") is not None and row["ratio_to_kat_gelu"] < LEAST_RATIO]


def describe(rows, arguments):
    return {**origin("grkan-inference/1", "bench/inference.py", torch.device(arguments.device)), "vit": arguments.vit,
            "image": arguments.image, "weights": arguments.weights, "results": rows}


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models.add_options(parser, windows=21, window=0.025)
    parser.add_argument("--batches", type=list_of(None, positive), default=[1, 16, 256], metavar="N,...")
    parser.add_argument("--modes", type=list_of(MODES), metavar="M,...",
                        help=f"some of {','.join(MODES)}; {' and '.join(LARGE_ONLY)} are for the last size alone (all; "
                             "on the cpu eager)")
    parser.add_argument("--weights", choices=("f32", "bf16"), default="f32", help="under autocast, or converted (f32)")
    parser.add_argument("--limit", type=duration, default=480, metavar="SECONDS",
                        help="after which no case is started (480)")
    parser.add_argument("--check", action="store_true",
                        help=f"exit with 1, too, if KAT has less than {LEAST_RATIO} of the images/s of the KAT with "
                             "GELU in a case of the last size")
    parser.add_argument("--table", metavar="FILE", type=results_file("grkan-inference/1"),
                        help="measure nothing; print the results of a file as Markdown")
    arguments = parser.parse_args(words)
    if arguments.table:
        return arguments
    models.check_vit(parser, arguments.vit, arguments.sizes)
    on_gpu = arguments.device.startswith("cuda")
    arguments.modes = arguments.modes or (MODES if on_gpu else MODES[:1])
    if "graph" in arguments.modes and not on_gpu:
        parser.error(f"argument --modes: expected a CUDA device for graph, got '{arguments.device}'")
    if set(arguments.modes) & set(LARGE_ONLY) and not hasattr(torch, "export"):
        parser.error(f"argument --modes: {' and '.join(LARGE_ONLY)} need a newer PyTorch than {torch.__version__}")
    return arguments


def main(words=None):
    arguments = parse(words)
    if arguments.table:
        print(*table_of(arguments.table["results"]), sep="\n")
        return 0
    print(f"{'size':<7}{'mode':<10}{'batch':>5}  {'model':<14}{'ms':>9}{'images/s':>11}{'to ViT':>8}"
          f"{'to KAT-GELU':>13}")
    rows = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for found in measure(arguments, folder):
            print_rows(found)
            rows += found
            if arguments.json:  # after each case, so that nothing is lost when a later one fails
                write_json(arguments.json, describe(rows, arguments))
    print(f"{time.perf_counter() - start:.0f} s")
    slow = too_slow(rows) if arguments.check else []
    for row in slow:
        print(f"{row['size']}, {row['mode']}, batch {row['batch']}: {row['ratio_to_kat_gelu']:.3f} of the KAT with "
              f"GELU; expected at least {LEAST_RATIO}", file=sys.stderr)
    return 1 if slow or any("failed" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
