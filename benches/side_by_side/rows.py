"""The raw rows: what was measured, one row a run, in a CSV that outlives a bench that is cut off."""
import csv
import dataclasses
from pathlib import Path
from typing import Any, Optional


@dataclasses.dataclass(frozen=True)
class Row:
    """One run of one case; the fields are the CSV's columns, in order."""

    time: str  # when it ended, UTC
    session: str  # when its bench began: rounds are numbered within a session
    machine: str
    load: str  # load average over a minute when the session began
    commit: str
    versions: str
    case: str
    size: int  # pixels a side
    dates: int  # observations; a kernel's depth
    block: int
    cloudy: float
    bands: int
    round: int
    seconds: Optional[float]
    cpu: Optional[float]  # user and system seconds, of waited-for descendants too
    rss_kib: Optional[int]  # the peak of the largest process
    exit: int
    bytes_read: Optional[int]  # as the mosaic's report tells
    rate: Optional[float]  # observations per second; kernels only


def _parse(kind: object, text: str) -> Any:
    """A cell as its column's type; an empty one was not measured."""
    if kind in (Optional[int], Optional[float]) and text == "":
        return None
    if kind in (int, Optional[int]):
        return int(text)
    return text if kind is str else float(text)


def read(path: Path) -> list[Row]:
    """Every row of a CSV."""
    with open(path, newline="", encoding="utf-8") as file:
        return [Row(**{f.name: _parse(f.type, cells[f.name]) for f in dataclasses.fields(Row)})
                for cells in csv.DictReader(file)]


def append(path: Path, row: Row) -> None:
    """Adds a row, and closes the file: what has been measured is on disk before the next run begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists() or path.stat().st_size == 0
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(Row)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(dataclasses.asdict(row))
