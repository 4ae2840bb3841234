# SPDX-License-Identifier: Apache-2.0
"""grkan for PyTorch: rational() and modules, on CPU, CUDA and ROCm tensors.

    from grkan.torch import KAT_Group      # in the place of rational_kat's

Works with PyTorch 1.13 and later; torch.compile sees operators from PyTorch 2.4 on.
"""

from ._autograd import rational
from ._formula import formula
from ._kernels import get_determinism, set_determinism
from ._modules import FlashKAT_Group, KAT_Group, KAT_Group2D, Rational

__all__ = ["FlashKAT_Group", "KAT_Group", "KAT_Group2D", "Rational", "formula", "get_determinism", "rational",
           "set_determinism"]
