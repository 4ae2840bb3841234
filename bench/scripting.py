# SPDX-License-Identifier: Apache-2.0
"""What the scripts here and in examples/ share: a kind of argument, the command line as results keep it, and files."""

import argparse
import json
import math
import os
import platform
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))  # behind an installed one
import grkan
from grkan import _output


def positive(text):
    """argparse's type of a number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a whole number from 1 on")
    return number


def command_line(program):
    """What was typed, files without their folders."""
    return " ".join([program, *(argument.rsplit("/", 1)[-1] for argument in sys.argv[1:])])


def now():
    """The date and time as results keep them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def processor():
    """As Linux names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def machine(device):
    """What a PyTorch program ran on: the processor, and the GPU of a torch.device with its driver."""
    import torch

    found = {"architecture": platform.machine(), "cpu": processor(), "cores": os.cpu_count(),
             "kernel": platform.release(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    if device.type == "cuda":
        selector = f"{'hip' if torch.version.hip else 'cuda'}:{device.index or 0}"
        found |= {"device": torch.cuda.get_device_name(device), "driver": grkan.device(selector).driver}
    return found


def origin(schema, program, device):
    """What a document of results begins with: what wrote it, when, of which commit, how it was called, on what."""
    return {"schema": schema, "date": now(), "grkan": grkan.version()._asdict(), "command": command_line(program),
            "machine": machine(device)}


def output_file(text):
    """argparse's type of a file to write: what cannot be written is known before the work."""
    try:
        _output.check(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write '{text}': {error.strerror}") from error
    return text


def _finite(value):
    """The same with None for what JSON does not have: NaN and infinities."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path, document):
    """As the program's files are written; null for what is no number of JSON."""
    _output.write(path, json.dumps(_finite(document), indent=2, allow_nan=False) + "\n")
