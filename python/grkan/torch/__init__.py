# SPDX-License-Identifier: Apache-2.0
"""grkan for PyTorch: rational() and modules, on CPU, CUDA and ROCm tensors.

    from grkan.torch import KAT_Group      # in the place of rational_kat's

Works with PyTorch 1.13 and later; torch.compile sees operators from PyTorch 2.4 on.
"""

from ._autograd import rational
from ._formula import formula
from ._kernels import get_determinism, set_determinism
from ._modules import FlashKAT_Group, KAT_Group, KAT_Group2D, KAT_Group_Torch, Rational
from ._published import RationalTriton1DGroup, rational_1dgroup

__all__ = ["FlashKAT_Group", "KAT_Group", "KAT_Group2D", "KAT_Group_Torch", "Rational", "RationalTriton1DGroup",
           "formula", "get_determinism", "rational", "rational_1dgroup", "set_determinism"]
