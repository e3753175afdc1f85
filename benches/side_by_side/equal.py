"""Is a published mosaic what it should be, band by band, every pixel? Runs in the rivals' environment.

    equal.py MOSAIC EXPECTED

MOSAIC is a published directory. EXPECTED is another one, whose rasters (the count too) must be the same, or a rival's
GeoTIFF of B02, B03, B04, B08: a mosaic may reach beyond it, as output windows are snapped outwards, and must hold
nothing there. One line per difference and exit code 1; none and 0 where there is no difference.
"""
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

BANDS = ["B02", "B03", "B04", "B08"]
ROWS = 1024


def rasters(path: Path) -> dict[str, tuple[Path, int]]:
    """File and band number of everything to compare."""
    if path.is_file():
        return {f"{b}.tif": (path, n) for n, b in enumerate(BANDS, 1)}
    found = sorted((path / "tiles").glob("*/*.tif"))
    if len({f.parent for f in found}) != 1:
        sys.exit(f"{path}: expected the rasters of one tile, found {len(found)} of several or none")
    return {f.name: (f, 1) for f in found}


def difference(found: tuple[Path, int], expected: tuple[Path, int]) -> str:
    """What is wrong with a raster; nothing where it is right."""
    with rasterio.open(found[0]) as ours, rasterio.open(expected[0]) as theirs:
        if ours.crs != theirs.crs or ours.transform[0:2] != theirs.transform[0:2]:
            return f"grid {ours.crs} {tuple(ours.transform)[:6]}, expected {theirs.crs} {tuple(theirs.transform)[:6]}"
        left, top = (round(v) for v in ~ours.transform * (theirs.transform.c, theirs.transform.f))
        if left < 0 or top < 0 or left + theirs.width > ours.width or top + theirs.height > ours.height:
            return f"{ours.width} x {ours.height} px do not hold the expected {theirs.width} x {theirs.height}"
        wrong, first = 0, ""
        for y in range(0, ours.height, ROWS):
            rows = min(ROWS, ours.height - y)
            pixels = ours.read(found[1], window=Window(0, y, ours.width, rows))
            right = np.zeros_like(pixels)
            begin, end = max(y, top), min(y + rows, top + theirs.height)
            if begin < end:
                right[begin - y:end - y, left:left + theirs.width] = theirs.read(
                    expected[1], window=Window(0, begin - top, theirs.width, end - begin))
            bad = np.argwhere(pixels != right)
            if len(bad) and not first:
                r, c = bad[0]
                first = f"first at column {c}, row {y + r}: {pixels[r, c]}, expected {right[r, c]}"
            wrong += len(bad)
        return f"{wrong} of {ours.width * ours.height} pixels differ, {first}" if wrong else ""


def main(mosaic: str, expected: str) -> int:
    """Prints the differences; the exit code."""
    ours, theirs = rasters(Path(mosaic)), rasters(Path(expected))
    faults = [f"{name}: missing" for name in sorted(theirs.keys() - ours.keys())]
    if Path(expected).is_dir():
        faults += [f"{name}: not expected" for name in sorted(ours.keys() - theirs.keys())]
    for name in sorted(theirs.keys() & ours.keys()):
        fault = difference(ours[name], theirs[name])
        faults += [f"{name}: {fault}"] if fault else []
    if faults:
        print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
