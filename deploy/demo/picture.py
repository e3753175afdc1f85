#!/usr/bin/python3
"""The demo in one picture: the cloudiest scene, a naive median of everything, our mosaic.

    picture.py DEMO_DIR MOSAIC_DIR OUT.png

DEMO_DIR is prepare.py's, MOSAIC_DIR the published mosaic (tiles/<id>/<BAND>.tif and count.tif).
B04 B03 B02, DN 0..2500, all on the mosaic's grid by nearest. Needs python3-gdal and python3-numpy.
"""
import glob
import json
import os
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()

BRIGHTEST = 2500
PANEL = 440  # a panel is at least this wide
MARGIN, GAP = 28, 20
PAPER, INK, SOFT = (22, 26, 31), (240, 242, 244), (158, 166, 174)

# The classic 5 x 7 bitmap font, from " " to "~": five columns a character, lowest bit on top.
FONT = bytes.fromhex(
    "0000000000" "00005f0000" "0007000700" "147f147f14" "242a7f2a12" "2313086462" "3649562050" "0008070300"
    "001c224100" "0041221c00" "2a1c7f1c2a" "08083e0808" "0080703000" "0808080808" "0000606000" "2010080402"
    "3e5149453e" "00427f4000" "7249494946" "2141494d33" "1814127f10" "2745454539" "3c4a494931" "4121110907"
    "3649494936" "464949291e" "0000140000" "0040340000" "0008142241" "1414141414" "0041221408" "0201590906"
    "3e415d594e" "7c1211127c" "7f49494936" "3e41414122" "7f4141413e" "7f49494941" "7f09090901" "3e41415173"
    "7f0808087f" "00417f4100" "2040413f01" "7f08142241" "7f40404040" "7f021c027f" "7f0408107f" "3e4141413e"
    "7f09090906" "3e4151215e" "7f09192946" "2649494932" "03017f0103" "3f4040403f" "1f2040201f" "3f4038403f"
    "6314081463" "0304780403" "6159494d43" "007f414141" "0204081020" "004141417f" "0402010204" "4040404040"
    "0003070800" "2054547840" "7f28444438" "3844444428" "384444287f" "3854545418" "00087e0902" "18a4a49c78"
    "7f08040478" "00447d4000" "2040403d00" "7f10284400" "00417f4000" "7c04780478" "7c08040478" "3844444438"
    "fc18242418" "18242418fc" "7c08040408" "4854545424" "04043f4424" "3c4040207c" "1c2040201c" "3c4030403c"
    "4428102844" "4c9090907c" "4464544c44" "0008364100" "0000770000" "0041360800" "0201020402")


def write_text(image, x, y, text, colour, size=2):
    """Draw a line of ASCII text; a character is 6 x 8 dots of `size` pixels."""
    for character in text:
        columns = FONT[5 * (ord(character) - 32):][:5]
        for c, column in enumerate(columns):
            for r in range(8):
                if column >> r & 1:
                    image[y + r * size:y + (r + 1) * size, x + c * size:x + (c + 1) * size] = colour
        x += 6 * size


class Grid:
    """The part of the mosaic's grid that its data fill."""

    def __init__(self, mosaic_dir):
        self.folder = mosaic_dir
        whole = self.open("count")
        filled = whole.ReadAsArray() > 0
        if not filled.any():
            sys.exit(f"{mosaic_dir}: the mosaic has no pixel")
        rows, columns = np.nonzero(filled)
        top, bottom, left, right = (int(v) for v in (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1))
        # An AOI stands a little askew on the grid: drop the rows and columns at the edge that are hardly filled.
        while not filled[top, left:right].mean() > 0.9:
            top += 1
        while not filled[bottom - 1, left:right].mean() > 0.9:
            bottom -= 1
        while not filled[top:bottom, left].mean() > 0.9:
            left += 1
        while not filled[top:bottom, right - 1].mean() > 0.9:
            right -= 1
        g = whole.GetGeoTransform()
        self.window = left, top, right - left, bottom - top
        left, top = g[0] + self.window[0] * g[1], g[3] + self.window[1] * g[5]
        self.bounds = left, top + self.window[3] * g[5], left + self.window[2] * g[1], top
        self.crs = whole.GetSpatialRef()

    def open(self, band):
        files = sorted(glob.glob(os.path.join(self.folder, "tiles", "*", band + ".tif")))
        if not files:
            sys.exit(f"{self.folder}: no tiles/*/{band}.tif")
        return gdal.BuildVRT("", files)

    def mosaic(self, band):
        return self.open(band).ReadAsArray(*self.window)

    def scene(self, path):
        """A scene's band on this grid, every centre transformed exactly."""
        warped = gdal.Warp("", path, format="MEM", dstSRS=self.crs, outputBounds=self.bounds, width=self.window[2],
                           height=self.window[3], resampleAlg="near", errorThreshold=0, dstNodata=0)
        return warped.ReadAsArray()


def main(demo_dir, mosaic_dir, out):
    grid = Grid(mosaic_dir)
    with open(os.path.join(demo_dir, "items.json")) as file:
        items = json.load(file)["features"]
    stack = np.array([[grid.scene(os.path.join(demo_dir, i["assets"][b]["href"])) for b in ("red", "green", "blue")]
                      for i in items])
    # Of the scenes with most cloud, the one that is not merely white in this stretch.
    worst = max(range(len(items)), key=lambda n: (
        items[n]["properties"]["eo:cloud_cover"], np.clip(stack[n], 0, BRIGHTEST).std()))
    naive = np.ma.median(np.ma.masked_equal(stack, 0), axis=0).filled(0)
    count = grid.mosaic("count")
    dates = sorted(i["properties"]["datetime"][:10] for i in items)
    properties = items[worst]["properties"]
    panels = [
        (stack[worst], "The cloudiest scene",
         f"{properties['datetime'][:10]}, {properties['eo:cloud_cover']:.0f} % cloud"),
        (naive, "A naive median", f"all {len(items)} dates, clouds and all"),
        (np.array([grid.mosaic(b) for b in ("B04", "B03", "B02")]), "Clearmosaic",
         f"clear pixels only: {count.min()} to {count.max()} dates each")]

    zoom = max(1, -(-PANEL // grid.window[2]))
    width, height = grid.window[2] * zoom, grid.window[3] * zoom
    top = MARGIN + 96
    image = np.full((top + height + 128, 2 * MARGIN + 3 * width + 2 * GAP, 3), PAPER, np.uint8)
    centre = [sum(v) / 2 for v in zip(items[0]["bbox"][:2], items[0]["bbox"][2:])]
    write_text(image, MARGIN, MARGIN - 4, f"Sentinel-2, Romania, {centre[0]:.2f} E {centre[1]:.2f} N, "
               f"{dates[0]} to {dates[-1]}", INK, 2)
    for n, (bands, title, detail) in enumerate(panels):
        left = MARGIN + n * (width + GAP)
        write_text(image, left, top - 54, title, INK, 3)
        write_text(image, left, top - 22, detail, SOFT, 2)
        shown = (np.clip(bands / BRIGHTEST, 0, 1) * 255).round().astype(np.uint8)
        shown = np.moveaxis(shown, 0, 2).repeat(zoom, 0).repeat(zoom, 1)
        image[top:top + height, left:left + width] = shown
    below = top + height + 20
    write_text(image, MARGIN, below, "scores: stand-in made from SCL, not Cloud Score+", INK)
    write_text(image, MARGIN, below + 28,
               "B04 B03 B02, DN 0..2500. Contains modified Copernicus Sentinel data 2015-2021.", SOFT)
    write_text(image, MARGIN, below + 52, "Scenes: PyPI nrt 0.2.1, European Union (JRC), EUPL-1.2.", SOFT)

    memory = gdal.GetDriverByName("MEM").Create("", image.shape[1], image.shape[0], 3, gdal.GDT_Byte)
    for b in range(3):
        memory.GetRasterBand(b + 1).WriteArray(image[:, :, b])
    gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")  # no .aux.xml beside the picture
    gdal.GetDriverByName("PNG").CreateCopy(out, memory)
    print(out)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
