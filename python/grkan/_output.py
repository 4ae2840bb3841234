# SPDX-License-Identifier: Apache-2.0
"""Files that programs leave: whole or not at all, as those of the program grkan (tools/common/output.h).

A regular file, or a name that is not there yet, is written under another name in the same folder, which then becomes
the file's. Links are followed and stay; an existing file keeps its mode, and its owner where that is possible; a new
one has the mode that the umask allows. Whatever else a path names is written to: a device, a pipe, a descriptor
(/dev/stdout).
"-" is the standard output. Text is UTF-8, whatever the locale.
"""

import contextlib
import errno
import os
import signal
import stat
import sys
import threading

_MOST_LINKS = 40
_MOST_NAMES = 100


def _error(number, path):
    return OSError(number, os.strerror(number), path)


def _follow(path):
    """The name that a file has or is to have behind all links; a descriptor's number; None: the kernel's."""
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(path)
        real = os.path.realpath(folder or ".")
        if real == os.path.realpath("/dev/fd") and name.isascii() and name.isdigit():
            return int(name)
        if real == "/proc" or real.startswith("/proc/"):
            return None
        try:
            path = os.path.join(folder, os.readlink(path))
        except OSError:  # no link, or not there: what else is wrong shows when a file is made beside it
            return path
    raise _error(errno.ELOOP, path)


def _place(path):
    """What _follow says, None also for what is no regular file; and the state of the file that there is."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if not path:
            raise
        return _follow(path), None
    if stat.S_ISDIR(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        raise _error(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.ENXIO, path)
    target = _follow(path)
    return target if stat.S_ISREG(found.st_mode) or isinstance(target, int) else None, found


class _Ended(BaseException):
    """A signal that ends the program, after a temporary file is gone."""


@contextlib.contextmanager
def _ends_later():
    """SIGTERM and SIGHUP raise _Ended, and end the program behind the block. SIGINT raises an exception anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number, _):
        raise _Ended(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, end)
        yield
    except _Ended as ended:
        signal.signal(ended.args[0], signal.SIG_DFL)
        os.kill(os.getpid(), ended.args[0])
    finally:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, handler)


def _open_temporary(target):
    for number in range(_MOST_NAMES):
        name = os.path.join(os.path.dirname(target), f".grkan-{os.getpid()}-{number}.tmp")
        try:
            return name, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            pass
    raise _error(errno.EEXIST, target)


def _write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data):]


def _replace(target, found, data):
    """data is None: try only, and leave things as they are."""
    with _ends_later():
        name, descriptor = _open_temporary(target)
        try:
            try:
                if found is not None:  # before anything is in the file, which not everybody may read
                    with contextlib.suppress(OSError):
                        os.fchown(descriptor, found.st_uid, found.st_gid)
                    os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & 0o777)
                _write_all(descriptor, data or b"")
            finally:
                os.close(descriptor)
            if data is not None:
                os.replace(name, target)
                name = None
        finally:
            if name is not None:
                os.unlink(name)


def check(path):
    """OSError if a path cannot be written, to know before a long run. It is left as it is."""
    if path == "-":
        if sys.stdout is None:
            raise _error(errno.EBADF, path)
        return
    target, found = _place(path)
    if isinstance(target, int):
        os.fstat(target)
    elif found is not None and not os.access(path, os.W_OK):
        raise _error(errno.EACCES, path)
    elif target is not None:
        _replace(target, found, None)


def _print(data):
    """To the standard output; what cannot be written is not tried again when the interpreter ends."""
    if sys.stdout is None:
        raise _error(errno.EBADF, "-")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        raise


def write(path, text):
    """Write text to a path. OSError if it cannot be written; then a file that was there is as it was."""
    data = text.encode("utf-8")
    if path == "-":
        _print(data)
        return
    target, found = _place(path)
    if isinstance(target, int):
        if sys.stdout is not None:
            sys.stdout.flush()
        _write_all(target, data)
    elif target is not None:
        if found is not None and not os.access(path, os.W_OK):
            raise _error(errno.EACCES, path)
        _replace(target, found, data)
    else:
        with open(path, "wb", buffering=0) as file:
            _write_all(file.fileno(), data)
