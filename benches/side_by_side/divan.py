"""Reads what `cargo bench` prints of the kernel: divan's tree of benches, with a rate of items under each time."""
import re

BENCH = re.compile(r"^(?P<indent>[│ ]*)[├╰]─ (?P<name>\S+)")
RATE = re.compile(r"([\d.]+) ([KMGTP]?)item/s")
UNIT = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
MASKS = {"middle_in_clouds": "clouds", "middle_at_random": "random"}  # our kernel's benches; depths are their arguments
MEDIAN = 2  # of the columns fastest, slowest, median, mean


def rates(printed: str) -> dict[tuple[str, ...], float]:
    """Items per second (the median of the samples) by the path of names that leads to a bench."""
    path: list[str] = []
    found = {}
    for line in printed.splitlines():
        if bench := BENCH.match(line):
            # The root stands at the left edge, and each level below takes three columns.
            path = path[:1 + len(bench["indent"]) // 3] + [bench["name"]]
        elif values := RATE.findall(line):
            number, unit = values[MEDIAN]
            found[tuple(path)] = float(number) * UNIT[unit]
        elif re.match(r"\w+ +fastest ", line):
            path = [line.split()[0]]
    return found


def kernel(printed: str) -> dict[tuple[int, str], float]:
    """Observations per second of our kernel, by depth and kind of mask."""
    found = {(int(path[-1]), MASKS[path[-2]]): rate for path, rate in rates(printed).items()
             if len(path) > 1 and path[-2] in MASKS}
    if not found:
        raise ValueError(f"no rate of {' or '.join(MASKS)}")
    return found
