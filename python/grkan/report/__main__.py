# SPDX-License-Identifier: Apache-2.0
"""The command python3 -m grkan.report."""

import argparse
import sys
import warnings

from .. import _output
from . import documents, page


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python3 -m grkan.report",
        description="One page for a person from the JSON files of grkan's benchmarks, of any number of machines.",
        epilog="Exit status: 0 good; 1 a file could not be read or written, the others are reported all the same; "
               "2 bad usage.")
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="of grkan bench, compare_peers.py, train_throughput.py or inference.py: their --json")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="the standard output without it")
    parser.add_argument("--format", choices=["html", "markdown"], default="html",
                        help="a self-contained page with plots (the default), or tables for a README")
    return parser.parse_args(arguments)


def printable(text, most=500):
    """One line that any terminal shows: what it cannot becomes escapes, and what is long is cut."""
    text = "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
    return text if len(text) <= most else text[:most] + "..."


def _say(text):
    """stderr replaces what its encoding does not have."""
    print(f"grkan.report: {printable(text)}", file=sys.stderr)


def main(arguments=None):
    options = _parse(arguments)
    bad = []

    def complain(path, reason):
        bad.append(path)
        _say(f"{path}: {reason}")

    try:
        _output.check(options.output)
        read = documents.read(options.files, complain)
        if not read:
            _say("no file is left to report")
            return 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scales without data, and of letters that the font does not have
            text = page.to_html(read) if options.format == "html" else page.to_markdown(read)
        _output.write(options.output, text)
    except OSError as error:
        _say(f"{options.output}: {error.strerror}")
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
