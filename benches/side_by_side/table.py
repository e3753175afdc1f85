"""From raw rows to the table: medians of ratios within a round, fits, and what the targets say of them."""
import dataclasses
import statistics
from collections import defaultdict
from typing import Callable, Iterable, Iterator, Optional, Sequence

from rows import Row
from workloads import Workload

MIB = 1 << 10  # KiB
RIVALS = {"s2m2": "s2mosaic's kernel", "np": "numpy.nanmedian", "bn": "bottleneck", "u16sort": "numpy integer sort",
          "odc": "odc-stac + dask"}
KERNEL_MASKS = {"clouds": "clouds", "random": "random masks"}
LIMIT = 512 * MIB  # KiB, what the cases named so may take
TARGET_SIZE = 4096  # px a side, that the targets are for
WHOLE_TARGETS = {(73, 0.0): 0.80, (36, 0.0): 0.95, (73, 0.5): 0.50}  # by dates and cloudiness
NONE = "-"


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of a few values, and how far they lie apart."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        held = sorted(values)
        return Spread(statistics.median(held), held[0], held[-1])

    def range(self, digits: int) -> str:
        """From the least to the greatest."""
        return f"{self.low:.{digits}f} - {self.high:.{digits}f}"


@dataclasses.dataclass(frozen=True)
class Fit:
    """A straight line through points, by least squares."""

    slope: float
    intercept: float
    r2: float


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of the table, ready to be printed."""

    what: str
    result: str = NONE
    spread: str = NONE
    target: str = NONE
    met: str = NONE
    rival: str = NONE
    seconds: str = NONE
    cpu: str = NONE
    peak: str = NONE
    runs: str = NONE


HEADINGS = Line("what", "result", "min - max", "target", "met", "best rival", "seconds", "CPU s", "peak MiB", "runs")


def fit(xs: Sequence[float], ys: Sequence[float]) -> Fit:
    """The least-squares line; r2 is 1 where all points lie on it."""
    slope, intercept = statistics.linear_regression(xs, ys)
    mean = statistics.fmean(ys)
    total = sum((y - mean) ** 2 for y in ys)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys))
    return Fit(slope, intercept, 1 - rest / total if total else 1.0)


def workload(row: Row) -> Workload:
    """The workload that a row is of."""
    return Workload(row.size, row.dates, row.block, row.cloudy)


class Runs:
    """The rows of runs that ended well, by workload and case."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = [r for r in rows if r.exit == 0]

    def of(self, where: Workload, case: str) -> list[Row]:
        """The runs of one case."""
        return [r for r in self.rows if r.case == case and workload(r) == where]

    def ratios(self, where: Workload, case: str, base: str, value: Callable[[Row], float]) -> list[float]:
        """A case's values over another's of the same round; rounds that lack one of them are left out."""
        bases = {(r.session, r.round): value(r) for r in self.of(where, base)}
        return [value(r) / bases[r.session, r.round] for r in self.of(where, case) if (r.session, r.round) in bases]

    def main(self) -> Optional[Workload]:
        """The workload that all cases are run on."""
        return next((workload(r) for r in self.rows if r.case == "sliced"), None)


def seconds_of(row: Row) -> float:
    """Wall time."""
    return row.seconds


def costs(runs: Sequence[Row]) -> dict[str, str]:
    """Seconds, CPU and peak memory of a case: medians, and the greatest peak."""
    if not runs:
        return {}
    return {"seconds": short(statistics.median(r.seconds for r in runs)),
            "cpu": short(statistics.median(r.cpu for r in runs)),
            "peak": f"{max(r.rss_kib for r in runs) / MIB:.0f}", "runs": str(len(runs))}


def short(seconds: float) -> str:
    """Seconds with the digits that matter."""
    return f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.4f}"


def yes(met: bool) -> str:
    """Whether a target was met, to be seen at a glance."""
    return "yes" if met else "NO"


def compared(what: str, runs: Sequence[Row], ratios: Sequence[float], base: str, *, most: Optional[float] = None,
             digits: int = 2, rival: str = NONE) -> Line:
    """A case whose result is a ratio of times, which should be at most so much."""
    if not ratios:
        return Line(what, "not measured", target=NONE if most is None else f"<= {most:.{digits}f}x")
    spread = Spread.of(ratios)
    line = Line(what, f"{spread.median:.{digits}f}x {base}", spread.range(digits), rival=rival, **costs(runs))
    if most is None:
        return line
    return dataclasses.replace(line, target=f"<= {most:.{digits}f}x", met=yes(spread.median <= most))


def order(where: Workload) -> tuple:
    """Clear workloads before cloudy ones, the targets' first, then by blocks and dates."""
    return where.cloudy, -where.block, (where.dates, where.cloudy) not in WHOLE_TARGETS, -where.dates, where.size


def described(where: Workload) -> str:
    """A workload in words, without what is usual."""
    words = [f"{where.dates} dates"]
    words += [f"{where.cloudy:.0%} cloudy"] if where.cloudy else []
    words += [f"{where.block} blocks"] if where.block != 1024 else []
    return ", ".join(words)


def best_rival(runs: Runs, where: Workload) -> str:
    """The fastest rival of a workload."""
    found = [(statistics.median(ratios), name) for case, name in RIVALS.items()
             if (ratios := runs.ratios(where, case, "decode", seconds_of))]
    return "{:.2f}x {}".format(*min(found)) if found else NONE


def whole_lines(runs: Runs) -> Iterator[Line]:
    """The whole run against decoding everything once."""
    for where in sorted({workload(r) for r in runs.rows if r.case == "whole"}, key=order):
        yield compared(f"whole run, {described(where)}", runs.of(where, "whole"),
                       runs.ratios(where, "whole", "decode", seconds_of), "decode",
                       most=WHOLE_TARGETS.get((where.dates, where.cloudy)), rival=best_rival(runs, where))


def reuse_lines(runs: Runs, main: Workload) -> Iterator[Line]:
    """Slices, one month more, and nothing to do."""
    def against(base: str, called: str, what: str, case: str, most: float, digits: int) -> Line:
        return compared(what, runs.of(main, case), runs.ratios(main, case, base, seconds_of), called, most=most,
                        digits=digits)

    added = "thirteenth month added to twelve"
    yield against("whole", "whole run", "with slice: P1M, partials kept", "sliced", 1.35, 2)
    yield against("sliced", "run with slices", f"{added}, over the run that made those", "thirteenth", 1 / 8, 3)
    yield against("whole", "whole run", f"{added}, over a run without slices", "thirteenth", 1 / 8, 3)
    again = runs.of(main, "again")
    if again:
        spread, read = Spread.of(r.seconds for r in again), max(r.bytes_read for r in again)
        yield Line("second run, nothing changed", f"{short(spread.median)} s, {read} bytes read", spread.range(2),
                   "< 2 s, none read", yes(spread.median < 2 and read == 0), **costs(again))


Rates = dict[str, dict[tuple[str, int], Spread]]  # of a kernel, by kind of mask and depth, in G observations/s


def kernel_rates(rows: Iterable[Row]) -> Rates:
    """What each kernel does in a second."""
    held: dict[str, dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    for r in rows:
        if r.case.startswith("kernel-"):
            _, name, masks = r.case.split("-")
            held[name][masks, r.dates].append(r.rate / 1e9)
    return {name: {at: Spread.of(values) for at, values in points.items()} for name, points in held.items()}


def kernel_lines(rates: Rates) -> Iterator[Line]:
    """Ours by depth, with the best of the others; then our gain over each of them where it is least."""
    ours, rivals = rates.get("clearmosaic", {}), {name: r for name, r in rates.items() if name != "clearmosaic"}
    for masks, depth in sorted({at for points in rates.values() for at in points}):
        at = masks, depth
        best = max(((points[at].median, name) for name, points in rivals.items() if at in points), default=None)
        line = Line(f"kernel, one core, {depth} deep, {KERNEL_MASKS[masks]}", "not measured",
                    rival="{:.3f} G/s {}".format(*best) if best else NONE)
        if at in ours:
            line = dataclasses.replace(line, result=f"{ours[at].median:.2f} G/s", spread=ours[at].range(2))
        # The target is for what the workloads look like; no sky is as bad as the toss of a coin for each pixel.
        if masks == "clouds":
            met = yes(ours[at].median >= 1.5) if at in ours else NONE
            line = dataclasses.replace(line, target=">= 1.50 G/s", met=met)
        yield line
    for name, called, least in (("s2mosaic", "s2mosaic's", 10), ("numpy", "numpy.nanmedian", 50)):
        for masks in sorted({masks for masks, _ in rivals.get(name, {})}):
            theirs = {at: s.median for at, s in rivals[name].items() if at[0] == masks}
            line = Line(f"kernel over {called}, worst depth, {KERNEL_MASKS[masks]}", "not measured",
                        target=f">= {least}x", rival=f"{min(theirs.values()):.3f} - {max(theirs.values()):.3f} G/s")
            if gains := [ours[at].median / rate for at, rate in theirs.items() if at in ours]:
                line = dataclasses.replace(line, result=f"{min(gains):.1f}x", met=yes(min(gains) >= least),
                                           spread=f"{min(gains):.1f} - {max(gains):.1f}")
            yield line


def memory_lines(runs: Runs) -> Iterator[Line]:
    """What the runs took that were told to take 512 MiB."""
    limited = {(workload(r), r.case) for r in runs.rows if r.case in ("512MiB", "sliced-512MiB")}
    for where, case in sorted(limited, key=lambda w: (order(w[0]), w[1])):
        held = runs.of(where, case)
        spread = Spread.of(r.rss_kib / LIMIT for r in held)
        sliced = "sliced, " if case.startswith("sliced") else ""
        # The greatest peak counts, not the median: a limit is a limit.
        yield Line(f"peak with --memory 512MiB, {sliced}{described(where)}", f"{spread.high:.2f}x of it",
                   spread.range(2), "<= 1.10x", yes(spread.high <= 1.1), **costs(held))


def start_lines(runs: Runs, main: Workload) -> Iterator[Line]:
    """What the second core brings, and how long it takes to begin."""
    def gains(one: str, two: str) -> dict[tuple[str, int], float]:
        both = {(r.session, r.round): r.seconds for r in runs.of(main, two)}
        return {key: r.seconds / both[key] for r in runs.of(main, one) if (key := (r.session, r.round)) in both}

    ours, floor = gains("one-worker", "whole"), gains("decode-1", "decode")
    shared = ours.keys() & floor.keys()
    if shared:
        spread = Spread.of(ours[key] / floor[key] for key in shared)
        gained = statistics.median(ours[k] for k in shared), statistics.median(floor[k] for k in shared)
        yield Line("gain of the second core ({:.2f}) over decode's ({:.2f})".format(*gained), f"{spread.median:.2f}x",
                   spread.range(2), ">= 0.95x", yes(spread.median >= 0.95), **costs(runs.of(main, "one-worker")))
    for what, case, most in (("clearmosaic --help", "help", 0.020), ("clearmosaic plan", "plan", 0.5)):
        held = runs.of(main, case)
        if held:
            spread = Spread.of(1000 * r.seconds for r in held)
            yield Line(what, f"{spread.median:.1f} ms", spread.range(1), f"< {1000 * most:.0f} ms",
                       yes(spread.median < 1000 * most), **costs(held))


def rival_lines(runs: Runs) -> Iterator[Line]:
    """The floor and the rivals themselves."""
    for where in sorted({workload(r) for r in runs.rows if r.case == "decode"}, key=order):
        floor = runs.of(where, "decode")
        yield Line(f"decode, {described(where)}", "1.00x", **costs(floor))
        for case, name in RIVALS.items():
            if held := runs.of(where, case):
                yield compared(f"{name}, {described(where)}", held, runs.ratios(where, case, "decode", seconds_of),
                               "decode")


def series(rows: Sequence[Row], along: str) -> list[Row]:
    """Of the growth's runs, those that differ in one respect only: the longest such series."""
    axes = {"dates", "size", "bands"} - {along}
    groups = defaultdict(list)
    for r in rows:
        groups[tuple(getattr(r, a) for a in sorted(axes))].append(r)
    return max(groups.values(), key=lambda g: len({getattr(r, along) for r in g}), default=[])


def growth_lines(runs: Runs) -> Iterator[Line]:
    """Time and memory as the work grows, with the line that fits them."""
    rows = [r for r in runs.rows if r.case == "growth"]
    for along, unit in (("dates", "date"), ("size", "Mpx"), ("bands", "band")):
        held = series(rows, along)
        points = sorted({getattr(r, along) for r in held})
        if len(points) < 2:
            continue
        xs = [r.size ** 2 / 1e6 if along == "size" else float(getattr(r, along)) for r in held]
        each = [costs([r for r in held if getattr(r, along) == p]) for p in points]
        fixed = f"{', '.join(map(str, points))} {'px' if along == 'size' else along}"

        def fitted(what: str, ys: list[float], of: str, digits: int, *columns: str) -> Line:
            line = fit(xs, ys)
            return Line(f"growth of {what}: {fixed}", f"{line.slope:.{digits}f} {of} per {unit}",
                        f"{line.intercept:+.{digits - 1}f} {of}, r2 {line.r2:.3f}", runs=str(len(held)),
                        **{column: " / ".join(c[column] for c in each) for column in columns})

        yield fitted("time", [r.seconds for r in held], "s", 3, "seconds", "cpu")
        yield fitted("peak memory", [r.rss_kib / MIB for r in held], "MiB", 1, "peak")


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table: the targets in their order, then the floor and the rivals, then growth."""
    runs = Runs(rows)
    main = runs.main()
    told = list(whole_lines(runs))
    told += reuse_lines(runs, main) if main else []
    told += kernel_lines(kernel_rates(runs.rows))
    told += memory_lines(runs)
    told += start_lines(runs, main) if main else []
    return told + list(rival_lines(runs)) + list(growth_lines(runs))


def rendered(told: Sequence[Line]) -> str:
    """A Markdown table whose columns line up, so that it reads well as plain text too."""
    cells = [dataclasses.astuple(line) for line in (HEADINGS, *told)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]))]
    # All but the words stand to the right.
    rule = [f":{'-' * (widths[0] - 1)}"] + [f"{'-' * (w - 1)}:" for w in widths[1:]]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join([row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]) + " |"

    return "\n".join([line(cells[0]), "|" + "|".join(f" {r} " for r in rule) + "|", *map(line, cells[1:])])


def document(rows: Sequence[Row]) -> str:
    """The table, under what it was measured on and with."""
    def all_of(values: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(values))

    sizes = sorted({r.size for r in rows if r.case == "whole"})
    head = [f"- machine: {all_of(r.machine for r in rows)}",
            f"- load average at the start: {all_of(r.load for r in rows)}",
            f"- commit: {all_of(r.commit for r in rows)}",
            f"- versions: {all_of(r.versions for r in rows)}"]
    head += [f"- side by side at {', '.join(map(str, sizes))} px a side"] if sizes else []
    if any(size != TARGET_SIZE for size in sizes):
        head.append(f"- NOT the targets' size: they are for {TARGET_SIZE} px")
    if failed := [f"{r.case} ({described(workload(r))}, round {r.round})" for r in rows if r.exit != 0]:
        head.append(f"- FAILED, and left out: {all_of(failed)}")
    return "\n".join(head) + "\n\n" + rendered(lines(rows)) + "\n"
