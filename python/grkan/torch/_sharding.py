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

from .._names import NORMS, PROLOGUES

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


def _rows(x: Any, channel_dim: int) -> list[Any]:
    """The placements of x and its like where every process has all tables: whole, or rows shared out. With a prologue
    there are no others."""
    from torch.distributed.tensor import Replicate, Shard
    channel = channel_dim % len(x.shape)
    return [Replicate(), *(Shard(dim) for dim in range(len(x.shape)) if dim != channel)]


def _if_there(placement: Any, is_there: bool) -> Any:
    """That of a tensor; of an empty one, which stands for none, a copy in every process."""
    from torch.distributed.tensor import Replicate
    return placement if is_there else Replicate()


def prologue_forward_rule(x: Any, *arguments: Any) -> Sequence[tuple[_Placements, _Placements]]:
    from torch.distributed.tensor import Replicate
    return [([own], [own, *[Replicate()] * 4, *[None] * 5]) for own in _rows(x, arguments[5])]


def norm_forward_rule(x: Any, *arguments: Any) -> Sequence[tuple[_Placements, _Placements]]:
    has_mean = arguments[6] == PROLOGUES.index("layer_norm")
    return [([own, _if_there(own, has_mean), own], inputs)
            for (own,), inputs in prologue_forward_rule(x, *arguments)]


def prologue_backward_rule(dy: Any, x: Any, *arguments: Any) -> Sequence[tuple[_Placements, _Placements]]:
    from torch.distributed.tensor import Partial, Replicate
    *tables, mean, rstd, _, channel_dim, kind, _, wanted = arguments
    is_norm, ways = PROLOGUES[kind] in NORMS, []
    for own in _rows(x, channel_dim):
        summed = Replicate() if own.is_replicate() else Partial()
        results = [_if_there(own, wanted & 1)]
        results += [_if_there(summed, wanted >> k & 1 and 0 not in t.shape) for k, t in enumerate(tables, 1)]
        results.append(_if_there(own, wanted >> 5 & 1))
        statistics = [_if_there(own, is_norm and 0 not in t.shape) for t in (mean, rstd)]
        ways.append((results, [own, own, *[Replicate()] * 4, *statistics, *[None] * 5]))
    return ways


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
