# SPDX-License-Identifier: Apache-2.0
"""Learned activations by name in Hugging Face's Transformers: after `import grkan.transformers`,

    config.hidden_act = "grkan_gelu"

or "grkan_" and any other name of a function that grkan.fit knows. Each layer of the model then has a Rational that
begins as that function. A checkpoint that has no coefficients, as one of another activation, leaves them as they begin.

By name, a layer does not tell how many channels it has: groups = 1, one function for all, fits any. register(groups=8)
makes it 8 from then on. For a model that there is already, see grkan.torch.replace_activation.
"""

from __future__ import annotations

from typing import Any, get_args

from transformers.activations import ACT2FN

from ._names import Function, integer
from .torch import Rational

__all__ = ["Activation", "register"]


class Activation(Rational):
    """A Rational that Transformers need not initialise.

    from_pretrained() leaves parameters that a checkpoint does not have without values, and then asks each module
    whether it is initialised; what says no goes to a rule that knows PyTorch's own modules alone. This one gives them
    their values when it is asked.
    """

    _is_hf_done = False

    @property
    def _is_hf_initialized(self) -> bool:
        if not self._is_hf_done:
            rows = zip((self.numerator, self.denominator), self.start)
            self._begin([(table, row) for table, row in rows if not getattr(table, "_is_hf_initialized", False)])
        return True

    @_is_hf_initialized.setter
    def _is_hf_initialized(self, value: Any) -> None:
        self._is_hf_done = bool(value)


def register(groups: int = 1) -> None:
    """Make "grkan_gelu" and the like known, for models made from now on; groups of channels share coefficients."""
    groups = integer("groups", groups, 1)
    for name in get_args(Function):
        ACT2FN[f"grkan_{name}"] = (Activation, {"groups": groups, "init": name})


register()
