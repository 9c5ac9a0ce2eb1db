"""Runs the server child so that it cannot outlive the product. A script of its own: imports nothing of ours.

    python -I -S parent_guard.py signal|watch <parent pid> <command …>

signal   Linux: asks the kernel for SIGTERM at the parent's death, then becomes the command
watch    elsewhere: starts the command and terminates it when stdin, held open by the parent, ends
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
GRACE_S = 10


def become(parent_pid: int, command: list[str]) -> None:
    import ctypes  # noqa: PLC0415 - Linux only; the watching mode must start without it

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:  # the parent died before the request was in place
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - a fixed argument list, no shell


def watch(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(*_: object) -> None:
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()

    def wait_for_the_parent() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=wait_for_the_parent, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    if sys.argv[1] == "signal":
        become(int(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(watch(sys.argv[3:]))
