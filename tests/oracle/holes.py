#!/usr/bin/python3
"""Are two mosaics the same but for holes, where every raster of the first is 0?

    holes.py WITH_HOLES WHOLE

A line for each tile with a hole. Exit code 1 where anything else differs, or where a hole is in
one raster of a tile and not in another.
"""
import os
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()


def read(mosaic, tile):
    folder = os.path.join(mosaic, "tiles", tile)
    return {name: gdal.Open(os.path.join(folder, name)).ReadAsArray() for name in sorted(os.listdir(folder))}


def main(holed, whole):
    tiles = sorted(os.listdir(os.path.join(whole, "tiles")))
    if sorted(os.listdir(os.path.join(holed, "tiles"))) != tiles:
        sys.exit("not the same tiles")
    for tile in tiles:
        ours, theirs = read(holed, tile), read(whole, tile)
        hole = (ours["count.tif"] == 0) & (theirs["count.tif"] != 0)
        for name in theirs:
            if not np.array_equal(np.where(hole, 0, theirs[name]), ours[name]):
                sys.exit(f"{tile}/{name}: differs beyond the hole")
        if hole.any():
            print(f"{tile}: a hole of {hole.sum()} pixels")


if __name__ == "__main__":
    main(*sys.argv[1:])
