#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does training by several processes give the gradients of one, and how much faster is it?

    torchrun --nproc_per_node 2 bench/train_ddp.py --device cuda --size base --json results.json
    torchrun --nproc_per_node 2 bench/train_ddp.py --device cpu --size digits --image 32 --batch 16 --gradients-only

Gradients: in float32, DistributedDataParallel with the batch split over the processes against one process with the
whole batch. Exit status 1 if they differ by more than rounding. Throughput: under bfloat16 autocast, --batch images for
each process, all of them together against the first one alone, in windows that alternate; medians.
"""

import argparse
import copy
import os
import statistics
import sys

import torch
import torch.nn.functional as F
from torch import distributed

import models  # and with it, where the examples are
import train_throughput
from scripting import add_device, origin, output_file, positive, write_json
from train_kat import Processes

TOLERANCE = 1e-4  # of a tensor's largest gradient; sums in another order differ by about 1e-6

# ----------------------------------------------------------------------------------------------------------- gradients


def gradients(model, images, labels):
    F.cross_entropy(model(images), labels).backward()
    return [parameter.grad for parameter in model.parameters()]


def largest_difference(found, expected):
    """Over all tensors, relative to each one's largest element."""
    return max(float((f - e).abs().max() / e.abs().max()) for f, e in zip(found, expected))


def compare_gradients(step, processes):
    """Largest difference of DDP's gradients from those of the whole batch, and, to show that the comparison can tell,
    that of the gradients which this process's part of the batch has on its own."""
    images, labels = step.images, step.labels
    mine = processes.share(images), processes.share(labels)
    whole = gradients(copy.deepcopy(step.module), images, labels)
    part = gradients(copy.deepcopy(step.module), *mine)
    together = gradients(processes.wrap(copy.deepcopy(step.module)), *mine)
    found = torch.tensor([largest_difference(together, whole), -largest_difference(part, whole)])
    found = found.to(processes.device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return float(found[0]), -float(found[1])


# ---------------------------------------------------------------------------------------------------------- throughput


def window(step, count, processes):
    """Images per second of this process, from a common start; step None: the process waits for the others."""
    distributed.barrier()
    return None if step is None else count * len(step.images) / models.seconds(step.run, count, step.device)


def compare_throughput(alone, together, arguments, processes):
    """Images per second of the first process alone, and of all processes."""
    first = alone if processes.rank == 0 else None
    samples = {"alone": [], "together": []}
    for _ in range(arguments.windows):
        rate = window(first, arguments.steps, processes)
        if rate is not None:
            samples["alone"].append(rate)
        rate = torch.tensor(window(together, arguments.steps, processes), device=processes.device)
        distributed.all_reduce(rate)
        samples["together"].append(float(rate))
    return {name: statistics.median(rates) for name, rates in samples.items() if rates}


def run(arguments, processes):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    arguments.device = str(processes.device)
    alone = train_throughput.Step(arguments.model, arguments.size, arguments.batch, arguments)
    together_error, part_error = compare_gradients(alone, processes)
    results = {"gradient_difference": together_error, "gradient_difference_of_one_part": part_error}
    if not arguments.gradients_only:
        together = train_throughput.Step(arguments.model, arguments.size, arguments.batch, arguments)
        together.model = processes.wrap(together.module)
        for step in (alone, together):
            models.seconds(step.run, 5, step.device)
        results["images_per_second"] = compare_throughput(alone, together, arguments, processes)
    return results


def print_results(results, processes):
    print(f"gradients of {processes.count} processes: {results['gradient_difference']:.1e} from those of the whole "
          f"batch (one part alone: {results['gradient_difference_of_one_part']:.1e}; allowed {TOLERANCE:.0e})")
    if "images_per_second" in results:
        rates = results["images_per_second"]
        print(f"images/s: one process {rates['alone']:.1f}, {processes.count} processes {rates['together']:.1f}, "
              f"ratio {rates['together'] / rates['alone']:.3f}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser, choices=["cpu", "cuda"])
    parser.add_argument("--size", choices=list(models.kat.SIZES), default="base")
    parser.add_argument("--model", choices=list(models.MODELS), default="kat")
    parser.add_argument("--vit", choices=("timm", "own"), default="own")
    parser.add_argument("--image", type=models.image, default=224, metavar="N",
                        help="height and width of the images (224)")
    parser.add_argument("--batch", type=positive, default=128, metavar="N",
                        help="images of a process for throughput, of all for gradients (128)")
    parser.add_argument("--windows", type=positive, default=7, metavar="N", help="of each (7)")
    parser.add_argument("--steps", type=positive, default=10, metavar="N", help="of a window (10)")
    parser.add_argument("--gradients-only", action="store_true")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the results as JSON too")
    arguments = parser.parse_args()
    models.check_vit(parser, arguments.vit, [arguments.size])
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes < 2:
        parser.error("expected at least 2 processes: start this with torchrun --nproc_per_node 2")
    if arguments.batch % processes:
        parser.error(f"argument --batch: expected a multiple of the {processes} processes, got {arguments.batch}")
    arguments.compile = arguments.cuda_graphs = False
    return arguments


def main():
    arguments = parse_arguments()
    processes = Processes(arguments.device)
    results = run(arguments, processes)
    if processes.rank == 0:
        print_results(results, processes)
        if arguments.json:
            write_json(arguments.json, {
                **origin("grkan-train-ddp/1", "bench/train_ddp.py", processes.device),
                "processes": processes.count, "size": arguments.size, "batch": arguments.batch, "results": results})
    processes.close()
    return 0 if results["gradient_difference"] <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
