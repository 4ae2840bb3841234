# SPDX-License-Identifier: Apache-2.0
"""grkan for PyTorch: rational() and modules, on CPU, CUDA and ROCm tensors.

    from grkan.torch import KAT_Group      # in the place of rational_kat's

Works with PyTorch 1.13 and later; torch.compile sees operators from PyTorch 2.4 on.
"""

import torch

from ._autograd import rational
from ._formula import formula, norm_formula
from ._fused import DeferredNorm, NormKind, NormRational, RationalLinear
from ._kat import FusedGroupRationalMlp, GroupRationalMlp, to_kat
from ._kernels import get_determinism, set_determinism
from ._linear import rational_linear
from ._modules import FlashKAT_Group, KAT_Group, KAT_Group2D, KAT_Group_Torch, Rational
from ._plot import plot
from ._prologues import norm_rational
from ._published import RationalTriton1DGroup, rational_1dgroup
from ._replace import replace_activation

__all__ = ["FlashKAT_Group", "GroupRationalMlp", "KAT_Group", "KAT_Group2D", "KAT_Group_Torch", "NormRational",
           "Rational", "RationalLinear", "RationalTriton1DGroup", "formula", "get_determinism", "norm_formula",
           "norm_rational", "plot", "rational", "rational_1dgroup", "rational_linear", "replace_activation",
           "set_determinism", "to_kat"]

if hasattr(torch.serialization, "add_safe_globals"):  # so that torch.load(..., weights_only=True) makes them
    torch.serialization.add_safe_globals([DeferredNorm, FlashKAT_Group, FusedGroupRationalMlp, GroupRationalMlp,
                                          KAT_Group, KAT_Group2D, KAT_Group_Torch, NormKind, NormRational, Rational,
                                          RationalLinear])
