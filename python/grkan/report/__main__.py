# SPDX-License-Identifier: Apache-2.0
"""The command python3 -m grkan.report."""

import argparse
import os
import sys
import tempfile

from . import documents, page


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python3 -m grkan.report",
        description="One page for a person from the JSON files of `grkan bench --json` of any number of machines.",
        epilog="Exit status: 0 good; 1 a file could not be read or written, the others are reported all the same; "
               "2 bad usage.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="written by grkan bench --json or compare_peers.py")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="the standard output without it")
    parser.add_argument("--format", choices=["html", "markdown"], default="html",
                        help="a self-contained page with plots (the default), or tables for a README")
    return parser.parse_args(arguments)


def _write(path, text):
    """The whole file or none."""
    if path == "-":
        sys.stdout.write(text)
        return
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
        file.write(text)
    try:
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError:
        os.unlink(file.name)
        raise


def main(arguments=None):
    options = _parse(arguments)
    bad = []

    def complain(path, reason):
        bad.append(path)
        print(f"grkan.report: {path}: {reason}", file=sys.stderr)

    read = documents.read(options.files, complain)
    if not read:
        print("grkan.report: no file is left to report", file=sys.stderr)
        return 1
    try:
        _write(options.output, page.to_html(read) if options.format == "html" else page.to_markdown(read))
    except OSError as error:
        print(f"grkan.report: {options.output}: {error.strerror}", file=sys.stderr)
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
