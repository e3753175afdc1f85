"""Runs one command and tells what it cost; tells what machine this is."""
import contextlib
import dataclasses
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

CORES = 2  # the targets are for two cores; on a larger machine the others stay idle


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one run cost, and what it said."""

    seconds: float
    cpu: float
    rss_kib: int
    exit: int
    stdout: str
    stderr: str


def run(command: Sequence[str], scratch: Path, variables: Optional[Mapping[str, str]] = None) -> Cost:
    """Runs a command to its end.

    What it says goes to files, so that no pipe has to be drained while it runs. The peak is that of the largest
    process: of a rival that forks, the kernel does not tell the sum. It also counts what this process held when it
    started the command, which is why nothing large is imported here.
    """
    out, err = scratch / "stdout", scratch / "stderr"
    environment = {**os.environ, **(variables or {})}
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, process.returncode,
                out.read_text(errors="replace"), err.read_text(errors="replace"))


def keep_to_cores() -> None:
    """Keeps this process, and all that it starts, to the cores that the targets are for."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keeps what is started within it to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> str:
    """CPU, cores, memory and kernel, in one line."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.1f} GiB, {platform.system()} {platform.release()}"


def available_memory() -> int:
    """Bytes that the page cache could take."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
