# SPDX-License-Identifier: Apache-2.0
"""Run a program that was written for KAT's or FlashKAT's package, unedited, with grkan in the package's place.

    python3 -m grkan.torch.in_place_of kat_rational train.py --batch-size 128
    python3 -m grkan.torch.in_place_of rational_kat -m pytest tests
    torchrun --nproc_per_node 8 -m grkan.torch.in_place_of kat_rational train.py

Beside this file, each package has a folder that goes to the front of sys.path. What lies there is found in the place of
the package, also where one of that name is installed or lies beside the program; and multiprocessing hands sys.path on,
so that the workers of a DataLoader find it too, however they are started.
"""

from __future__ import annotations

import sys
import types

from .. import _modules, _published

_BOTH = {
    "": ("RationalTriton1DGroup", "KAT_Group", "KAT_Group_Torch"),
    "kat_1dgroup_torch": ("Rational_CUDA_A_1DGroup", "KAT_Group_Torch"),
    "kat_1dgroup_triton": ("RationalTriton1DGroup", "Rational_CUDA_A_1DGroup", "KAT_Group"),
}
_RATIONAL_TRITON = ("RationalTriton1DGroup", "rational_fwd_triton", "rational_bwd_triton")

# What can be imported from each package and its modules; name=other where grkan has it by another name.
PACKAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "kat_rational": {
        **_BOTH,
        "": (*_BOTH[""], "KAT_Group2D", "rational_1dgroup"),
        "kat_1dgroup": ("rational_1dgroup", "Rational_CUDA_A_1DGroup", "KAT_Group"),
        "kat_2dgroup_triton": ("RationalTriton2D", "KAT_Group2D"),
        "rational_triton": _RATIONAL_TRITON,
        "rational_triton2d": ("RationalTriton2D", "rational_fwd_triton_2d", "rational_bwd_triton_2d"),
    },
    "kat_rational_cu": {"": ("rational_fwd_1dgroup", "rational_bwd_1dgroup")},
    "rational_kat": {
        **_BOTH,
        "": (*_BOTH[""], "FlashKAT_Group"),
        "flash_kat_1dgroup_triton": ("FlashRationalTriton1DGroup", "Rational_CUDA_A_1DGroup", "FlashKAT_Group"),
        "kernels": (),
        "kernels.rational_triton": _RATIONAL_TRITON,
        "kernels.flash_rational_triton": (
            "FlashRationalTriton1DGroup", "rational_fwd_triton=flash_rational_fwd_triton",
            "rational_bwd_triton=flash_rational_bwd_triton"),
    },
}


def _fill(module: types.ModuleType, names: tuple[str, ...]) -> None:
    for name in names:
        published, _, own = name.partition("=")
        own = own or published
        setattr(module, published, getattr(_modules, own, None) or getattr(_published, own))


def become(package: str) -> None:
    """Make what a package's own __init__.py makes: its names, and its modules with theirs."""
    for path, names in PACKAGES[package].items():
        full = f"{package}.{path}" if path else package
        module = sys.modules.setdefault(full, types.ModuleType(full))
        _fill(module, names)
        if path:
            parent, _, name = full.rpartition(".")
            setattr(sys.modules[parent], name, module)
