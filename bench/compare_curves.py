#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do two activations train alike? Reads what examples/train_kat.py --json wrote, over several seeds.

    compare_curves.py grkan-1.json grkan-2.json grkan-3.json eager-1.json eager-2.json eager-3.json

The curves of two activations are alike if, on average over the epochs, the means over the seeds are not farther apart
than the spread of the seeds, and if the means of the last losses are not farther apart than the standard deviation of
grkan's. All are compared with grkan's; exit status 1 if those of the formula ("eager") or of the fused layers ("fused")
are not alike.
"""

import argparse
import statistics
import sys

from scripting import results_file

METRICS = ("train_loss", "test_loss", "test_accuracy")
LOSSES = METRICS[:2]
SAME_FUNCTION = {"eager", "fused"}  # as "grkan", otherwise computed


def name_of(settings):
    """The activation, and its determinism where that is not the default."""
    level = settings["determinism"]
    return settings["activation"] + ("" if level == "run_to_run" else f", {level}")


def runs_of(documents):
    """name -> seed -> epochs"""
    runs = {}
    for document in documents:
        settings = document["settings"]
        runs.setdefault(name_of(settings), {})[settings["seed"]] = document["epochs"]
    return runs


def not_comparable(runs):
    """What of the files' runs cannot be compared; None: they all can."""
    if not SAME_FUNCTION & runs.keys():
        return f"expected runs of some of {', '.join(sorted(SAME_FUNCTION))}, got {', '.join(runs)}"
    for name in ("grkan", *runs):
        if len(runs.get(name, {})) < 2:
            return f"expected at least 2 seeds of {name}, got {len(runs.get(name, {}))}"
    epochs = [epochs for seeds in runs.values() for epochs in seeds.values()]
    if len(set(map(len, epochs))) > 1:
        return f"expected as many epochs in each, got {min(map(len, epochs))} to {max(map(len, epochs))}"
    if not all(metric in epoch for one in epochs for epoch in one for metric in METRICS):
        return f"expected {', '.join(METRICS)} of each epoch, as trainings on digits have them"
    return None


def by_epoch(seeds, metric):
    """For each epoch, the values of all seeds."""
    return list(zip(*([epoch[metric] for epoch in epochs] for epochs in seeds.values())))


def distance(one, other, metric):
    """How far the means of two activations are apart, and the spread of seeds: averages over the epochs."""
    pairs = list(zip(by_epoch(one, metric), by_epoch(other, metric)))
    apart = statistics.fmean(abs(statistics.fmean(a) - statistics.fmean(b)) for a, b in pairs)
    spread = statistics.fmean((statistics.variance(a) + statistics.variance(b)) ** 0.5 / 2**0.5 for a, b in pairs)
    return apart, spread


def last_distance(one, other, metric):
    """How far the means of the last epochs are apart, and the spread of the first one's seeds."""
    a, b = (by_epoch(seeds, metric)[-1] for seeds in (one, other))
    return abs(statistics.fmean(a) - statistics.fmean(b)), statistics.stdev(a)


def print_finals(runs):
    print(f"{'last epoch':<26}{'seeds':>6}" + "".join(f"{metric:>21}" for metric in METRICS))
    for name, seeds in runs.items():
        line = f"{name:<26}{len(seeds):>6}"
        for metric in METRICS:
            values = by_epoch(seeds, metric)[-1]
            line += f"{statistics.fmean(values):>12.4f} ±{statistics.stdev(values):7.4f}"
        print(line)


def print_distances(runs):
    """Returns the names whose curves are like grkan's."""
    print(f"\n{'apart from grkan / spread':<32}" + "".join(f"{metric:>21}" for metric in METRICS))
    alike = []
    for name in runs:
        if name == "grkan":
            continue
        pairs = [distance(runs["grkan"], runs[name], metric) for metric in METRICS]
        last = [last_distance(runs["grkan"], runs[name], metric) for metric in LOSSES]
        for words, found in ((name, pairs), (f"{name}, last epoch", last)):
            print(f"{words:<32}" + "".join(f"{f'{apart:.4f} / {spread:.4f}':>21}" for apart, spread in found))
        if all(apart <= spread for apart, spread in pairs + last):
            alike.append(name)
    return alike


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=results_file("grkan-training/1"), metavar="FILE")
    runs = runs_of(parser.parse_args(words).files)
    reason = not_comparable(runs)
    if reason is not None:
        parser.error(f"argument FILE: {reason}")
    print_finals(runs)
    return 0 if SAME_FUNCTION & runs.keys() <= set(print_distances(runs)) else 1


if __name__ == "__main__":
    sys.exit(main())
