# SPDX-License-Identifier: Apache-2.0
"""Tensors and parameters that processes share (FSDP, DTensor), and activations that are computed anew."""

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.utils.checkpoint")

from conftest import ROOT

from grkan.torch import KAT_Group

SHARDED = """
import torch
from torch.distributed.fsdp import fully_shard
from grkan.torch import KAT_Group, NormRational, RationalLinear

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32), KAT_Group(), NormRational(torch.nn.LayerNorm(32), KAT_Group()),
                               RationalLinear(KAT_Group(), torch.nn.Linear(32, 16)))

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
x = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
whole, sharded = make(), make()
for module in sharded[1:]:
    fully_shard(module)
fully_shard(sharded)
whole(x).square().mean().backward()
sharded(x[4 * rank:4 * rank + 4]).square().mean().backward()
for p, q in zip(sharded.parameters(), whole.parameters()):
    torch.testing.assert_close(p.grad.full_tensor(), q.grad, rtol=1e-5, atol=1e-6)
torch.distributed.destroy_process_group()
"""


DISTRIBUTED = """
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from grkan.torch import formula, norm_rational, rational

mesh = init_device_mesh("cpu", (2,))
generator = torch.Generator().manual_seed(0)

def check(x, a, b, places, channel_dim, of_y, of_db):
    tensors = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in (x, a, b)]
    dy = torch.rand(x, generator=generator, dtype=torch.float64)
    whole = [t.clone().requires_grad_() for t in tensors]
    shared = [distribute_tensor(t, mesh, [place]).requires_grad_() for t, place in zip(tensors, places)]
    y = rational(*shared, "abs_terms", channel_dim)
    expected = formula(*whole, "abs_terms", channel_dim)
    assert y.placements == (of_y,), y.placements
    torch.testing.assert_close(y.full_tensor(), expected)
    found = torch.autograd.grad(y, shared, distribute_tensor(dy, mesh, [of_y]))
    for gradient, e in zip(found, torch.autograd.grad(expected, whole, dy)):
        torch.testing.assert_close(gradient.full_tensor(), e)
    assert found[2].placements == (of_db,), found[2].placements
    with torch.inference_mode():
        torch.testing.assert_close(rational(*shared, "abs_terms", channel_dim).full_tensor(), expected)

copied = Replicate()
check((6, 3, 16), (1, 6), (8, 4), (Shard(0), copied, copied), -1, Shard(0), Partial())
check((6, 3, 16), (1, 6), (8, 4), (Shard(1), copied, copied), -1, Shard(1), Partial())
check((6, 16, 3), (8, 6), (8, 4), (Shard(1), Shard(0), Shard(0)), 1, Shard(1), Shard(0))
check((6, 3, 16), (1, 6), (8, 4), (Shard(2), copied, Shard(0)), -1, Shard(2), Shard(0))
check((6, 16), (1, 6), (1, 4), (Shard(1), copied, copied), -1, Shard(1), Partial())
# Groups that do not fit: 5 over 2 processes; 8 of 20 channels, two or three each. PyTorch brings them together.
for x, b in (((6, 3, 10), (5, 4)), ((6, 3, 20), (8, 4))):
    tensors = [torch.rand(shape, generator=generator) for shape in (x, (1, 6), b)]
    shared = [distribute_tensor(t, mesh, [place]) for t, place in zip(tensors, (Shard(2), copied, copied))]
    y = rational(*shared)
    assert y.placements != (Shard(2),)
    torch.testing.assert_close(y.full_tensor(), formula(*tensors))
# Prologues: rows are shared out; whole channels are brought together.
for norm, place in (("layer_norm", 0), ("layer_norm", 2), ("rms_norm", 1), (None, 0), (None, 2)):
    tensors = [torch.rand(shape, generator=generator, dtype=torch.float64)
               for shape in ((6, 4, 16), 16, 16, (1, 6), (8, 4))]
    whole = [t.clone().requires_grad_() for t in tensors]
    places = [Shard(place), *[copied] * 4]
    shared = [distribute_tensor(t, mesh, [at]).requires_grad_() for t, at in zip(tensors, places)]

    def function(x, scale, shift, a, b):
        return norm_rational(x, scale, shift, a, b, norm=norm) if norm else rational(x * scale, a, b, bias=shift)

    y, expected = function(*shared), function(*whole)
    assert y.placements == ((Shard(place),) if place < 2 else (copied,)), y.placements
    torch.testing.assert_close(y.full_tensor(), expected)
    dy = torch.rand(6, 4, 16, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad(y, shared, distribute_tensor(dy, mesh, y.placements))
    for gradient, e in zip(found, torch.autograd.grad(expected, whole, dy)):
        torch.testing.assert_close(gradient.full_tensor(), e)
    with torch.inference_mode():
        torch.testing.assert_close(function(*shared).full_tensor(), expected)
# x alone wants a gradient.
x, a, b = (torch.rand(shape, generator=generator) for shape in ((6, 16), (1, 6), (8, 4)))
shared = [distribute_tensor(t, mesh, [place]) for t, place in ((x, Shard(0)), (a, copied), (b, copied))]
(found,) = torch.autograd.grad(rational(shared[0].requires_grad_(), *shared[1:]).sum(), shared[0])
(expected,) = torch.autograd.grad(rational(x.requires_grad_(), a, b).sum(), x)
torch.testing.assert_close(found.full_tensor(), expected)
torch.distributed.destroy_process_group()
"""


@pytest.mark.parametrize("script", [SHARDED, DISTRIBUTED], ids=["fully_shard", "DTensor"])
def test_two_processes_have_the_gradients_of_one(script, tmp_path):
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        pytest.skip("fully_shard and rules for DTensor need PyTorch 2.6 or later")
    file = tmp_path / "sharded.py"
    file.write_text(script)
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", file],
                   check=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT / "python"),
                                                 "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""})


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointed_activations(use_reentrant):
    torch.manual_seed(0)
    module, x = KAT_Group(), torch.randn(5, 16, requires_grad=True)
    expected = torch.autograd.grad(module(x).square().sum(), (x, *module.parameters()))
    torch.utils.checkpoint.checkpoint(module, x, use_reentrant=use_reentrant).square().sum().backward()
    found = [x.grad, *(p.grad for p in module.parameters())]
    assert all(torch.equal(f, e) for f, e in zip(found, expected))


def test_selective_checkpointing_sees_operators():
    """A policy may keep what the kernels computed, or have it computed anew."""
    if not hasattr(torch.utils.checkpoint, "CheckpointPolicy") or not hasattr(torch.library, "register_autograd"):
        pytest.skip("policies need PyTorch 2.4 or later")
    from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
    torch.manual_seed(0)
    module, x = KAT_Group(), torch.randn(5, 16, requires_grad=True)
    expected = torch.autograd.grad(module(x).square().sum(), (x, *module.parameters()))
    for kept in (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.MUST_RECOMPUTE):
        seen = []

        def policy(context, operator, *arguments, kept=kept, seen=seen, **names):
            seen.append((context.is_recompute, operator))
            return kept if operator == torch.ops.grkan.rational_forward.default else CheckpointPolicy.PREFER_RECOMPUTE

        y = checkpoint(module, x, use_reentrant=False,
                       context_fn=lambda policy=policy: create_selective_checkpoint_contexts(policy))
        found = torch.autograd.grad(y.square().sum(), (x, *module.parameters()))
        assert all(torch.equal(f, e) for f, e in zip(found, expected))
        assert (False, torch.ops.grkan.rational_forward.default) in seen
