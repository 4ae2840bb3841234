# SPDX-License-Identifier: Apache-2.0
"""Workspaces between calls: how many are kept, whose they are, and that none comes back dirty."""

import ctypes
import os
import threading
from pathlib import Path

import numpy
import pytest
from conftest import coefficients

import grkan
from grkan import _arrays
from grkan._workspaces import MOST_FREE, MOST_STREAMS, Workspaces


def run_in_threads(work, threads, at_once):
    for _ in range(threads // at_once):
        running = [threading.Thread(target=work) for _ in range(at_once)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


SHAPE = 2048, 768  # with as many groups as channels: a workspace of half a MiB


@pytest.mark.parametrize("at_once", [1, 4])
def test_threads_leave_no_memory_behind(at_once):
    x = numpy.ones(SHAPE, numpy.float32)
    a, b = (c.astype(numpy.float32) for c in coefficients(groups=SHAPE[1], shared=False))

    def work():
        grkan.backward(x, x, a, b)

    def growth():
        before = resident_bytes()
        run_in_threads(work, 60, at_once)
        return resident_bytes() - before

    run_in_threads(work, 2 * at_once, at_once)
    # A workspace for each thread would be 36 MB each time; what malloc takes for its threads, it takes once.
    assert any(growth() < 16 << 20 for _ in range(3))


@pytest.mark.parametrize("at_once", [1, 4])
def test_threads_of_torch_share_what_is_kept(at_once, monkeypatch):
    torch = pytest.importorskip("torch")
    from grkan.torch import _autograd, _kernels, rational
    x, a, b = (torch.from_numpy(t).float().requires_grad_()
               for t in (numpy.ones(SHAPE), *coefficients(groups=SHAPE[1], shared=False)))
    pool = Workspaces()
    monkeypatch.setattr(_kernels, "_workspaces", pool)
    monkeypatch.setattr(_autograd, "backward_kernel", _kernels.run_backward)  # those in C keep none
    run_in_threads(lambda: torch.autograd.grad(rational(x, a, b).sum(), (x, a, b)), 8, at_once)
    place = Workspaces.place(-1, 0)
    kept = list(iter(lambda: pool.take(place, 1), None))
    assert 1 <= len(kept) <= at_once


def test_a_workspace_serves_one_call_after_another():
    pool = Workspaces()
    assert pool.take("cpu", 8) is None
    pool.give("cpu", 8, "first")
    assert pool.take("other", 8) is None
    assert pool.take("cpu", 4) == "first" and pool.take("cpu", 4) is None
    pool.give("cpu", 8, "first")
    assert pool.take("cpu", 9) is None  # too small, and forgotten
    assert pool.take("cpu", 1) is None


def test_streams_and_workspaces_are_bounded():
    pool = Workspaces()
    for stream in range(MOST_STREAMS + 3):
        pool.give(stream, 1, stream)
        assert pool.take(0, 1) == 0
        pool.give(0, 1, 0)  # used all the time, and so kept
    kept = [stream for stream in range(MOST_STREAMS + 3) if pool.take(stream, 1) is not None]
    assert len(kept) == MOST_STREAMS and kept[0] == 0 and kept[-1] == MOST_STREAMS + 2
    for number in range(3 * MOST_FREE):
        pool.give("cpu", 1, number)
    assert sum(pool.take("cpu", 1) is not None for _ in range(3 * MOST_FREE)) == MOST_FREE


def test_a_stream_that_each_thread_has_its_own_of():
    places = {Workspaces.place("cuda:0", 2)}
    run_in_threads(lambda: places.add(Workspaces.place("cuda:0", 2)), 1, 1)
    assert len(places) == 2
    places = {Workspaces.place("cuda:0", 7)}
    run_in_threads(lambda: places.add(Workspaces.place("cuda:0", 7)), 1, 1)
    assert len(places) == 1


def test_many_threads_take_and_give_at_once():
    pool, taken, wrong = Workspaces(), set(), []

    def work():
        for turn in range(2000):
            place = turn % (MOST_STREAMS + 8)
            memory = pool.take(place, 1) or object()
            if memory in taken:
                wrong.append(memory)
            taken.add(memory)
            taken.discard(memory)
            pool.give(place, 1, memory)

    run_in_threads(work, 8, 4)
    assert not wrong and len(pool._free) <= MOST_STREAMS + 8


class Failure(Exception):
    pass


def test_a_call_that_fails_gives_no_workspace_back(monkeypatch):
    x = numpy.ones((512, 768), numpy.float32)
    a, b = coefficients()
    expected = grkan.backward(x, x, a, b)
    fresh = Workspaces()
    monkeypatch.setattr(_arrays, "_workspaces", fresh)

    def fail(self, addresses, workspace, *_):
        content = (ctypes.c_uint8 * self.workspace_bytes).from_address(workspace)
        numpy.ctypeslib.as_array(content)[:] = 255
        raise Failure

    with monkeypatch.context() as patch:
        patch.setattr(_arrays.Plan, "enqueue_backward", fail)
        with pytest.raises(Failure):
            grkan.backward(x, x, a, b)
    found = grkan.backward(x, x, a, b)
    assert all(numpy.array_equal(f, e) for f, e in zip(found, expected))


@pytest.mark.parametrize("level", ["run_to_run", "device_to_device"])
def test_plans_of_all_sizes_share_a_workspace(level):
    generator = numpy.random.default_rng(0)
    cases = []
    for rows, channels, groups, dtype in [(3, 8, 1, "float32"), (3000, 96, 8, "float64"), (7, 768, 768, "float32"),
                                          (4096, 64, 8, "float32"), (1, 1, 1, "float64")]:
        x, dy = generator.uniform(-3, 3, (2, rows, channels)).astype(dtype)
        cases.append((x, dy, *coefficients(groups=groups)))
    first = [grkan.backward(*case, determinism=level) for case in cases]
    for _ in range(3):
        for case, expected in zip(cases, first):
            for found, e in zip(grkan.backward(*case, determinism=level), expected):
                assert numpy.array_equal(found, e)
