#!/usr/bin/python3
"""Small archives of made-up scenes and scores, for tests that need no real data.

    synthetic.py WORLD DIR                       writes DIR/items.json, scenes/, scores/ and request.json
    synthetic.py reblock FROM DIR 240x112        the same archive with blocks of that size; `strips`: none
    synthetic.py alter RASTER HOW                spoils a raster: without-crs, elsewhere, float, two-bands

Every world is a function below that shows one thing; all of them are random, and the same in each
run. A scene's rasters cover a window of its tile; hrefs are relative. Items are like the Planetary
Computer's: nothing declared, so that the baseline decides on the offset.
"""
import datetime as dt
import json
import os
import shutil
import sys
import zlib

import numpy as np
from osgeo import gdal

from places import Points, Tile, edge, reference, transform

BLOCKS = {"TILED": "YES", "BLOCKXSIZE": "256", "BLOCKYSIZE": "256"}
RESOLUTION = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B05": 20, "B11": 20, "B01": 60, "B09": 60}


def around(tile, lon, lat, side):
    """A window of the tile, (left, top, width, height) in metres from its corner, about a place."""
    x, y = Points(4326, np.array([float(lon)]), np.array([float(lat)])).plane(tile)
    left, top = (round((v - side / 2) / 60) * 60 for v in (x[0] - tile.ulx, tile.uly - y[0]))
    return left, top, side, side


def save(path, array, epsg, left, top, resolution, nodata=None, scale=None, offset=None, mask=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    kind = {"uint16": gdal.GDT_UInt16, "uint8": gdal.GDT_Byte, "float32": gdal.GDT_Float32}[array.dtype.name]
    height, width = array.shape
    options = [f"{k}={v}" for k, v in BLOCKS.items()]
    dataset = gdal.GetDriverByName("GTiff").Create(path, width, height, 1, kind, options)
    dataset.SetSpatialRef(reference(epsg))
    dataset.SetGeoTransform((left, resolution, 0, top, 0, -resolution))
    band = dataset.GetRasterBand(1)
    if nodata is not None:
        band.SetNoDataValue(nodata)
    if scale is not None:
        band.SetScale(scale)
    if offset is not None:
        band.SetOffset(offset)
    band.WriteArray(array)
    if mask is not None:
        gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        band.GetMaskBand().WriteArray(mask)


class Archive:
    def __init__(self, folder, bands=("B04", "B08")):
        self.folder, self.bands, self.items = folder, bands, []

    def scene(self, tile, start, window, strip=None, made="20240101T000000", baseline="05.09", unit="A",
              score="float", epsg=None, score_epsg=None, resolution=None, low=1, clear=0.6, bands=None):
        """One scene, its score beside it; `score=None`: it has none. Times: 20230815T095031."""
        tile, strip = Tile(tile), strip or start
        index = f"{start}_{strip}_T{tile.id}"
        product = f"S2{unit}_MSIL2A_{start}_N{baseline.replace('.', '')}_R079_T{tile.id}_{made}"
        rng = np.random.default_rng(zlib.crc32(product.encode() + strip.encode()))
        name, assets = f"{product}_{strip[-6:]}", {}
        for band in bands or self.bands:
            metres = resolution or RESOLUTION[band]
            left, top, shape, plane = self.place(tile, window, metres, epsg)
            dn = rng.integers(low, 12000, shape).astype(np.uint16)
            dn[rng.random(shape) < 0.03] = 0  # no data here and there, in each band elsewhere
            dn[rng.random(shape) < 0.01] = 65535
            href = f"scenes/{name}/{band}.tif"
            save(os.path.join(self.folder, href), dn, plane, left, top, metres)
            assets[band] = {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"],
                            "proj:transform": [metres, 0, left, 0, -metres, top], "proj:shape": list(shape)}
        if score:
            metres = resolution or 10
            left, top, shape, plane = self.place(tile, window, metres, score_epsg or epsg)
            self.score(score, index, rng, shape, clear, (plane, left, top, metres))
        day = dt.datetime.strptime(start, "%Y%m%dT%H%M%S")
        self.items.append({
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a", "geometry": None,
            "links": [], "assets": assets, "properties": {
                "datetime": f"{day + dt.timedelta(minutes=7):%Y-%m-%dT%H:%M:%SZ}", "platform": f"Sentinel-2{unit}",
                "eo:cloud_cover": round(float(rng.random()) * 100, 3), "proj:epsg": epsg or tile.epsg,
                "s2:mgrs_tile": tile.id, "s2:processing_baseline": baseline, "s2:product_uri": product + ".SAFE",
                "s2:datatake_id": f"GS2{unit}_{start}_000001_N{baseline}",
                "s2:datastrip_id": f"S2{unit}_OPER_MSI_L2A_DS_2APS_{made}_S{strip}_N{baseline}"}})

    @staticmethod
    def place(tile, window, metres, epsg):
        """Left, top, shape and CRS of a raster that covers a window of the tile."""
        left, top, width, height = window
        left, top = tile.ulx + left, tile.uly - top + tile.false_northing
        if epsg in (None, tile.epsg):
            return left, top, (height // metres, width // metres), tile.epsg
        if epsg == 4326:
            metres /= 111320
        x, y = transform(*edge(left, top - height, left + width, top), tile.epsg, epsg)
        left, top = np.floor(x.min() / metres) * metres, np.ceil(y.max() / metres) * metres
        return left, top, (int((top - y.min()) / metres) + 1, int((x.max() - left) / metres) + 1), epsg

    def score(self, kind, index, rng, shape, clear, at):
        """About `clear` of the pixels score 0.6 or more; some exactly 0.6, some not at all."""
        path = os.path.join(self.folder, "scores", index + ".tif")
        epsg, left, top, metres = at
        at = (epsg, left, top, metres / 111320 if epsg == 4326 else metres)
        value = np.clip(0.6 + rng.random(shape) - (1 - clear), 0, 1)
        value[rng.random(shape) < 0.1] = 0.6
        absent = rng.random(shape) < 0.05
        if kind == "float":
            value = np.where(absent, np.where(rng.random(shape) < 0.5, np.nan, 2), value).astype(np.float32)
            save(path, value, *at, nodata=2)
        elif kind == "scaled":
            value = np.where(absent, 65535, np.round(value * 10000)).astype(np.uint16)
            save(path, value, *at, nodata=65535, scale=0.0001)
        elif kind == "byte":
            value = np.where(absent, 250, np.round((value - 0.1) / 0.005)).clip(0, 255).astype(np.uint8)
            save(path, value, *at, nodata=250, scale=0.005, offset=0.1)
        elif kind == "masked":
            save(path, value.astype(np.float32), *at, mask=np.where(absent, 0, 255).astype(np.uint8))

    def request(self, aoi, period=("2023-01-01", "2024-01-01"), **more):
        request = {"version": 1, "name": "synthetic", "aoi": aoi, "period": dict(zip(("start", "end"), period)),
                   "bands": list(self.bands), "scenes": {"items": "items.json"},
                   "scores": {"template": "scores/{system_index}.tif"}, "grid": {"crs": "native", "resolution": 10},
                   "output": "out", **more}
        for name, document in (("request", request), ("items", {"type": "FeatureCollection", "features": self.items})):
            with open(os.path.join(self.folder, name + ".json"), "w") as file:
                json.dump(document, file, indent=1)


def box(lon, lat, side=0.02):
    return {"bbox": [lon - side / 2, lat - side / 2, lon + side / 2, lat + side / 2]}


def dates(count, first="20230103", step=19, time="095031"):
    start = dt.datetime.strptime(first + time, "%Y%m%d%H%M%S")
    return [f"{start + dt.timedelta(days=step * n):%Y%m%dT%H%M%S}" for n in range(count)]


# ------------------------------------------------------------------ worlds

HERE = (15.6, 45.6)  # in 33TWL alone


def few(folder):
    """Three dates, 100 x 100 pixels: for tests of anything but pixels."""
    archive = Archive(folder)
    for start in dates(3):
        archive.scene("33TWL", start, (54000, 54000, 6000, 6000), resolution=60)
    archive.request({"bbox": [15.69, 45.51, 15.76, 45.56]}, grid={"crs": "native", "resolution": 60})


def year(folder):
    """Two tiles that overlap, 14 dates over nine months, four sub-tiles."""
    archive = Archive(folder)
    for n, start in enumerate(dates(14)):
        left, side = 49440, 24000
        archive.scene("33TWL", start, (left, 0, side, side), resolution=60, score=("float", "scaled")[n % 2])
        archive.scene("33TWM", start, (left, 85800, side, side), resolution=60, score=("byte", "masked")[n % 2])
    archive.request({"bbox": [15.6, 45.8, 16.0, 46.2]}, grid={"crs": "native", "resolution": 60})


def again(folder):
    """A year, a scene a month and tile. One tile begins in April and takes what its neighbour had owned; another lies
    apart. Of some scenes there is a newer product, with the scores of the first."""
    archive, side = Archive(folder), 6000
    places = {"33TWL": (49440, 0, side, side), "33TWM": (49440, 94020, side, 12000), "33TWN": (49440, 48000, side, side)}
    for n, start in enumerate(dates(12, first="20230110", step=30)):
        for tile, window in places.items():
            if tile != "33TWL" or n > 2:
                archive.scene(tile, start, window, resolution=60, score=("float", "scaled", "byte", "masked")[n % 4])
            if (tile, n) in (("33TWM", 6), ("33TWN", 1)):
                archive.scene(tile, start, window, resolution=60, score=None, baseline="05.11", made="20240601T000000")
    boxes = [[15.637, 46.0, 15.72, 46.105], [15.637, 47.35, 15.72, 47.41]]
    rings = [[[[w, s], [e, s], [e, n], [w, n], [w, s]]] for w, s, e, n in boxes]
    with open(os.path.join(folder, "aoi.geojson"), "w") as file:
        json.dump({"type": "MultiPolygon", "coordinates": rings}, file)
    archive.request("aoi.geojson", grid={"crs": "native", "resolution": 60}, slice="P1M")


def eroded(folder):
    """What is near nodata is left out, across the borders of sub-tiles too."""
    archive = Archive(folder)
    for start in dates(7):
        archive.scene("33TWL", start, (49440, 49440, 24000, 24000), resolution=60, clear=0.9)
    archive.request({"bbox": [15.6, 45.3, 16.0, 45.7]}, grid={"crs": "native", "resolution": 60}, edge_erosion=1)


def many(folder, height=6000, south=45.65):
    """Two tiles, 20 dates, each a slice of its own: twelve sub-tiles, hundreds of small tasks."""
    archive = Archive(folder)
    for start in dates(20, step=17):
        archive.scene("33TWL", start, (18000, 27720, 72000, height), resolution=60, score="byte")
        archive.scene("33TWM", start, (18000, 89160, 72000, height), resolution=60, score="byte")
    archive.request({"bbox": [15.25, south, 16.1, 46.2]}, grid={"crs": "native", "resolution": 30}, slice="P1D")


def large(folder):
    """The same with three times the pixels: more of them, and of tasks, than the real tiles have."""
    many(folder, height=18000, south=45.55)


def deep(folder):
    """One whole sub-tile of 1024 x 1024 pixels, 24 dates: more than a small memory budget holds."""
    archive = Archive(folder)
    for start in dates(24, step=11):
        archive.scene("33TWL", start, (0, 0, 61440, 61440), resolution=60, score="byte")
    archive.request({"bbox": [15.05, 45.6, 15.7, 46.0]}, grid={"crs": "native", "resolution": 60})


def versions(folder):
    """Reprocessed versions of one scene: one stays, by baseline, then by when it was made."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for start in dates(4):
        archive.scene("33TWL", start, window, baseline="05.00", made="20230901T000000")
        archive.scene("33TWL", start, window, baseline="05.10", made="20230801T000000")
        archive.scene("33TWL", start, window, baseline="02.14", made="20250801T000000")
    for made in ("20230901T000000", "20230902T000000", "20230831T000000"):
        archive.scene("33TWL", "20231101T095031", window, made=made)
    archive.request(box(*HERE))


def chunks(folder):
    """Datastrip chunks of one datatake that overlap: one observation, the first clear one in order of key."""
    archive = Archive(folder)
    left, top, width, height = around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(5)):
        later = start[:9] + f"{int(start[9:]) + 500:06}"
        archive.scene("33TWL", start, (left, top, width, 1800), strip=later, score=("float", "scaled")[n % 2])
        archive.scene("33TWL", start, (left, top + 1200, width, 1800), strip=start)
    archive.request(box(*HERE))


def offsets(folder):
    """Baselines on both sides of 04.00, dark pixels that the offset would take below 1."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for start, baseline in zip(dates(6), ("02.14", "03.01", "04.00", "05.09", "05.11", "99.99")):
        archive.scene("33TWL", start, window, baseline=baseline)
    archive.request(box(*HERE))


def resolutions(folder):
    """Bands at 10, 20 and 60 m in one mosaic."""
    archive, window = Archive(folder, ("B04", "B11", "B01")), around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(6)):
        archive.scene("33TWL", start, window, unit="AB"[n % 2])
    archive.request(box(*HERE), grid={"crs": "native", "resolution": 20})


def scores(folder):
    """Every form that a score has: float with NaN and nodata, scaled integers, an internal mask."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(8)):
        archive.scene("33TWL", start, window, score=("float", "scaled", "byte", "masked")[n % 4])
    archive.request(box(*HERE), grid={"crs": "EPSG:3035", "resolution": 10, "tile_pixels": 256})


def warped(folder):
    """Bands in another UTM zone, scores in degrees: every centre looked up."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(5)):
        epsg, score_epsg = ((32634, None), (None, 4326), (32632, 3035), (None, None))[n % 4]
        archive.scene("33TWL", start, window, epsg=epsg, score_epsg=score_epsg)
    archive.request(box(*HERE))


def south(folder):
    """A tile of the southern hemisphere."""
    archive, place = Archive(folder), (18.4, -33.9)
    for start in dates(4):
        archive.scene("34HBH", start, around(Tile("34HBH"), *place, 3000))
    archive.request(box(*place))


def equator(folder):
    """Tiles on both sides of the equator: two EPSG codes, one zone."""
    archive, place = Archive(folder), (30.75, 0.0)
    for tile in ("36NTF", "36MTE"):
        for start in dates(4):
            archive.scene(tile, start, around(Tile(tile), *place, 3000))
    archive.request(box(*place))


def zones(folder):
    """Two UTM zones in one equal-area mosaic, at the west edge of a tile that has no western neighbour."""
    archive, place = Archive(folder), (12.395, 46.5)
    for tile in ("32TQS", "33TUM"):
        for start in dates(4):
            archive.scene(tile, start, around(Tile(tile), *place, 6000))
    archive.request(box(*place, 0.04), grid={"crs": "EPSG:3035", "resolution": 20, "tile_pixels": 128})


def seasons(folder):
    """Two months of several years, three observations at least, exact halves; a scene without a score."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(30, first="20210103", step=37)):
        archive.scene("33TWL", start, window, score=None if n == 13 else "float")
    archive.request(box(*HERE), ("2021-02-01", "2024-01-01"), months=[4, 5, 6],
                    median={"dtype": "float32", "min_observations": 3})


def lacking(folder):
    """A scene that lacks a band that the others have contributes nothing."""
    archive, window = Archive(folder), around(Tile("33TWL"), *HERE, 3000)
    for n, start in enumerate(dates(4)):
        archive.scene("33TWL", start, window, bands=("B04",) if n == 2 else None)
    archive.request(box(*HERE))


def products(folder):
    """Every product, of no observation to a dozen and more."""
    archive = Archive(folder)
    for n, start in enumerate(dates(24, step=14)):
        archive.scene("33TWL", start, (54000, 54000, 6000, 6000), resolution=60, clear=(0.15, 0.8)[n % 2])
    archive.request({"bbox": [15.69, 45.51, 15.76, 45.56]}, grid={"crs": "native", "resolution": 60}, slice="P1M",
                    median={"dtype": "uint16", "min_observations": 3},
                    products=["median", "p10", "p25", "p75", "p90", "mad", "mean", "min", "max", "count"])


def mixed(folder):
    """Seven scenes: three linked, two superseded, one without a score, one without a band."""
    archive, window = Archive(folder), (30000, 54000, 48000, 6000)
    starts = dates(5)
    for start in starts[:3]:
        archive.scene("33TWL", start, window, resolution=60)
    for made in ("20230101T000000", "20230201T000000"):
        archive.scene("33TWL", starts[0], window, resolution=60, made=made)
    archive.scene("33TWL", starts[3], window, resolution=60, score=None)
    archive.scene("33TWL", starts[4], window, resolution=60, bands=("B04",))
    archive.request({"bbox": [15.3, 45.5, 16.1, 45.6]}, grid={"crs": "native", "resolution": 60})


WORLDS = (few, mixed, products, year, again, eroded, many, large, deep, versions, chunks, offsets, resolutions, scores, warped,
          south,           equator, zones, seasons, lacking)


def reblock(source, folder, size):
    """Copies an archive, its rasters with other blocks."""
    width, _, height = size.partition("x")
    options = (["TILED=NO", "BLOCKYSIZE=37"] if size == "strips" else
               ["TILED=YES", f"BLOCKXSIZE={width}", f"BLOCKYSIZE={height}"])
    for place, _, names in os.walk(source):
        target = os.path.join(folder, os.path.relpath(place, source))
        os.makedirs(target, exist_ok=True)
        for name in names:
            before, after = os.path.join(place, name), os.path.join(target, name)
            if name.endswith(".tif"):
                gdal.GetDriverByName("GTiff").CreateCopy(after, gdal.Open(before), options=options)
            elif name.endswith(".json"):
                shutil.copy(before, after)


def alter(path, how):
    """Makes a raster something else than it claims to be."""
    before = gdal.Open(path)
    kind = gdal.GDT_Float32 if how == "float" else before.GetRasterBand(1).DataType
    bands = 2 if how == "two-bands" else 1
    after = gdal.GetDriverByName("GTiff").Create(path + ".new", before.RasterXSize, before.RasterYSize, bands, kind)
    left, *rest = before.GetGeoTransform()
    after.SetGeoTransform((left + (200000 if how == "elsewhere" else 0), *rest))
    if how != "without-crs":
        after.SetSpatialRef(before.GetSpatialRef())
    for band in range(bands):
        after.GetRasterBand(band + 1).WriteArray(before.ReadAsArray())
    del before, after
    os.replace(path + ".new", path)


if __name__ == "__main__":
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
    if len(sys.argv) == 5 and sys.argv[1] == "reblock":
        reblock(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "alter":
        alter(*sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] in [world.__name__ for world in WORLDS]:
        os.makedirs(sys.argv[2], exist_ok=True)
        globals()[sys.argv[1]](sys.argv[2])
    else:
        sys.exit(__doc__)
