"""What the processes of an installation hold in memory, as Linux counts it."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return all processes that descend from one."""
    direct: list[int] = []
    with suppress(OSError):
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            direct += map(int, listed.read_text().split())
    return [*direct, *(grandchild for child in direct for grandchild in children(child))]


def name_of(pid: int) -> str:
    """Return a process's name: `producer.web`, `worker otp` and so on; "" when it is gone."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
        for known in ("producer.web", "valkey"):
            if known in " ".join(words):
                return known
        if "worker" in words:
            return " ".join(["worker", *words[words.index("worker") + 1 :]]).strip()
        return Path(words[0]).name
    return ""


def memory_of(pid: int, field: str) -> int:
    """Return `VmRSS` (now) or `VmHWM` (at the most) of a process in bytes; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return 0


def forget_peak(pid: int) -> None:
    """Let a process's `VmHWM` begin anew, where the kernel lets us."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


class Memory:
    """What each process below one holds: before, and at the most from then on."""

    def __init__(self, root: int) -> None:
        self.before: dict[int, int] = {}
        self.names: dict[int, str] = {}
        for pid in (child for child in children(root) if child != os.getpid()):
            self.names[pid] = name_of(pid)
            self.before[pid] = memory_of(pid, "VmRSS")
            forget_peak(pid)
        self.peaks = dict(self.before)

    async def watch(self) -> None:
        """Note the peaks again and again: a process may be gone when all is over."""
        while True:
            self.look()
            await asyncio.sleep(0.5)

    def look(self) -> None:
        """Note the peaks up to now."""
        for pid, peak in self.peaks.items():
            self.peaks[pid] = max(peak, memory_of(pid, "VmHWM"))
