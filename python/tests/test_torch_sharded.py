# SPDX-License-Identifier: Apache-2.0
"""Modules whose parameters are sharded over processes (FSDP), and activations that are computed anew."""

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
from grkan.torch import KAT_Group

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32), KAT_Group(), torch.nn.Linear(32, 16))

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
x = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
whole, sharded = make(), make()
fully_shard(sharded[1])
fully_shard(sharded)
whole(x).square().mean().backward()
sharded(x[4 * rank:4 * rank + 4]).square().mean().backward()
for p, q in zip(sharded.parameters(), whole.parameters()):
    torch.testing.assert_close(p.grad.full_tensor(), q.grad, rtol=1e-5, atol=1e-6)
torch.distributed.destroy_process_group()
"""


def test_fsdp_has_the_gradients_of_one_process(tmp_path):
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        pytest.skip("fully_shard needs PyTorch 2.6 or later")
    script = tmp_path / "sharded.py"
    script.write_text(SHARDED)
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script],
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
