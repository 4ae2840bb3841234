# SPDX-License-Identifier: Apache-2.0
"""What the scripts here and in examples/ share: a kind of argument, the command line as results keep it, and files."""

import argparse
import json
import math
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))  # behind an installed one
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
