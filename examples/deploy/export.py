#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make AOTInductor packages for predict.cpp, and the answers that Python gives with them.

    export.py FOLDER [--device cuda] [--size base]     writes NAME.pt2, NAME-input.pt and NAME-expected.pt for each NAME
    export.py FOLDER --compare                         reads NAME-output.pt, which predict wrote: the same bits?

One is an activation alone; its expected answer is eager PyTorch's, since the package calls the same kernel. The other
is a whole KAT with any number of images; its expected answer is the package's in this process.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "bench")]
import kat
from grkan.torch import KAT_Group, to_kat
from train_kat import Digits, RandomImages

NAMES = ("activation", "kat")


def models(size):
    """Of each name: the model, and an input of it."""
    shape = (Digits if size == "digits" else RandomImages).shape
    network = to_kat(kat.VisionTransformer(size, **shape))
    return {"activation": (KAT_Group(mode="swish"), torch.randn(3, 197, 768)),
            "kat": (network, torch.randn(3, shape["channels"], shape["image"], shape["image"]))}


@torch.no_grad()
def export(folder, device, size):
    torch.manual_seed(0)
    for name, (model, x) in models(size).items():
        model, x = model.to(device).eval(), x.to(device)
        program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", max=1024)},))
        path = torch._inductor.aoti_compile_and_package(program, package_path=str(folder / f"{name}.pt2"))
        answer = torch._inductor.aoti_load_package(path)(x)
        eager = model(x)
        torch.testing.assert_close(answer, eager, rtol=1e-2, atol=1e-3)  # TF32, where a GPU may take it
        torch.save(x.cpu(), folder / f"{name}-input.pt")
        torch.save((eager if name == "activation" else answer).cpu(), folder / f"{name}-expected.pt")


def compare(folder):
    """Whether all bits are the same."""
    same = True
    for name in NAMES:
        expected, found = (torch.load(folder / f"{name}-{which}.pt") for which in ("expected", "output"))
        equal = torch.equal(expected.view(torch.int32), found.view(torch.int32))
        print(f"{name}: {tuple(found.shape)}, {'the same bits as' if equal else 'other bits than'} Python's")
        same &= equal
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--size", choices=list(kat.SIZES), default="digits", help="of the KAT (digits)")
    parser.add_argument("--compare", action="store_true")
    arguments = parser.parse_args()
    if arguments.compare:
        return 0 if compare(arguments.folder) else 1
    export(arguments.folder, arguments.device, arguments.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
