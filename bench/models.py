# SPDX-License-Identifier: Apache-2.0
"""What the measurements of whole models share: the models, how they take turns, and options."""

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path

import torch
from scripting import add_device, duration, number, output_file, positive  # and with it, where grkan is

from grkan.torch import to_kat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import kat

# -------------------------------------------------------------------------------------------------------------- models


def flashkat_activation(channels, mode):
    from rational_kat import FlashKAT_Group

    return FlashKAT_Group(in_features=channels, num_groups=1, den_groups=8, m=6, n=4, mode=mode)


def published_activation(channels, mode):
    from kat_rational import KAT_Group

    return KAT_Group(mode=mode)


# Of each model: what makes its activations, and how (see to_kat).
MODELS = {
    "vit": None,
    "kat": (kat.grkan_activation, {}),
    "kat-fused": (kat.grkan_activation, {"fused": True}),
    "kat-fused-stored": (kat.grkan_activation, {"fused": True, "recompute": False}),
    "kat-gelu": (kat.gelu_activation, {}),
    "kat-eager": (kat.eager_activation, {"narrow_input": False}),
    "flashkat": (flashkat_activation, {"narrow_input": False}),
    "kat-published": (published_activation, {"narrow_input": False}),
}
PEERS = ("rational_kat", "kat_rational")  # packages that need not be there
PATCH = 16  # the least height of an image


def make_vit(size, arguments):
    if arguments.vit == "own":
        return kat.VisionTransformer(size, image=arguments.image)
    import timm

    return timm.create_model(f"vit_{size}_patch16_224", img_size=arguments.image)


def make_model(name, size, arguments):
    torch.manual_seed(1)
    vit = make_vit(size, arguments)
    if MODELS[name] is None:
        return vit
    activation, options = MODELS[name]
    return to_kat(vit, activation, **options)


def images_of(batch, arguments):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, arguments.image, arguments.image, generator=generator).to(arguments.device)


def make_each(names, make):
    """What make(name) gives for each model that runs; for each of the others, a row's words on why it does not.

    A peer whose package is not there is "absent"; whatever else is raised is a failure, and the others still run.
    """
    made, without = {}, {}
    for name in names:
        try:
            made[name] = make(name)
        except Exception as error:  # of packages that we do not know
            is_absent = isinstance(error, ModuleNotFoundError) and error.name in PEERS
            reason = (str(error).strip().splitlines() or [""])[0]
            without[name] = {"absent" if is_absent else "failed": f"{type(error).__name__}: {reason}"}
    return made, without


def print_without(start, row):
    """The line of a model that did not run. @return whether it is one"""
    reason = row.get("absent", row.get("failed"))
    if reason is not None:
        print(f"{start} did not run: {reason}", flush=True)
    return reason is not None


# -------------------------------------------------------------------------------------------------------------- timing


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run, count, device):
    """Of so many calls, one behind the other."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(count):
        run()
    synchronize(device)
    return time.perf_counter() - start


def capture(run):
    """A function that replays one CUDA graph of what run() enqueues, and its result, which each replay overwrites."""
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        result = run()
    return graph.replay, result


def measure_in_turn(runs, device, arguments, sample=None):
    """A list of samples for each model, one a window, the models alternating.

    sample(run, count) measures a window of so many calls; by default, the seconds of one of them.
    """
    sample = sample or (lambda run, count: seconds(run, count, device) / count)
    counts = {name: max(1, round(arguments.window / min(seconds(run, 1, device) for _ in range(3))))
              for name, run in runs.items()}
    samples = {name: [] for name in runs}
    for _ in range(arguments.windows):
        for name, run in runs.items():
            samples[name].append(sample(run, counts[name]))
    return samples


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratio(times, others):
    """How fast a model is, of another's speed: of windows side by side, the median. None without another."""
    return None if others is None else statistics.median(other / own for own, other in zip(times, others))


# ------------------------------------------------------------------------------------------------------------- options


def list_of(allowed, kind=str):
    """argparse's type of words between commas; allowed None: any that kind takes."""
    def parse(text):
        words = text.split(",")
        for word in words:
            if allowed is not None and word not in allowed:
                raise argparse.ArgumentTypeError(f"expected some of {','.join(allowed)}, got '{word}'")
        return [kind(word) for word in words]

    return parse


image = number(int, PATCH, "a whole number")


def add_options(parser, windows, window):
    add_device(parser)
    parser.add_argument("--sizes", type=list_of(list(kat.SIZES)), default=["tiny", "small", "base"], metavar="S,...")
    parser.add_argument("--models", type=list_of(list(MODELS)), default=["vit", "kat", "kat-gelu", "flashkat"],
                        metavar="M,...", help=f"some of {','.join(MODELS)} (vit,kat,kat-gelu,flashkat)")
    parser.add_argument("--vit", choices=("timm", "own"), default="timm")
    parser.add_argument("--image", type=image, default=224, metavar="N", help="height and width of the images (224)")
    parser.add_argument("--windows", type=positive, default=windows, metavar="N", help=f"of each model ({windows})")
    parser.add_argument("--window", type=duration, default=window, metavar="SECONDS",
                        help=f"length of a window ({window})")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")


def check_vit(parser, vit, sizes):
    """End with a line if timm is asked for what it does not have; it is looked for only where it is needed."""
    if vit == "timm" and importlib.util.find_spec("timm") is None:
        parser.error("argument --vit: timm is not installed; expected own, which needs PyTorch alone")
    if vit == "timm" and "digits" in sizes:
        parser.error("argument --vit: expected own for the size digits, which timm does not have")
