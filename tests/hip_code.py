# SPDX-License-Identifier: Apache-2.0
"""Code objects for AMD's GPUs, read by LLVM's tools: kernels, their instructions, and the ways through them."""

import collections
import json
import os
import re
import struct
import subprocess

OBJDUMP, READELF = "llvm-objdump-19", "llvm-readelf-19"

ADDITION = r"v_(dual_|pk_)?(add|sub|subrev)_f32.*"
WIDE_LOAD, WIDE_STORE = r"global_load_(dwordx4|b128) ", r"global_store_(dwordx4|b128) "


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def output_of(*command):
    status, out, err = run(*command)
    if status != 0:
        raise AssertionError(f"{' '.join(command)} ended with {status}: {err}")
    return out


class Kernel:
    def __init__(self, name, lines, descriptor):
        self.name = name
        self.instructions = []  # [mnemonic, operands]
        addresses, targets = [], []
        for line in lines:  # as "s_branch 6   // 000000004AA4: BF820006 <grkan_backward+0x1fc0>"
            text, _, comment = line.partition("//")
            self.instructions.append([*text.split(None, 1), ""][:2])
            addresses.append(int(comment.partition(":")[0], 16))
            targets.append(re.search(rf"<{name}\+0x(\w+)>", comment))
        self.texts = [f"{name} {operands.strip()}" for name, operands in self.instructions]
        places = {address - addresses[0]: place for place, address in enumerate(addresses)}
        self.targets = [target and places[int(target[1], 16)] for target in targets]
        self.counts = collections.Counter(name for name, _ in self.instructions)
        self.mode = struct.unpack_from("<I", descriptor, 48)[0] >> 12 & 0xFF  # FLOAT_MODE of COMPUTE_PGM_RSRC1

    def count(self, pattern):
        return sum(count for name, count in self.counts.items() if re.fullmatch(pattern, name))

    def places(self, pattern):
        return [place for place, text in enumerate(self.texts) if re.match(pattern, text)]

    def following(self, place):
        """The places that execution may come to next."""
        name = self.instructions[place][0]
        following = [] if name in ("s_endpgm", "s_branch") else [place + 1]
        if name.startswith(("s_branch", "s_cbranch")):
            following.append(self.targets[place])
        return following

    def reached(self, place, *ends):
        """The places that execution may come to after one, up to and with those of the patterns."""
        found, ways = set(), [place]
        while ways:
            for other in self.following(ways.pop()):
                if other not in found:
                    found.add(other)
                    if not any(re.match(end, self.texts[other]) for end in ends):
                        ways.append(other)
        return found

    def row_loop(self):
        """The instructions from a row's request to the next one's, where all elements are near zero and the row exists:
        the shortest way around by the store of a row. No loop around others has such a store."""
        load = next(place for place in self.places(WIDE_LOAD) if place in self.reached(place))
        store, = (place for place in self.places(WIDE_STORE) if place in self.reached(place))
        return [load, *self.shortest_way(load, store), *self.shortest_way(store, load)]

    def shortest_way(self, place, end):
        """Between two places, with the last; loads are not jumped over."""
        ways = collections.deque([(place,)])
        seen = {place}
        while ways:
            way = ways.popleft()
            for other in self.following(way[-1]):
                if other == end:
                    return [*way[1:], end]
                if other not in seen and not any(re.match(WIDE_LOAD, self.texts[p]) for p in range(way[-1] + 1, other)):
                    seen.add(other)
                    ways.append((*way, other))
        raise AssertionError(f"no way from {self.texts[place]} to {self.texts[end]}")

    def added_products(self):
        """Additions of what a multiplication gave, in the order of the text: contraction leaves few."""
        found, products = 0, set()
        for instruction in self.instructions:
            # gfx11 and later issue two at once: "v_dual_mul_f32 ... :: v_dual_add_f32 ..."
            for name, operands in instruction_halves(*instruction):
                written, *read = [registers(operand) for operand in operands.split(",")] or [set()]
                if re.match(ADDITION, name):
                    found += any(r & products for r in read)
                if name.startswith("v_"):
                    products -= written
                if re.match(r"v_(dual_|pk_)?mul_f32", name):
                    products |= written
        return found


def instruction_halves(name, operands):
    first, _, second = operands.partition(" :: ")
    yield name, first
    if second:
        yield tuple(second.split(None, 1))


def registers(operand):
    """The vector registers of an operand, as v3, -v3, |v3| or v[4:5]."""
    match = re.search(r"\bv\[(\d+):(\d+)\]|\bv(\d+)\b", operand)
    if not match:
        return set()
    first, last, only = match.groups()
    return {int(only)} if only else set(range(int(first), int(last) + 1))


class Program:
    """A code object and the document beside it."""

    def __init__(self, path, compiler):
        with open(path, encoding="utf-8") as file:
            self.document = json.load(file)
        self.compiler = compiler  # None: hipRTC
        self.architecture = self.document["architecture"]
        self.strategy, self.dtype = self.document["strategy"], self.document["dtype"]
        self.is_ieee = self.document["determinism"] == "device_to_device"
        self.label = " ".join((self.architecture, self.dtype, self.strategy, self.document["determinism"]))
        self.file = os.path.join(os.path.dirname(path), self.document["binary"])
        self.notes = output_of(READELF, "--notes", self.file)
        self.kernels = [self.read_kernel(name, lines) for name, lines in self.disassemble()]

    def disassemble(self):
        text = output_of(OBJDUMP, "--disassemble", "--no-show-raw-insn", "--no-leading-addr", self.file)
        for part in re.split(r"^(?=<grkan_\w+>:$)", text, flags=re.M)[1:]:
            head, *lines = part.splitlines()
            yield head[1:-2], [line for line in lines if "//" in line]

    def read_kernel(self, name, lines):
        with open(self.file, "rb") as file:
            data = file.read()
        symbols = output_of(READELF, "--symbols", "--sections", self.file)
        address = int(re.search(rf"(\w{{16}})\s+64\s+OBJECT.*\s{name}\.kd$", symbols, flags=re.M)[1], 16)
        start, offset = re.search(r"\.rodata\s+PROGBITS\s+(\w+)\s+(\w+)", symbols).groups()
        return Kernel(name, lines, data[address - int(start, 16) + int(offset, 16):][:64])

    def backward(self):
        return next(kernel for kernel in self.kernels if kernel.name == "grkan_backward")

    def resources(self):
        return {kernel["kernel"]: kernel for kernel in self.document["kernels"]}
