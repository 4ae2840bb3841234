#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a small KAT on scikit-learn's digits, or any KAT on random images to see how fast it goes.

    train_kat.py                                     digits, on the CPU in about a minute
    train_kat.py --activation eager                  the same, through the formula in PyTorch's operators
    train_kat.py --activation fused                  the same, norms and biases taken into grkan's rationals
    train_kat.py --data random --size base --device cuda
    torchrun --nproc_per_node 2 train_kat.py --data random --size base --device cuda

The last line is the SHA-256 of the trained parameters: equal if and only if two runs agree bit for bit.
"""

import argparse
import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path

import grkan.torch
import torch
import torch.nn.functional as F
from grkan.torch import to_kat
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import kat

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))
from scripting import device, machine, output_file, positive, write_json

LEVELS = ("none", "run_to_run", "device_to_device")
# What to_kat makes the rationals by.
ACTIVATIONS = {"grkan": {"activation": kat.grkan_activation}, "eager": {"activation": kat.eager_activation},
               "fused": {"activation": kat.grkan_activation, "fused": True}}

# --------------------------------------------------------------------------------------------------------- processes


class Processes:
    """The processes that torchrun started, or this one alone."""

    def __init__(self, kind):
        self.count, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        self.device = torch.device(kind)
        if kind == "cuda":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(self.device)
        if self.count > 1:
            distributed.init_process_group("nccl" if kind == "cuda" else "gloo")

    def share(self, batch):
        """The part of a batch that this process works on: equal parts, so that the mean of means is the mean."""
        return batch[self.rank :: self.count]

    def wrap(self, model):
        if self.count == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)

    def close(self):
        if self.count > 1:
            distributed.destroy_process_group()


# --------------------------------------------------------------------------------------------------------------- data


class Digits:
    """1797 images of 8 x 8, 10 classes; one in five is for testing, the same ones whatever the seed."""

    shape = {"image": 8, "patch": 2, "channels": 1, "classes": 10}

    def __init__(self, device):
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = torch.as_tensor(digits.images, dtype=torch.float32, device=device)[:, None] / 8 - 1
        labels = torch.as_tensor(digits.target, dtype=torch.int64, device=device)
        is_test = torch.arange(len(images)) % 5 == 4
        self.train, self.test = (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])


class RandomImages:
    """One batch of the shape of ImageNet's images; enough for throughput, nothing can be learnt from it."""

    shape = {"image": 224, "patch": 16, "channels": 3, "classes": 1000}

    def __init__(self, device, count):
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(count, 3, 224, 224, generator=generator).to(device)
        labels = torch.randint(1000, (count,), generator=generator).to(device)
        self.train, self.test = (images, labels), None


def load_data(arguments, device):
    return Digits(device) if arguments.data == "digits" else RandomImages(device, arguments.images)


# ----------------------------------------------------------------------------------------------------------- training


def make_model(arguments, data):
    torch.manual_seed(arguments.seed)
    model = kat.VisionTransformer(arguments.size, **data.shape)
    if arguments.activation != "gelu":
        to_kat(model, **ACTIVATIONS[arguments.activation])
    return model


def autocast(arguments, device):
    return torch.autocast(device.type, torch.bfloat16) if arguments.bf16 else contextlib.nullcontext()


def batches(count, batch, generator):
    """Indices of each batch of an epoch; what is left over waits for the next shuffle."""
    return torch.randperm(count, generator=generator)[: count - count % batch].split(batch)


def train_epoch(model, optimizer, schedule, data, arguments, processes, generator):
    """Returns the mean loss of this process, and images per second of all."""
    images, labels = data.train
    total, start, taken = 0.0, time.perf_counter(), 0
    for batch in batches(len(images), arguments.batch, generator):
        mine = processes.share(batch)
        optimizer.zero_grad(set_to_none=True)
        with autocast(arguments, processes.device):
            loss = F.cross_entropy(model(images[mine]), labels[mine])
        loss.backward()
        optimizer.step()
        schedule.step()
        total, taken = total + loss.detach(), taken + 1
    mean = float(total) / taken  # waits for the device
    return mean, taken * arguments.batch / (time.perf_counter() - start)


@torch.no_grad()
def evaluate(model, test):
    model.eval()
    scores = model(test[0])
    model.train()
    return float(F.cross_entropy(scores, test[1])), float((scores.argmax(1) == test[1]).float().mean())


def train(data, arguments, processes):
    """Returns the model, and what was seen in each epoch."""
    if arguments.batch > len(data.train[0]):
        sys.exit(f"--batch: expected at most the {len(data.train[0])} images of the data, got {arguments.batch}")
    model = make_model(arguments, data).to(processes.device)
    replica = processes.wrap(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=0.05)
    steps = arguments.epochs * (len(data.train[0]) // arguments.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(arguments.seed)
    epochs = []
    for number in range(1, arguments.epochs + 1):
        loss, rate = train_epoch(replica, optimizer, schedule, data, arguments, processes, generator)
        epoch = {"epoch": number, "train_loss": loss, "images_per_second": rate}
        if data.test is not None:
            epoch["test_loss"], epoch["test_accuracy"] = evaluate(model, data.test)
        epochs.append(epoch)
        if processes.rank == 0:
            print_epoch(epoch)
    return model, epochs


# ------------------------------------------------------------------------------------------------------------- results


def print_epoch(epoch):
    line = f"epoch {epoch['epoch']:3d}   train loss {epoch['train_loss']:.4f}"
    if "test_loss" in epoch:
        line += f"   test loss {epoch['test_loss']:.4f}   test accuracy {epoch['test_accuracy']:.4f}"
    print(f"{line}   {epoch['images_per_second']:.0f} images/s", flush=True)


def digest(model):
    """SHA-256 of every parameter's bits."""
    sha = hashlib.sha256()
    for parameter in model.parameters():
        sha.update(parameter.detach().cpu().numpy().tobytes())
    return sha.hexdigest()


def describe(arguments, processes, epochs, parameters):
    settings = {name: value for name, value in vars(arguments).items() if name != "json"}
    return {"schema": "grkan-training/1", "machine": machine(processes.device), "processes": processes.count,
            "settings": settings, "epochs": epochs, "parameters_sha256": parameters}


def set_determinism(arguments):
    grkan.torch.set_determinism(arguments.determinism)
    if arguments.determinism != "none":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats its bits only with this
        torch.use_deterministic_algorithms(True)


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "random"), default="digits")
    parser.add_argument("--size", choices=sorted(kat.SIZES), help="of the model (digits; for random images tiny)")
    parser.add_argument("--activation", choices=(*ACTIVATIONS, "gelu"), default="grkan",
                        help="grkan, the formula in PyTorch's operators, grkan with norms and biases taken in, or a "
                             "ViT with its GELU (grkan)")
    parser.add_argument("--device", type=device, choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--epochs", type=positive, default=16, metavar="N")
    parser.add_argument("--batch", type=positive, default=32, metavar="N", help="images of all processes (32)")
    parser.add_argument("--images", type=positive, default=1024, metavar="N", help="random images of an epoch (1024)")
    parser.add_argument("--lr", type=float, default=2e-3, metavar="RATE", help="highest learning rate (0.002)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of weights and shuffling (1)")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--determinism", choices=LEVELS, default="run_to_run",
                        help="of grkan; unless it is none, PyTorch's own kernels are held to it too (run_to_run)")
    parser.add_argument("--json", metavar="FILE", type=output_file, help="write the curves as JSON too")
    arguments = parser.parse_args(words)
    arguments.size = arguments.size or {"digits": "digits", "random": "tiny"}[arguments.data]
    return arguments


def main(words=None):
    arguments = parse(words)
    set_determinism(arguments)
    processes = Processes(arguments.device)
    if arguments.batch % processes.count:
        sys.exit(f"--batch: expected a multiple of the {processes.count} processes, got {arguments.batch}")
    model, epochs = train(load_data(arguments, processes.device), arguments, processes)
    if processes.rank == 0:
        parameters = digest(model)
        if arguments.json:
            write_json(arguments.json, describe(arguments, processes, epochs, parameters))
        print(f"parameters {parameters}")
    processes.close()


if __name__ == "__main__":
    main()
