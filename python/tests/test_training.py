# SPDX-License-Identifier: Apache-2.0
"""The training example and the benchmarks of training: what they compute, in a few steps on the cpu."""

import os
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT

import grkan

torch = pytest.importorskip("torch")

sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "bench")]

from grkan.torch import GroupRationalMlp, to_kat
from torch import nn

import kat
import models
import train_kat
import train_throughput


def short_run(*words):
    """The digest of the parameters and the losses after one epoch of 8 steps."""
    pytest.importorskip("sklearn")
    arguments = train_kat.parse(["--epochs", "1", *words])
    data = train_kat.Digits("cpu")
    data.train, data.test = ([part[:256] for part in parts] for parts in (data.train, data.test))
    model, epochs = train_kat.train(data, arguments, train_kat.Processes("cpu"))
    return train_kat.digest(model), [epochs[0]["train_loss"], epochs[0]["test_loss"]]


def test_grkan_learns_as_the_formula_does():
    _, kernels = short_run("--activation", "grkan")
    _, formula = short_run("--activation", "eager")
    _, fused = short_run("--activation", "fused")
    _, another = short_run("--activation", "gelu")
    assert kernels == pytest.approx(formula, rel=1e-4)
    assert kernels == pytest.approx(fused, rel=1e-4)
    assert kernels != pytest.approx(another, rel=1e-3), "the comparison cannot tell one model from another"


@pytest.mark.parametrize("activation", ["grkan", "fused"])
def test_two_runs_agree_bit_for_bit(activation):
    first, _ = short_run("--seed", "3", "--activation", activation)
    second, _ = short_run("--seed", "3", "--activation", activation)
    assert first == second
    if activation == "grkan":
        other, _ = short_run("--seed", "4", "--activation", activation)
        assert first != other


def run_processes(count, *command):
    """Run a command as torchrun would; returns the exit statuses and what the first process printed.

    torchrun itself does not work in Debian 12, whose PyTorch 1.13 is older than its Python 3.11.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count),
                                "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "python")}
    processes = [subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True,
                                  env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
                 for rank in range(count)]
    try:
        printed = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], printed[0]


@pytest.mark.parametrize("model", ["kat", pytest.param("kat-fused", marks=pytest.mark.skipif(
    not hasattr(torch.library, "register_autograd"), reason="10 s that a newer PyTorch spends"))])
def test_two_processes_have_the_gradients_of_one(model):
    if not torch.distributed.is_available():
        pytest.skip("this PyTorch has no torch.distributed")
    statuses, printed = run_processes(2, str(ROOT / "bench" / "train_ddp.py"), "--device", "cpu", "--size", "digits",
                                      "--image", "32", "--batch", "8", "--gradients-only", "--model", model)
    assert statuses == [0, 0], printed
    assert printed.startswith("gradients of 2 processes")


def test_vit_and_kat_are_those_made_of_timms():
    timm = pytest.importorskip("timm")
    theirs, ours = timm.create_model("vit_tiny_patch16_224").eval(), kat.VisionTransformer("tiny").eval()
    images = torch.randn(1, 3, 224, 224)
    for change in (lambda vit: vit, lambda vit: to_kat(vit, kat.grkan_activation)):
        theirs, ours = change(theirs), change(ours)
        ours.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(ours(images), theirs(images))


@torch.no_grad()
def test_initial_weights_preserve_the_variance():
    torch.manual_seed(0)
    x = torch.randn(512, 256)
    mlp = GroupRationalMlp(nn.Linear(256, 1024), nn.Linear(1024, 256))
    mlp.reset_weights()
    hidden = mlp.fc1(mlp.act1(x))
    assert float(hidden.var()) == pytest.approx(1, rel=0.1)
    assert float(mlp(x).var()) == pytest.approx(1, rel=0.1)
    assert float(mlp.act2(hidden).var()) < 0.5, "without the gain the variance would shrink"


def activation_types(model, images):
    """The storage types that the activations read and write."""
    seen = set()
    for block in model.blocks:
        for name in ("act", "act1", "act2"):
            if hasattr(block.mlp, name):
                getattr(block.mlp, name).register_forward_hook(
                    lambda module, inputs, output: seen.update((inputs[0].dtype, output.dtype)))
    with torch.autocast("cpu", torch.bfloat16):
        model(images)
    return seen


def test_activations_store_what_a_vits_do_under_autocast():
    images = torch.randn(2, 3, 32, 32)
    vit, wide = (kat.VisionTransformer("digits", image=32) for _ in range(2))
    assert activation_types(vit, images) == {torch.bfloat16}
    assert activation_types(to_kat(vit), images) == {torch.bfloat16}
    assert torch.float32 in activation_types(to_kat(wide, narrow_input=False), images)


def test_throughput_alternates_the_models_that_are_there():
    arguments = train_throughput.parse(["--device", "cpu", "--vit", "own", "--image", "32", "--windows", "3",
                                        "--window", "0.01", "--models", "vit,kat,kat-fused,kat-gelu,kat-published"])
    rows = {row["model"]: row for row in train_throughput.measure("digits", 2, arguments)}
    assert list(rows) == arguments.models
    assert rows["vit"]["ratio_to_vit"] == 1
    for name in ("vit", "kat", "kat-fused", "kat-gelu"):
        for found in (rows[name]["images_per_second"], rows[name]["processor_milliseconds"]):
            assert 0 < found["min"] <= found["median"] <= found["max"]
    document = train_throughput.describe(list(rows.values()), arguments)
    assert document["grkan"]["commit"] == grkan.version().commit  # without which nobody knows whose figures they are
    own, other = (rows[name]["images_per_second"] for name in ("kat", "vit"))
    assert own["min"] / other["max"] <= rows["kat"]["ratio_to_vit"] <= own["max"] / other["min"]
    assert ("absent" in rows["kat-published"]) != ("images_per_second" in rows["kat-published"])


def test_throughput_fails_when_grkan_does(monkeypatch, capsys):
    def broken(channels, mode):
        raise RuntimeError("no kernels")

    monkeypatch.setitem(models.MODELS, "kat", (broken, {}))
    words = ["--device", "cpu", "--vit", "own", "--image", "32", "--sizes", "digits", "--batch", "2", "--windows", "1",
             "--window", "0.01", "--models", "vit,kat"]
    assert train_throughput.main(words) == 1
    assert "kat            did not run: RuntimeError: no kernels" in capsys.readouterr().out


def affinities():
    """On which cores each thread of this process may run."""
    return {thread: os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")}


def test_one_core_is_shared_with_a_busy_loop(monkeypatch):
    started = []

    class Process(subprocess.Popen):
        def __init__(self, *words):
            super().__init__(*words)
            started.append(self)

    monkeypatch.setattr(train_throughput.subprocess, "Popen", Process)
    before = affinities()
    with train_throughput.one_core(train_throughput.parse(["--vit", "own", "--one-core"])):
        (core,), *others = affinities().values()
        assert all(other == {core} for other in others)
        (busy,) = started
        deadline = time.monotonic() + 60
        while os.sched_getaffinity(busy.pid) != {core} and time.monotonic() < deadline:
            time.sleep(0.01)
        assert os.sched_getaffinity(busy.pid) == {core} and busy.poll() is None
    assert busy.poll() is not None
    now = affinities()
    assert all(now[thread] == cores for thread, cores in before.items() if thread in now)
    with train_throughput.one_core(train_throughput.parse(["--vit", "own"])):
        assert affinities() == now and len(started) == 1
