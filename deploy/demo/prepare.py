#!/usr/bin/python3
"""Lay out the demo's scenes: real Sentinel-2 pixels out of the PyPI wheel nrt 0.2.1.

    prepare.py WHEEL_DIR OUT

WHEEL_DIR holds nrt-0.2.1-py3-none-any.whl (`pip download --no-deps --require-hashes
-r requirements.txt -d WHEEL_DIR`). Its cube: 140 dates 2015..2021, 100 x 100 px of 10 m near
22.15 E 45.20 N in Romania, B2 B3 B4 B8 and SCL, EPSG:3035.

OUT gets   scenes/<item id>/<BAND>.tif   the cube's pixels, untouched, on the cube's own grid
           scores/<system:index>.tif     a STAND-IN for Cloud Score+, made from SCL
           items.json, request.yaml, README.md

What is real: the pixels, the SCL, the dates. What is not: the cube tells no product, datatake
or datastrip and no time of day, so those ids are made up from the date, at 00:00:00 as the
cube has it. The platform and the relative orbit follow from the ten-day cycle.

Needs python3-gdal (with its netCDF driver) and python3-numpy.
"""
import datetime as dt
import json
import math
import os
import re
import sys
import tempfile
import zipfile

import numpy as np
from osgeo import gdal, osr

gdal.UseExceptions()
osr.UseExceptions()

WHEEL = "nrt-0.2.1-py3-none-any.whl"
CUBE = "nrt/data/sentinel2_cube_subset_romania_10m.nc"
EPSG = 3035
BANDS = {"blue": ("B02", "B2"), "green": ("B03", "B3"), "red": ("B04", "B4"), "nir": ("B08", "B8")}
ORBIT = 136  # the one whose swath holds 22.15 E 45.20 N on these dates of the ten-day cycle
STAND_IN = ("STAND-IN for Cloud Score+, made from the SCL band and the distance to cloud; "
            "not a Google product and not its values")
NOTE = ("Real pixels from the PyPI package nrt 0.2.1 (JRC). Synthetic: product, datatake and datastrip ids, made from "
        "the date; the time of day (the cube has 00:00:00); the baseline 00.00, standing for 'not told, before "
        "04.00', as dates and values show. Platform and relative orbit follow from the ten-day cycle. "
        "The scores are a stand-in made from SCL, not Cloud Score+.")
ATTRIBUTION = ("Package nrt 0.2.1: (C) European Union (Joint Research Centre), EUPL-1.2. "
               "Contains modified Copernicus Sentinel data 2015-2021.")
LEGAL = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"


def read_cube(wheel_dir):
    """Dates, geotransform and {band: array[date, row, column]}, north up."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(os.path.join(wheel_dir, WHEEL)) as wheel:
            path = wheel.extract(CUBE, folder)
        # The multidimensional API gives arrays as stored, rows from the north (y falls). The classic
        # netCDF driver finds no geotransform here, takes the file for bottom-up and flips it.
        root = gdal.OpenEx(path, gdal.OF_MULTIDIM_RASTER).GetRootGroup()
        cube = {n: root.OpenMDArray(n).ReadAsArray() for n in ("x", "y", "time", "B2", "B3", "B4", "B8", "SCL")}
        units = gdal.Open(f'NETCDF:"{path}":SCL').GetMetadataItem("time#units")
    epoch = dt.datetime.fromisoformat(re.fullmatch(r"days since (.+)", units)[1])
    dates = [epoch + dt.timedelta(days=int(d)) for d in cube["time"]]
    x, y = cube["x"], cube["y"]  # pixel centres
    if not (np.allclose(np.diff(x), 10) and np.allclose(np.diff(y), -10)):
        sys.exit(f"{CUBE}: not a north-up grid of 10 m")
    return dates, (float(x[0]) - 5, 10.0, 0.0, float(y[0]) + 5, 0.0, -10.0), cube


def transform(points, source, target):
    def reference(epsg):
        srs = osr.SpatialReference()
        srs.ImportFromEPSG(epsg)
        srs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        return srs
    operation = osr.CoordinateTransformation(reference(source), reference(target))
    return [p[:2] for p in operation.TransformPoints(points)]


def mgrs_tile(lon, lat):
    """The MGRS tile whose 100 km square holds a point (northern hemisphere, no exceptions needed)."""
    zone = math.floor((lon + 180) / 6) + 1
    east, north = transform([(lon, lat)], 4326, 32600 + zone)[0]
    column = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3][int(east // 100000) - 1]
    row = "ABCDEFGHJKLMNPQRSTUV"[(int(north // 100000) + (0 if zone % 2 else 5)) % 20]
    return f"{zone:02d}{'NPQRSTUVWX'[int(lat // 8)]}{column}{row}"


def stand_in(scl):
    """0 obscured .. 1 clear, from the classes of SCL, lowered within 8 px of cloud and shadow."""
    level = np.zeros(12)  # 0 nodata, 1 saturated
    level[[4, 5, 6, 11]] = 0.95  # vegetation, bare, water, snow
    level[7] = 0.75  # unclassified: often the edge of a cloud
    level[[2, 10]] = 0.30  # dark, cirrus
    level[[3, 8]] = 0.15  # shadow, cloud of medium probability
    level[9] = 0.05  # cloud
    score = level[scl]
    near = np.isin(scl, (3, 8, 9, 10))
    for distance in range(1, 8):
        padded = np.pad(near, 1)
        grown = np.zeros_like(near)
        for row in range(3):
            for column in range(3):
                grown |= padded[row:row + near.shape[0], column:column + near.shape[1]]
        score[grown & ~near] -= 0.5 * (1 - distance / 8)
        near = grown
    return np.round(np.clip(score, 0, 1) * 10000).astype(np.uint16)


def write(path, array, geotransform, description, scale, nodata=None, model=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tiff = gdal.GetDriverByName("GTiff").Create(
        path, array.shape[1], array.shape[0], 1, gdal.GDT_UInt16, ["COMPRESS=DEFLATE", "PREDICTOR=2"])
    srs = osr.SpatialReference()
    srs.ImportFromEPSG(EPSG)
    tiff.SetSpatialRef(srs)
    tiff.SetGeoTransform(geotransform)
    tiff.SetMetadataItem("TIFFTAG_IMAGEDESCRIPTION", description)
    if model is not None:
        tiff.SetMetadataItem("MODEL_VERSION", model)
    band = tiff.GetRasterBand(1)
    band.SetScale(scale)
    if nodata is not None:
        band.SetNoDataValue(nodata)
    band.WriteArray(array)


def item_of(date, tile, scl, geotransform, corners):
    """The STAC item of one date, and its system:index."""
    platform = "S2A" if (date - dt.datetime(2015, 8, 1)).days % 10 == 0 else "S2B"
    stamp = f"{date:%Y%m%dT%H%M%S}"
    lon, lat = zip(*corners)

    def share(*classes):
        return round(100 * float(np.isin(scl, classes).mean()), 4)

    assets = {}
    name = f"{platform}_{tile}_{date:%Y%m%d}_0_L2A"
    for key, (band, _) in BANDS.items():
        assets[key] = {
            "href": f"scenes/{name}/{band}.tif", "type": "image/tiff; application=geotiff",
            "roles": ["data", "reflectance"], "gsd": 10, "eo:bands": [{"name": band, "common_name": key}],
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "spatial_resolution": 10,
                              "scale": 0.0001, "offset": 0}],
            "proj:shape": list(scl.shape),
            "proj:transform": [geotransform[i] for i in (1, 2, 0, 4, 5, 3)]}
    properties = {
        "datetime": f"{date:%Y-%m-%dT%H:%M:%SZ}", "platform": f"sentinel-{platform[1:].lower()}",
        "constellation": "sentinel-2", "instruments": ["msi"], "gsd": 10,
        "eo:cloud_cover": share(8, 9, 10), "s2:cloud_shadow_percentage": share(3),
        "proj:epsg": EPSG, "grid:code": f"MGRS-{tile}", "sat:relative_orbit": ORBIT,
        "s2:product_uri": f"{platform}_MSIL2A_{stamp}_N0000_R{ORBIT}_T{tile}_{stamp}.SAFE",
        "s2:datatake_id": f"G{platform}_{stamp}_000000_N00.00",
        "s2:datastrip_id": f"{platform}_OPER_MSI_L2A_DS_SYNT_{stamp}_S{stamp}_N00.00",
        "s2:processing_baseline": "00.00", "s2:product_type": "S2MSI2A",
        "license": "EUPL-1.2", "attribution": ATTRIBUTION, "clearmosaic:note": NOTE}
    extensions = ("raster/v1.1.0", "grid/v1.0.0", "projection/v1.1.0", "eo/v1.1.0", "sat/v1.0.0")
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "clearmosaic-demo",
        "stac_extensions": [f"https://stac-extensions.github.io/{e}/schema.json" for e in extensions],
        "geometry": {"type": "Polygon", "coordinates": [[list(c) for c in corners + corners[:1]]]},
        "bbox": [min(lon), min(lat), max(lon), max(lat)], "properties": properties,
        "links": [{"rel": "license", "href": "https://joinup.ec.europa.eu/software/page/eupl"},
                  {"rel": "license", "href": LEGAL}],
        "assets": assets}
    return item, f"{stamp}_{stamp}_T{tile}"


def inner_box(geotransform, shape):
    """The largest rectangle of longitude and latitude inside the cube, as [west, south, east, north].

    The cube is square in its own grid and stands askew in longitude and latitude: shrink the box
    around its centre until all of its outline lies inside."""
    left, top = geotransform[0], geotransform[3]
    right, bottom = left + 10 * shape[1], top - 10 * shape[0]
    (lon, lat), (west, _), (_, south) = transform(
        [((left + right) / 2, (top + bottom) / 2), (left, (top + bottom) / 2), ((left + right) / 2, bottom)],
        EPSG, 4326)
    for shrink in range(100, 0, -1):
        dx, dy = (lon - west) * shrink / 100, (lat - south) * shrink / 100
        sides = [(lon + dx * u, lat + dy * v) for t in np.linspace(-1, 1, 21) for u, v in
                 ((t, -1), (t, 1), (-1, t), (1, t))]
        if all(left + 10 < x < right - 10 and bottom + 10 < y < top - 10 for x, y in transform(sides, 4326, EPSG)):
            return [round(v, 6) for v in (lon - dx, lat - dy, lon + dx, lat + dy)]
    raise AssertionError("the cube has no inside")


REQUEST = """\
# The whole of the demo's seven years, one partial per year kept.
# The scores are a stand-in made from SCL, not Cloud Score+ (README.md here says how).
version: 1
name: romania-demo
aoi: {{bbox: {box}}}
period: {{start: 2015-07-01, end: 2022-01-01}}
slice: P1Y
bands: [B04, B03, B02, B08]
scenes:
  items: items.json
scores:
  template: "scores/{{system_index}}.tif"
  threshold: 0.60
grid: {{crs: native, resolution: 10}}
output: out/
"""

README = """\
# Clearmosaic's demo data
{count} scenes of 100 x 100 px of 10 m, {first} to {last}, on the MGRS tile {tile} (written by deploy/demo/prepare.py).
- `scenes/`: real Sentinel-2 L2A pixels, as they stand in the PyPI package nrt 0.2.1, on its EPSG:3035 grid.
- `scores/`: a **stand-in** for Cloud Score+, made from the SCL band (clear classes high, cloud and shadow low,
  lowered within 8 px of them). Not Cloud Score+, and not as good.
- `items.json`: product, datatake and datastrip ids are synthetic, made from the date: the cube tells no more.
  Before 2016-12-06 a key cannot be derived from a modern item: those scenes link by tile and start (`exact: false`).

{attribution}
"""


def main(wheel_dir, out):
    dates, geotransform, cube = read_cube(wheel_dir)
    shape = cube["SCL"].shape[1:]
    left, top, right, bottom = (geotransform[0], geotransform[3], geotransform[0] + 10 * shape[1],
                                geotransform[3] - 10 * shape[0])
    centre = transform([((left + right) / 2, (top + bottom) / 2)], EPSG, 4326)[0]
    corners = transform([(left, bottom), (right, bottom), (right, top), (left, top)], EPSG, 4326)
    tile = mgrs_tile(*centre)
    items, keys = [], {}
    for n, date in enumerate(dates):
        scl = cube["SCL"][n]
        item, key = item_of(date, tile, scl, geotransform, corners)
        for band, variable in BANDS.values():
            write(os.path.join(out, "scenes", item["id"], band + ".tif"), cube[variable][n], geotransform,
                  f"Sentinel-2 L2A {band} {date:%Y-%m-%d}, from PyPI nrt 0.2.1. {ATTRIBUTION}", 0.0001, 0)
        write(os.path.join(out, "scores", key + ".tif"), stand_in(scl), geotransform, STAND_IN, 0.0001,
              model="stand-in made from SCL")
        items.append(item)
        keys[key] = date
    # Old-format scenes are linked by tile and start within half an hour: each must lead to one score alone.
    times = sorted(keys.values())
    if len(keys) != len(dates) or any(b - a <= dt.timedelta(hours=1) for a, b in zip(times, times[1:])):
        sys.exit("two dates of the cube lie too close to tell their scores apart")
    with open(os.path.join(out, "items.json"), "w") as file:
        json.dump({"type": "FeatureCollection", "features": items}, file, indent=1)
    with open(os.path.join(out, "request.yaml"), "w") as file:
        file.write(REQUEST.format(box=inner_box(geotransform, shape)))
    with open(os.path.join(out, "README.md"), "w") as file:
        file.write(README.format(count=len(items), first=f"{times[0]:%Y-%m-%d}", last=f"{times[-1]:%Y-%m-%d}",
                                 tile=tile, attribution=ATTRIBUTION))
    print(f"{len(items)} scenes of {tile} in {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
