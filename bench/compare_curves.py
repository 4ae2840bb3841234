#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do two activations train alike? Reads what examples/train_kat.py --json wrote, over several seeds.

    compare_curves.py grkan-1.json grkan-2.json grkan-3.json eager-1.json eager-2.json eager-3.json

The curves of two activations are alike if, on average over the epochs, the means over the seeds are not farther apart
than the spread of the seeds. Exit status 1 if grkan's and the formula's ("eager") are not.
"""

import argparse
import json
import statistics
import sys

METRICS = ("train_loss", "test_loss", "test_accuracy")


def read(paths):
    """activation -> seed -> epochs"""
    runs = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if document.get("schema") != "grkan-training/1":
            sys.exit(f"{path}: expected schema grkan-training/1, got {document.get('schema')}")
        settings = document["settings"]
        runs.setdefault(settings["activation"], {})[settings["seed"]] = document["epochs"]
    return runs


def by_epoch(seeds, metric):
    """For each epoch, the values of all seeds."""
    return list(zip(*([epoch[metric] for epoch in epochs] for epochs in seeds.values())))


def distance(one, other, metric):
    """How far the means of two activations are apart, and the spread of seeds: averages over the epochs."""
    pairs = list(zip(by_epoch(one, metric), by_epoch(other, metric)))
    apart = statistics.fmean(abs(statistics.fmean(a) - statistics.fmean(b)) for a, b in pairs)
    spread = statistics.fmean((statistics.variance(a) + statistics.variance(b)) ** 0.5 / 2**0.5 for a, b in pairs)
    return apart, spread


def print_finals(runs):
    print(f"{'activation':<12}{'seeds':>6}" + "".join(f"{metric:>24}" for metric in METRICS) + "   (last epoch)")
    for name, seeds in runs.items():
        line = f"{name:<12}{len(seeds):>6}"
        for metric in METRICS:
            values = by_epoch(seeds, metric)[-1]
            line += f"{statistics.fmean(values):>14.4f} ±{statistics.stdev(values):>8.4f}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    runs = read(parser.parse_args().files)
    for name in ("grkan", "eager"):
        if len(runs.get(name, {})) < 2:
            sys.exit(f"expected at least 2 seeds of {name}, got {len(runs.get(name, {}))}")
    print_finals({name: seeds for name, seeds in runs.items() if len(seeds) > 1})
    are_alike = True
    for metric in METRICS:
        apart, spread = distance(runs["grkan"], runs["eager"], metric)
        are_alike = are_alike and apart <= spread
        print(f"{metric:<14} grkan and eager are {apart:.4f} apart; seeds spread by {spread:.4f}")
    return 0 if are_alike else 1


if __name__ == "__main__":
    sys.exit(main())
