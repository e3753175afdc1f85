#!/usr/bin/python3
"""Measures clearmosaic side by side with its rivals: interleaved rounds, identical output, one table.

The rivals are a directory with make_workload.py, peers.py and setup.sh. Every run becomes a row of a CSV as soon as it
ends; the table is made from the CSV alone, and lies next to it as Markdown. Exit code: 0, also where there are no
rivals (which it says); 1 where a run failed or an output differs. A target that is missed is told, and is no failure.
"""
import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

import divan
import measure
import rows
import table
import workloads
from workloads import Workload

HERE = Path(__file__).resolve().parent
ENVIRONMENT = Path("/tmp/mosaic-peers")  # the setup script's own default
SLOW_RIVALS = ["np", "bn", "u16sort", "odc"]
NAME = "workload"  # the generator's mosaic
DEPTHS = [24, 36, 73, 146]
VERSIONS = """
import importlib.metadata as m, rasterio, sys
told = [f"GDAL {rasterio.__gdal_version__}", "Python " + sys.version.split()[0]]
for name in ("rasterio", "numpy", "numba", "bottleneck", "odc-stac", "dask"):
    try: told.append(f"{name} {m.version(name)}")
    except m.PackageNotFoundError: pass
print(", ".join(told))
"""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured."""

    size: int
    dates: list[int]  # the first is the main workload's
    rounds: int
    depths: list[int]


FULL = Plan(4096, [73, 36, 24, 146], 5, DEPTHS)
QUICK = Plan(512, [6, 4], 2, [24])
GROWTH = Plan(4096, [73, 24, 146], 5, [])
QUICK_GROWTH = Plan(2048, [4, 2, 8], 2, [])


@dataclasses.dataclass(frozen=True)
class Rivals:
    """The rivals' programs, and the Python that runs them."""

    directory: Path
    python: str
    s2mosaic: str

    @property
    def variables(self) -> dict[str, str]:
        """What their programs are told by the environment."""
        return {"S2MOSAIC2": self.s2mosaic}


def find_rivals(directory: Path) -> Rivals:
    """The rivals; their Python is made where nobody names one and it is not there."""
    python = os.environ.get("PEERS_PYTHON")
    if not python:
        python = str(ENVIRONMENT / "bin/python")
        if not Path(python).exists():
            print(f"making the rivals' environment: {ENVIRONMENT}", file=sys.stderr)
            subprocess.run(["bash", directory / "setup.sh", ENVIRONMENT], check=True, stdout=sys.stderr)
    beside = Path(python).parent.parent / "dl/s2m2/s2mosaic"
    return Rivals(directory, python, os.environ.get("S2MOSAIC2") or str(beside))


def versions(rivals: Rivals, binary: Path) -> str:
    """Ours, and theirs."""
    def said(command: Sequence[str]) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    release = next((p.name.split("-")[1].removesuffix(".dist") for p in
                    Path(rivals.s2mosaic).parent.glob("s2mosaic-*.dist-info")), "of unknown version")
    ours = f"{said([str(binary), '--version'])} with GDAL {said(['gdal-config', '--version'])}"
    return f"{ours}; rivals: {said([rivals.python, '-c', VERSIONS])}, s2mosaic {release}"


def commit() -> str:
    """The commit of this source, with a plus sign where it has been changed since."""
    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(HERE), *arguments], capture_output=True, text=True).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if git("status", "--porcelain") else "")


def now() -> str:
    """UTC, to the second."""
    return f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


class Bench:
    """Runs cases, writes their rows, and remembers what went wrong."""

    def __init__(self, binary: Path, rivals: Rivals, csv: Path, scratch: Path) -> None:
        self.binary, self.rivals, self.csv, self.scratch = binary, rivals, csv, scratch
        self.faults: list[str] = []
        self.common = {"session": now(), "machine": measure.machine(), "commit": commit(),
                       "load": f"{os.getloadavg()[0]:.2f}", "versions": versions(rivals, binary)}

    def record(self, case: str, of: Workload, number: int, *, bands: int = 4, **measured) -> None:
        """Writes a row."""
        held = {"seconds": None, "cpu": None, "rss_kib": None, "bytes_read": None, "rate": None, "exit": 0} | measured
        rows.append(self.csv, rows.Row(time=now(), case=case, bands=bands, round=number, **dataclasses.asdict(of),
                                       **self.common, **held))

    def run(self, case: str, of: Workload, number: int, command: Sequence[str], *, bands: int = 4,
            variables: Optional[Mapping[str, str]] = None) -> bool:
        """Runs and records a case; whether it ended well."""
        cost = measure.run(command, self.scratch, variables)
        read = None
        if "--json" in command and cost.exit == 0:
            read = json.loads(cost.stdout).get("bytes_read")
        self.record(case, of, number, bands=bands, seconds=round(cost.seconds, 5), cpu=round(cost.cpu, 5),
                    rss_kib=cost.rss_kib, exit=cost.exit, bytes_read=read)
        more = f", {bands} bands" if case == "growth" else ""
        print(f"{of.name}  round {number}  {case + more:<17} {cost.seconds:9.3f} s", file=sys.stderr)
        if cost.exit != 0:
            said = (cost.stderr.strip() or cost.stdout.strip()).splitlines()[-3:]
            self.faults.append(f"{case}, {of.name}, round {number}: exit code {cost.exit}: {' / '.join(said)}")
        return cost.exit == 0

    def equal(self, case: str, of: Workload, number: int, found: Path, expected: Path) -> None:
        """Compares an output with what it should be; the outcome is a row too, so that the CSV does not hide it."""
        command = [self.rivals.python, str(HERE / "equal.py"), str(found), str(expected)]
        cost = measure.run(command, self.scratch)
        self.record(f"equal-{case}", of, number, exit=cost.exit)
        if cost.exit != 0:
            said = cost.stdout.strip() or cost.stderr.strip()
            self.faults.append(f"{case}, {of.name}, round {number}: the output differs\n{said}")


@dataclasses.dataclass(frozen=True)
class Output:
    """A place for the output, the store and the request of one mosaic."""

    directory: Path

    @property
    def mosaic(self) -> Path:
        """Where it is published."""
        return self.directory / "out" / NAME

    @property
    def store(self) -> Path:
        """Where what is done is kept."""
        return self.directory / "store"

    def request(self, workload: Path, **changes) -> Path:
        """Writes the request that puts the mosaic here."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "request.yaml"
        path.write_text(workloads.request_for((workload / "request.yaml").read_text(), workload,
                                              self.directory / "out", **changes))
        return path


@contextlib.contextmanager
def output(scratch: Path, name: str) -> Iterator[Output]:
    """A fresh place, deleted afterwards."""
    path = scratch / name
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield Output(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


class SideBySide:
    """The cases of one workload; the main one has more of them."""

    def __init__(self, bench: Bench, of: Workload, path: Path, *, main: bool, all_rivals: bool) -> None:
        self.bench, self.of, self.path, self.main, self.all_rivals = bench, of, path, main, all_rivals

    def rival(self, peer: str, number: int, processes: int = measure.CORES) -> Path:
        """Runs a rival; its result."""
        result = self.bench.scratch / f"{peer}.tif"
        case = peer if processes == measure.CORES else f"{peer}-{processes}"
        command = [self.bench.rivals.python, str(self.bench.rivals.directory / "peers.py"), peer, str(self.path)]
        self.bench.run(case, self.of, number, [*command, str(result)],
                       variables={**self.bench.rivals.variables, "NP": str(processes)})
        return result

    def ours(self, case: str, number: int, request: Path, place: Output, *options: str,
             expected: Optional[Path] = None, workers: int = measure.CORES) -> bool:
        """Runs clearmosaic, and compares what it made; whether it ran."""
        command = [str(self.bench.binary), "run", str(request), "--json", "--store", str(place.store),
                   "--workers", str(workers), *options]
        ran = self.bench.run(case, self.of, number, command)
        if ran and expected:
            self.bench.equal(case, self.of, number, place.mosaic, expected)
        return ran

    def rounds(self, number_of_rounds: int) -> None:
        """All rounds of this workload."""
        scratch = self.bench.scratch
        with output(scratch, "thirteen") as thirteen:
            for number in range(1, number_of_rounds + 1):
                with output(scratch, "whole") as whole:
                    self.round(number, whole, thirteen)
        for result in scratch.glob("*.tif"):
            result.unlink()

    def round(self, number: int, whole: Output, thirteen: Output) -> None:
        """Every case once, the floor first."""
        self.rival("decode", number)
        # Away from the main workload once is enough to compare output and memory, and to know how far the rival is.
        often = self.main or number == 1
        peers = ["s2m2"] * often + (SLOW_RIVALS if self.all_rivals and number == 1 else [])
        results = {peer: self.rival(peer, number) for peer in peers}
        if not self.ours("whole", number, whole.request(self.path), whole):
            return
        for peer, result in results.items():
            self.bench.equal(f"whole-{peer}", self.of, number, whole.mosaic, result)
        if self.main:
            self.ours("again", number, whole.request(self.path), whole, expected=results["s2m2"])
        if often:
            self.fresh("512MiB", number, whole, "--memory", "512MiB")
        if self.main:
            self.slices(number, whole, thirteen)
            self.fresh("sliced-512MiB", number, whole, "--memory", "512MiB", every="P1M")
            with measure.one_core():
                self.rival("decode", number, processes=1)
                self.fresh("one-worker", number, whole, workers=1)
            self.starts(number, whole)

    def fresh(self, case: str, number: int, whole: Output, *options: str, every: Optional[str] = None,
              workers: int = measure.CORES) -> None:
        """A run from nothing that must come to the same."""
        with output(self.bench.scratch, case) as place:
            self.ours(case, number, place.request(self.path, every=every), place, *options, expected=whole.mosaic,
                      workers=workers)

    def slices(self, number: int, whole: Output, thirteen: Output) -> None:
        """Twelve months, then thirteen; the truth of the thirteen is made once, without slices."""
        longer = workloads.with_thirteenth(self.path)
        end = workloads.month_later(workloads.period((self.path / "request.yaml").read_text())[1])
        if number == 1:
            self.ours("thirteen-whole", number, thirteen.request(longer, end=end), thirteen)
        with output(self.bench.scratch, "sliced") as place:
            if self.ours("sliced", number, place.request(longer, every="P1M"), place, expected=whole.mosaic):
                self.ours("thirteenth", number, place.request(longer, every="P1M", end=end), place,
                          expected=thirteen.mosaic)

    def starts(self, number: int, whole: Output) -> None:
        """How long it takes to begin."""
        self.bench.run("help", self.of, number, [str(self.bench.binary), "--help"])
        plan = [str(self.bench.binary), "plan", str(whole.request(self.path)), "--json"]
        self.bench.run("plan", self.of, number, plan)


def side_by_side_workloads(plan: Plan) -> list[Workload]:
    """The main workload, then those that have targets, then the others: depth, block and cloudiness change one at a
    time."""
    depth, *others = plan.dates
    deep = [Workload(plan.size, d) for d in (depth, *others)]
    all_of = [*deep, Workload(plan.size, depth, block=512), *(Workload(plan.size, depth, cloudy=c) for c in (0.2, 0.5))]
    return sorted(all_of, key=lambda of: (of.dates, of.cloudy) not in table.WHOLE_TARGETS)


def made(bench: Bench, of: Workload, directory: Path) -> Path:
    """A workload's directory."""
    return workloads.generate(of, directory, bench.rivals.python, bench.rivals.directory / "make_workload.py")


def warmed(path: Path) -> None:
    """Reads a workload once; says so where it is too large to stay in memory."""
    available, size = measure.available_memory(), workloads.warm(path)
    if size > available:
        print(f"NOT WARM: {path} has {size >> 20} MiB, memory {available >> 20} MiB", file=sys.stderr)


def compare(bench: Bench, plan: Plan, directory: Path, all_rivals: bool) -> None:
    """All workloads, one after the other, so that the one at hand stays in memory."""
    paths = {of: made(bench, of, directory) for of in side_by_side_workloads(plan)}
    for number, (of, path) in enumerate(paths.items()):
        warmed(path)
        SideBySide(bench, of, path, main=number == 0, all_rivals=all_rivals).rounds(plan.rounds)


def kernels(bench: Bench, plan: Plan, printed: Optional[Path]) -> None:
    """The rivals' kernels, measured, and ours as `cargo bench` has told it."""
    def record(name: str, masks: str, depth: int, number: int, **measured) -> None:
        bench.record(f"kernel-{name}-{masks}", Workload(0, depth, block=0), number, **measured)

    command = [bench.rivals.python, str(HERE / "kernel.py"), *map(str, plan.depths), "--repeats", str(plan.rounds)]
    print("kernels of the rivals", file=sys.stderr)
    with measure.one_core():
        cost = measure.run(command, bench.scratch, bench.rivals.variables)
    for line in map(json.loads, cost.stdout.splitlines()):
        record(line["kernel"], line["masks"], line["depth"], line["round"], seconds=round(line["seconds"], 5),
               rate=round(line["rate"]))
    if cost.exit != 0:
        bench.faults.append(f"kernel.py: exit code {cost.exit}: {cost.stderr.strip()}")
    if printed:
        for (depth, masks), rate in divan.kernel(printed.read_text()).items():
            record("clearmosaic", masks, depth, 1, rate=rate)


def grow(bench: Bench, plan: Plan, directory: Path) -> None:
    """Time and memory against dates, area and bands, each with the others held at the main workload's."""
    main = Workload(plan.size, plan.dates[0])
    sizes = [plan.size // 4, plan.size // 2]
    points = [(of, made(bench, of, directory), None) for of in
              [main, *(Workload(plan.size, d) for d in plan.dates[1:]), *(Workload(s, main.dates) for s in sizes)]]
    base = points[0][1]
    ten = workloads.with_ten_bands(base)
    points += [(main, base, workloads.BANDS[:1]), (main, ten, [*workloads.BANDS, *workloads.MORE_BANDS])]
    for _, path, bands in points:
        warmed(path)
    for number in range(1, plan.rounds + 1):
        for of, path, bands in points:
            with output(bench.scratch, "growth") as place:
                command = [str(bench.binary), "run", str(place.request(path, bands=bands)), "--json", "--store",
                           str(place.store), "--workers", str(measure.CORES)]
                bench.run("growth", of, number, command, bands=len(bands or workloads.BANDS))


def whole_numbers(text: str) -> list[int]:
    """Numbers parted by commas."""
    return [int(n) for n in text.split(",")]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the clearmosaic to measure")
    parser.add_argument("--rivals", type=Path, required=True, help="directory of the rivals and the generator")
    parser.add_argument("--directory", type=Path, required=True, help="for results and what is made on the way")
    parser.add_argument("--workloads", type=Path, help="where workloads are kept [default: workloads in --directory]")
    parser.add_argument("--csv", type=Path, help="add to these rows, and tell of all [default: a new file in results]")
    parser.add_argument("--growth", action="store_true", help="cost against dates, area and bands instead")
    parser.add_argument("--quick", action="store_true", help="tiny workloads: does it work? Its figures mean nothing")
    parser.add_argument("--all-rivals", action="store_true", help="the slow rivals too, in the first round")
    parser.add_argument("--kernel-bench", metavar="FILE", type=Path, help="what `cargo bench` printed of the kernel")
    parser.add_argument("--table", action="store_true", help="measure nothing: make the table of --csv again")
    parser.add_argument("--size", type=int, help="pixels a side of the workloads")
    parser.add_argument("--dates", type=whole_numbers, metavar="N,N...", help="their dates, the main one's first")
    parser.add_argument("--rounds", type=int, help="how often each case is run [default: 5, --quick 2]")
    given = parser.parse_args()
    if given.table and not given.csv:
        parser.error("--table needs --csv")
    step = 2048 if given.growth else 512  # growth divides it by four
    if given.size and given.size % step:
        parser.error(f"--size has to be a multiple of {step}")
    return given


def planned(given: argparse.Namespace) -> Plan:
    """How much to measure, as asked for."""
    plan = (QUICK_GROWTH if given.quick else GROWTH) if given.growth else (QUICK if given.quick else FULL)
    asked = {name: getattr(given, name) for name in ("size", "dates", "rounds") if getattr(given, name)}
    return dataclasses.replace(plan, **asked)


def tell(csv: Path) -> None:
    """Prints the table, and puts it next to the rows."""
    text = table.document(rows.read(csv))
    csv.with_suffix(".md").write_text(text)
    print(f"{text}\nrows: {csv}\ntable: {csv.with_suffix('.md')}")


def main() -> int:
    """Measures what is asked for; the exit code."""
    given = arguments()
    if given.table:
        tell(given.csv)
        return 0
    if not (given.rivals / "peers.py").is_file():
        print(f"SKIPPED: {given.rivals} is not there: no rivals to measure against", file=sys.stderr)
        return 0
    csv = given.csv or given.directory / "results" / f"{dt.datetime.now():%Y-%m-%d-%H%M%S}.csv"
    directory = (given.workloads or given.directory / "workloads").resolve()
    for needed in (given.directory, directory):
        needed.mkdir(parents=True, exist_ok=True)
    measure.keep_to_cores()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped: the rows so far are kept"))  # and scratch is deleted
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="scratch-") as scratch:
        bench = Bench(given.binary.resolve(), find_rivals(given.rivals.resolve()), csv, Path(scratch).resolve())
        if given.growth:
            grow(bench, planned(given), directory)
        else:
            kernels(bench, planned(given), given.kernel_bench)
            compare(bench, planned(given), directory, given.all_rivals)
    tell(csv)
    for fault in bench.faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 1 if bench.faults else 0


if __name__ == "__main__":
    sys.exit(main())
