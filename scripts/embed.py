#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write C source files as one string constant: embed.py NAME OUTPUT FILE...

Lines that include another file are left out, since the files stand one behind the other.
"""
import sys


def quoted(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    name, output, *files = sys.argv[1:]
    lines = [line.rstrip() for path in files for line in open(path, encoding="utf-8")]
    kept = [line for line in lines if line and not line.startswith("#include")]
    with open(output, "w", encoding="utf-8") as out:
        out.write(f"/* Generated from {len(files)} files by scripts/embed.py. */\n")
        out.write(f"static const char {name}[] =\n    " + "\n    ".join(map(quoted, kept)) + ";\n")


main()
