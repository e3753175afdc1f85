"""The rivals' kernels alone, on one thread: the masked median of a stack. Runs in the rivals' environment.

    kernel.py DEPTH... [--repeats N]        (the environment names s2mosaic's source by S2MOSAIC2)

One JSON line per kernel, depth, kind of mask and repeat: {"kernel", "depth", "masks", "round", "seconds", "rate"}; rate
is observations (of one band at one pixel, clear or not) per second. The stack is made as that of our own benchmark:
four bands of uint16 under one mask, about half of it clear, in clouds and clearings or by the toss of a coin. What
numpy wants the stack turned into (float32, NaN where it is not clear) is made before the clock runs: masking is in
s2mosaic's time, as it is in ours, and numpy is spared it.
"""
import argparse
import importlib
import itertools
import json
import os
import sys
import time
import types
import warnings
from typing import Any, Callable, Iterator

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy and numba read them

import numpy as np
from scipy.ndimage import zoom

ROWS, COLUMNS = 256, 512
BANDS = [(600, 150), (900, 220), (1000, 350), (2800, 700)]  # mean and spread of B02, B03, B04, B08
SCENE = 512  # cells a side that a scene's clouds are drawn on
CELL = 8  # pixels a side of such a cell
SEED = 42


def s2mosaic() -> Callable[..., Any]:
    """s2mosaic's kernel, without what the package imports on top of it."""
    package = types.ModuleType("s2mosaic")
    package.__path__ = [os.environ["S2MOSAIC2"]]
    sys.modules["s2mosaic"] = package
    return importlib.import_module("s2mosaic.aggregation")._quantile_axis0_u16


def clouds(rng: np.random.Generator) -> np.ndarray:
    """Where one date is clear: smooth clouds over a scene, of which this is a window; every fifth date is cloudy."""
    scene = sum(weight * zoom(rng.standard_normal((cells, cells)), SCENE / cells, order=1)
                for cells, weight in ((4, 0.9), (32, 0.4), (128, 0.2)))
    share = 0.04 if rng.random() < 0.2 else rng.random() ** 0.61
    top, left = rng.integers(SCENE - ROWS // CELL), rng.integers(SCENE - COLUMNS // CELL)
    window = scene[top:top + ROWS // CELL, left:left + COLUMNS // CELL] <= np.quantile(scene, share)
    return window.repeat(CELL, axis=0).repeat(CELL, axis=1)


def stack(depth: int, masks: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (depth, band, row, column), and which of them are clear (depth, row, column)."""
    rng = np.random.default_rng([SEED, depth])
    values = np.empty((depth, len(BANDS), ROWS, COLUMNS), np.uint16)
    for date in range(depth):
        for band, (mean, spread) in enumerate(BANDS):
            values[date, band] = np.clip(rng.normal(mean, spread, (ROWS, COLUMNS)), 1, 16000)
    if masks == "random":
        return values, rng.random((depth, ROWS, COLUMNS)) < 0.5
    return values, np.stack([clouds(rng) for _ in range(depth)])


def kernels(depth: int, masks: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each kernel, ready to be timed; compiled, where it has to be."""
    values, clear = stack(depth, masks)
    median = s2mosaic()
    median(values[:, :, :1].copy(), clear[:, :1].copy(), 0.5)  # in one piece, as what is timed: else it compiles again
    yield "s2mosaic", lambda: median(values, clear, 0.5)
    floats = np.where(clear[:, None], values, np.float32(np.nan)).astype(np.float32, copy=False)
    yield "numpy", lambda: np.nanmedian(floats, axis=0)


def main() -> None:
    """Times every kernel at every depth, one after the other in each round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("depths", metavar="DEPTH", type=int, nargs="+")
    parser.add_argument("--repeats", metavar="N", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # numpy warns of pixels that are nowhere clear
    for depth, masks in itertools.product(given.depths, ("clouds", "random")):
        ready = list(kernels(depth, masks))
        for number in range(1, given.repeats + 1):
            for name, compute in ready:
                begun = time.perf_counter()
                compute()
                seconds = time.perf_counter() - begun
                print(json.dumps({"kernel": name, "depth": depth, "masks": masks, "round": number, "seconds": seconds,
                                  "rate": depth * len(BANDS) * ROWS * COLUMNS / seconds}), flush=True)


if __name__ == "__main__":
    main()
