# SPDX-License-Identifier: Apache-2.0
"""How operators work on parts of tensors that processes share (DTensor): rules for PyTorch, which picks among them.

    rows are shared out        each process has all tables; the tables' gradients are sums over the processes
    channels are shared out    each process has whole groups, and the rows of tables that are theirs

PyTorch's part is imported when the first such tensor comes, since that takes longer than all of grkan.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

_Placements = list[Any]
Rule = Callable[..., "Sequence[tuple[_Placements, _Placements]]"]


def _whole_groups(x: Any, tables: Sequence[Any], channel: int) -> bool:
    """Whether each process gets whole groups, of the same size each, when the channels are shared out."""
    groups = max(t.shape[0] for t in tables)
    return groups == 1 or (x.shape[channel] % groups == 0 and groups % x.mesh.size() == 0)


def _shared_out(x: Any, tables: Sequence[Any], channel_dim: int) -> list[tuple[Any, list[Any], list[Any]]]:
    """The ways to share: the placement of x and its like, those of the tables, and those of the tables' gradients."""
    from torch.distributed.tensor import Partial, Replicate, Shard
    channel = channel_dim % len(x.shape)
    copied, summed = [Replicate()] * len(tables), [Partial()] * len(tables)
    ways: list[tuple[Any, list[Any], list[Any]]] = [(Replicate(), copied, copied)]
    ways += [(Shard(dim), copied, summed) for dim in range(len(x.shape)) if dim != channel]
    if _whole_groups(x, tables, channel):
        is_split = [t.shape[0] > 1 for t in tables]
        ways.append((Shard(channel), [Shard(0) if split else Replicate() for split in is_split],
                     [Shard(0) if split else Partial() for split in is_split]))
    return ways


def forward_rule(x: Any, *arguments: Any) -> Sequence[tuple[_Placements, _Placements]]:
    *tables, _, channel_dim = arguments
    return [([own], [own, *of_tables, None, None]) for own, of_tables, _ in _shared_out(x, tables, channel_dim)]


def backward_rule(dy: Any, x: Any, *arguments: Any) -> Sequence[tuple[_Placements, _Placements]]:
    *tables, _, channel_dim = arguments
    return [([own, *of_gradients], [own, own, *of_tables, None, None])
            for own, of_tables, of_gradients in _shared_out(x, tables, channel_dim)]


@functools.cache
def _register(rules: tuple[tuple[Any, Rule], ...]) -> None:
    try:
        from torch.distributed.tensor.experimental import register_sharding
    except ImportError:  # before PyTorch 2.6, whose DTensors refuse operators that they do not know
        return
    for operator, rule in rules:
        register_sharding(operator)(rule)


def register_rules(rules: tuple[tuple[Any, Rule], ...]) -> None:
    """Give PyTorch the rules of operators, once it has tensors that are shared out."""
    if "torch.distributed.tensor" in sys.modules:
        _register(rules)
