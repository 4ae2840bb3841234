# SPDX-License-Identifier: Apache-2.0
"""Files that Python writes: replaced whole, or written to, whatever their path names."""

import errno
import os
import signal
import socket
import stat
import sys
import threading

import pytest
from conftest import ROOT, run_python

from grkan import _output

sys.path.append(str(ROOT / "bench"))
import scripting


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def write(path, text="new"):
    _output.check(str(path))
    _output.write(str(path), text)


def refused(path):
    """The reason, which check and write agree on."""
    reasons = []
    for call in (lambda: _output.check(path), lambda: _output.write(path, "new")):
        with pytest.raises(OSError) as caught:
            call()
        reasons.append(caught.value.errno)
    assert reasons[0] == reasons[1]
    return reasons[0]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_new_files_have_the_mode_that_the_umask_allows(folder, mask):
    os.umask(mask)
    write("new")
    assert stat.S_IMODE(os.stat("new").st_mode) == 0o666 & ~mask
    assert os.listdir() == ["new"]


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_files_keep_their_mode(folder, mode):
    (folder / "old").write_text("old")
    os.chmod("old", mode)
    write("old")
    assert (folder / "old").read_text() == "new" and stat.S_IMODE(os.stat("old").st_mode) == mode


def test_a_check_leaves_things_as_they_are(folder):
    (folder / "old").write_text("old")
    for name in ("old", "new"):
        _output.check(name)
    assert os.listdir() == ["old"] and (folder / "old").read_text() == "old"


def test_links_stay(folder):
    (folder / "below").mkdir()
    os.symlink("below/second", "first")
    os.symlink("../target", "below/second")
    for text in ("made", "replaced"):
        write("first", text)
        assert (folder / "target").read_text() == text
    assert os.path.islink("first") and os.path.islink("below/second") and not os.path.islink("target")
    assert sorted(os.listdir()) == ["below", "first", "target"]


def test_devices_stay(folder):
    try:
        os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod("full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    except OSError:
        pytest.skip("only root makes devices")
    write("null")
    with pytest.raises(OSError) as caught:
        write("full")
    assert caught.value.errno == errno.ENOSPC
    assert all(stat.S_ISCHR(os.stat(name).st_mode) for name in os.listdir())


def test_pipes_are_written_to(folder):
    os.mkfifo("pipe")
    writer = threading.Thread(target=write, args=["pipe"])
    writer.start()
    assert (folder / "pipe").read_text() == "new"
    writer.join()
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_descriptors_are_written_to(folder):
    with open("file", "w", encoding="utf-8", buffering=1) as file:
        file.write("before\n")
        write(f"/dev/fd/{file.fileno()}", "new\n")
        os.symlink(f"/proc/self/fd/{file.fileno()}", "link")
        write("link", "new\n")
        file.write("after\n")
    assert (folder / "file").read_text() == "before\nnew\nnew\nafter\n"


def test_what_cannot_be_written(folder):
    os.symlink("round", "round")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        expected = {"": errno.ENOENT, ".": errno.EISDIR, "socket": errno.ENXIO, "round": errno.ELOOP,
                    "missing/file": errno.ENOENT, "new/": errno.ENOENT, "/dev/fd/999": errno.EBADF}
        assert {path: refused(path) for path in expected} == expected
    assert sorted(os.listdir()) == ["round", "socket"]


def test_an_error_leaves_the_old_file(folder, monkeypatch):
    (folder / "old").write_text("old")

    def fail(*_):
        raise OSError(errno.EIO, "failed")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):
        write("old")
    assert os.listdir() == ["old"] and (folder / "old").read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_the_old_file(folder, number):
    (folder / "old").write_text("old")
    code = f"""
import os, signal
from grkan import _output
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.replace = lambda *_: os.kill(os.getpid(), {int(number)})
_output.write("old", "new")
"""
    done = run_python("-c", code)
    assert done.returncode == -number, done.stderr
    assert os.listdir() == ["old"] and (folder / "old").read_text() == "old"


def test_scripts_write_null_for_what_json_does_not_have(folder):
    scripting.write_json("file", {"a": [float("nan"), 1.5], "b": float("inf")})
    assert (folder / "file").read_text().split() == ["{", '"a":', "[", "null,", "1.5", "],", '"b":', "null", "}"]
    with pytest.raises(scripting.argparse.ArgumentTypeError, match="cannot write 'missing/file': No such file"):
        scripting.output_file("missing/file")
