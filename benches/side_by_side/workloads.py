"""The workloads: generated once, recognised by their parameters, and variants of them that hold links only."""
import calendar
import copy
import dataclasses
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

DONE = "done"  # the file that says that a workload is complete
CHUNK = 4 << 20  # bytes read at a time when files are warmed
BANDS = ["B02", "B03", "B04", "B08"]  # what the generator makes, in the rivals' order
# Six more, each a link to the pixels of one that is there.
MORE_BANDS = {"B05": ("rededge1", "blue"), "B06": ("rededge2", "green"), "B07": ("rededge3", "red"),
              "B8A": ("nir08", "nir"), "B11": ("swir16", "blue"), "B12": ("swir22", "green")}

COMPACT_DATE = re.compile(r"(?<!\d)\d{8}(?=[T_])")
ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?=T)")


@dataclasses.dataclass(frozen=True, order=True)
class Workload:
    """The generator's parameters."""

    size: int
    dates: int
    block: int = 1024
    cloudy: float = 0.0

    @property
    def name(self) -> str:
        """The directory that it lies in."""
        return f"{self.size}px-{self.dates}dates-{self.block}block-{self.cloudy:g}cloudy"


def month_later(first: dt.date) -> dt.date:
    """The first day of the next month."""
    return (first.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def in_month(day: dt.date, month: dt.date) -> dt.date:
    """The same day of another month, or that month's last."""
    return month.replace(day=min(day.day, calendar.monthrange(month.year, month.month)[1]))


def redated_text(text: str, month: dt.date) -> str:
    """Every date in an id or a time, moved to another month; other digits are left alone."""
    def compact(match: re.Match) -> str:
        return f"{in_month(dt.datetime.strptime(match[0], '%Y%m%d').date(), month):%Y%m%d}"

    def iso(match: re.Match) -> str:
        return in_month(dt.date.fromisoformat(match[0]), month).isoformat()

    return ISO_DATE.sub(iso, COMPACT_DATE.sub(compact, text))


def redated(item: dict[str, Any], month: dt.date) -> dict[str, Any]:
    """A scene as it would be had it been taken in another month; its files are the same."""
    moved = copy.deepcopy(item)
    moved["id"] = redated_text(item["id"], month)
    moved["properties"] = {key: redated_text(value, month) if isinstance(value, str) else value
                           for key, value in item["properties"].items()}
    return moved


def system_index(item: dict[str, Any]) -> str:
    """What a scene's score is named by: datatake start, datastrip's sensing time, tile."""
    properties = item["properties"]
    strip = re.search(r"_S(\d{8}T\d{6})_", properties["s2:datastrip_id"])[1]
    return f'{properties["s2:datatake_id"].split("_")[1]}_{strip}_T{properties["grid:code"][5:]}'


def thirteenth(items: list[dict[str, Any]], start: dt.date, end: dt.date) -> list[tuple[dict, dict]]:
    """The month that begins where a period of whole months ends: its first month's scenes, moved and as they were."""
    first = [i for i in items if i["properties"]["datetime"][:7] == f"{start:%Y-%m}"]
    return [(redated(i, end), i) for i in first]


def period(request: str) -> tuple[dt.date, dt.date]:
    """The period of a workload's request."""
    start, end = re.search(r"^period: \{start: (\S+), end: (\S+)\}$", request, re.M).groups()
    return dt.date.fromisoformat(start), dt.date.fromisoformat(end)


def request_for(request: str, workload: Path, output: Path, *, end: Optional[dt.date] = None,
                every: Optional[str] = None, bands: Optional[list[str]] = None) -> str:
    """A workload's own request, with its paths made absolute and another output; other lines as asked for."""
    lines = {
        "scenes": f"{{items: {json.dumps(str(workload / 'items.json'))}}}",
        "output": json.dumps(str(output)),
    }
    template = re.search(r'template: "([^"]+)"', request)[1]
    request = request.replace(json.dumps(template), json.dumps(str(workload / template)))
    if end:
        lines["period"] = f"{{start: {period(request)[0]}, end: {end}}}"
    if every:
        lines["slice"] = every
    if bands:
        lines["bands"] = f"[{', '.join(bands)}]"
    kept = [line for line in request.splitlines() if line.split(":")[0] not in lines]
    return "\n".join(kept + [f"{key}: {value}" for key, value in lines.items()]) + "\n"


def link(path: Path, target: Path) -> None:
    """A relative link, so that the workloads' directory can be moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def variant(base: Path, name: str) -> Path:
    """An empty directory for a variant of a workload; it holds links only and is made anew each time."""
    directory = base.with_name(f"{base.name}-{name}")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    shutil.copy(base / "request.yaml", directory)
    return directory


def with_thirteenth(base: Path) -> Path:
    """The workload, and a thirteenth month of links to its files: 12 and 13 slices of the same scenes."""
    directory = variant(base, "thirteenth")
    items = json.loads((base / "items.json").read_text())["features"]
    added = thirteenth(items, *period((base / "request.yaml").read_text()))
    link(directory / "scenes", base / "scenes")
    scores = {system_index(i): system_index(i) for i in items}
    scores |= {system_index(new): system_index(old) for new, old in added}
    for new, old in scores.items():
        link(directory / "scores" / f"{new}.tif", base / "scores" / f"{old}.tif")
    write_items(directory, items + [new for new, _ in added])
    return directory


def with_ten_bands(base: Path) -> Path:
    """The workload with ten bands: six are links to the files of the four, under keys and names of their own."""
    directory = variant(base, "tenbands")
    items = json.loads((base / "items.json").read_text())["features"]
    link(directory / "scores", base / "scores")
    for item in items:
        assets = item["assets"]
        for band, (key, source) in MORE_BANDS.items():
            assets[key] = copy.deepcopy(assets[source])
            assets[key]["eo:bands"] = [{"name": band, "common_name": key}]
            assets[key]["href"] = f"scenes/{item['id']}/{band}.tif"
            link(directory / assets[key]["href"], base / assets[source]["href"])
        for source in ("blue", "green", "red", "nir"):
            link(directory / assets[source]["href"], base / assets[source]["href"])
    write_items(directory, items)
    return directory


def write_items(directory: Path, items: list[dict[str, Any]]) -> None:
    """The catalogue of a variant."""
    (directory / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))


def generate(workload: Workload, directory: Path, python: str, generator: Path) -> Path:
    """Makes a workload that is not there yet; one that was cut off is made anew."""
    path = directory / workload.name
    if (path / DONE).exists():
        return path
    print(f"making {path}", file=sys.stderr)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    command = [python, str(generator), str(path), str(workload.size), str(workload.dates), str(workload.block),
               "--cloudy", f"{workload.cloudy:g}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    (path / DONE).touch()
    return path


def warm(path: Path) -> int:
    """Reads every file of a workload once, so that all who are measured find it in memory; its bytes."""
    total = 0
    for file in sorted(path.rglob("*.tif")):
        with open(file, "rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK):
                total += len(chunk)
    return total
