# SPDX-License-Identifier: Apache-2.0
"""What the scripts here and in examples/ share: a kind of argument, the command line as results keep it, and files."""

import argparse
import json
import os
import sys


def positive(text):
    """argparse's type of a number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a whole number from 1 on")
    return number


def command_line(program):
    """What was typed, files without their folders."""
    return " ".join([program, *(argument.rsplit("/", 1)[-1] for argument in sys.argv[1:])])


def write_json(path, document):
    """Whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    os.replace(temporary, path)
