#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""C sources as text inside a program, or as a number that says whether two programs were built from the same.

    embed.py text NAME OUTPUT FILE...    NAME: the files one behind the other; NAME_hash: of their code
    embed.py hash NAME OUTPUT FILE...    NAME: a macro, the hash of the files' code, 64 bits

Code is what is left without comments, blank lines and includes (the files stand one behind the other). The text has
#line directives beside it, so that a compiler names the file and the line where somebody wrote what it complains about;
the hash does not, so that a comment changes no cache key.
"""
import hashlib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)


def without_comments(text):
    """The text with each comment gone but for its line breaks; one that spans no line becomes a space."""
    def replacement(match):
        token = match.group()
        return token if token[0] in "\"'" else "\n" * token.count("\n") or " "

    return TOKEN.sub(replacement, text)


def code_lines(path):
    """(number, line) of each line of code; all lines of a macro that goes over several are kept together."""
    with open(path, encoding="utf-8") as file:
        lines = without_comments(file.read()).split("\n")
    goes_on = False
    for number, line in enumerate(lines, 1):
        line = line.rstrip()
        if goes_on or (line and not line.startswith("#include")):
            yield number, line
        goes_on = line.endswith("\\")


def hash_of(paths):
    """64 bits, of the code and of which file it stands in."""
    state = hashlib.sha256()
    for path in paths:
        state.update(os.path.basename(path).encode() + b"\0")
        for _, line in code_lines(path):
            state.update(line.encode() + b"\n")
    return state.hexdigest()[:16]


def text_of(paths):
    """Lines of code with #line where a compiler would count wrongly."""
    for path in paths:
        expected = None
        for number, line in code_lines(path):
            if number != expected:
                name = os.path.relpath(path, ROOT).replace(os.sep, "/")
                yield f'#line {number} "{name}"'
            yield line
            expected = number + 1


def quoted(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    what, name, output, *paths = sys.argv[1:]
    with open(output, "w", encoding="utf-8") as out:
        out.write(f"/* Generated from {len(paths)} files by scripts/embed.py. */\n")
        if what == "hash":
            out.write(f"#define {name} UINT64_C(0x{hash_of(paths)})\n")
        else:
            out.write(f"static const char {name}[] =\n    " + "\n    ".join(map(quoted, text_of(paths))) + ";\n")
            out.write(f'static const char {name}_hash[] = "{hash_of(paths)}";\n')


if __name__ == "__main__":
    main()
