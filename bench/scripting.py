# SPDX-License-Identifier: Apache-2.0
"""What the scripts here and in examples/ share: kinds of arguments, the command line as results keep it, and files."""

import argparse
import json
import math
import os
import platform
import re
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))  # behind an installed one
import grkan
from grkan import _output


# ----------------------------------------------------------------------------------------------------------- arguments


def number(kind, least, words):
    """argparse's type of finite numbers from `least` on; words: what they are."""
    def parse(text):
        try:
            found = kind(text)
        except ValueError:
            found = math.nan
        if not least <= found < math.inf:
            raise argparse.ArgumentTypeError(f"expected {words} from {least} on, got '{text}'")
        return found

    return parse


positive = number(int, 1, "a whole number")
duration = number(float, 0, "seconds")


def device(text):
    """argparse's type of one of PyTorch's devices that is there."""
    import torch

    found = re.fullmatch(r"cpu|cuda(?::([0-9]{1,4}))?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected cpu, cuda or cuda:N, got '{text}'")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text != "cpu" and int(found[1] or 0) >= count:
        raise argparse.ArgumentTypeError(f"expected one of the {count} GPUs that PyTorch {torch.__version__} finds, "
                                         f"or cpu, got '{text}'")
    return text


def add_device(parser, **options):
    """--device, by default a GPU where PyTorch has one; options: more for add_argument."""
    import torch

    parser.add_argument("--device", type=device, default="cuda" if torch.cuda.is_available() else "cpu",
                        help="cpu, cuda, cuda:1 (cuda where PyTorch finds a GPU)", **options)


def output_file(text):
    """argparse's type of a file to write: what cannot be written is known before the work."""
    try:
        _output.check(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write '{text}': {error.strerror}") from error
    return text


def results_file(schema):
    """argparse's type of a file of results that have this schema: its content."""
    def parse(path):
        try:
            from grkan.report import documents
        except ModuleNotFoundError as error:
            raise argparse.ArgumentTypeError(f"'{path}' cannot be read without Python's {error.name}") from error
        try:
            return documents.read_content(path, schema)
        except documents.BadDocument as error:
            raise argparse.ArgumentTypeError(f"'{path}': {error}") from error

    return parse


# ------------------------------------------------------------------------------------------------------------- results


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


def _finite(value):
    """The same with None for what JSON does not have: NaN and infinities."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path, document):
    """As the program's files are written; null for what is no number of JSON. A full disk ends the script by a line."""
    try:
        _output.write(path, json.dumps(_finite(document), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        sys.exit(f"cannot write '{path}': {error.strerror}")
