#!/usr/bin/python3
"""Are the files of a published mosaic what the design's section 4 says?

    published.py MOSAIC RASTER,RASTER,... uint16|float32      count.tif beside them is not named

One line per fault and exit code 1; else one line that tells what was looked at. COGs are judged
by GDAL's own validation script, in full: every block is looked at.
"""
import os
import sys

import numpy as np
from osgeo import gdal
from osgeo_utils.samples import validate_cloud_optimized_geotiff as cog

gdal.UseExceptions()


def raster(path, name, dtype):
    """Faults of one COG."""
    if not os.path.isfile(path):
        yield "missing"
        return
    warnings, errors, _ = cog.validate(path, full_check=True)
    yield from (f"validation: {fault}" for fault in warnings + errors)
    dataset = gdal.Open(path)
    band = dataset.GetRasterBand(1)
    structure = dataset.GetMetadata("IMAGE_STRUCTURE")
    counts = name == "count"
    found = {
        "blocks": band.GetBlockSize(), "compression": structure.get("COMPRESSION"), "layout": structure.get("LAYOUT"),
        "predictor": structure.get("PREDICTOR"), "bands": dataset.RasterCount, "nodata": band.GetNoDataValue(),
        "scale": band.GetScale() or 1.0, "offset": band.GetOffset() or 0.0, "name": band.GetDescription(), "dtype": gdal.GetDataTypeName(band.DataType)}
    expected = {
        "blocks": [512, 512], "compression": "DEFLATE", "layout": "COG", "predictor": "2", "bands": 1, "nodata": 0,
        "scale": 1.0 if counts else 0.0001, "offset": -0.0001 if name.endswith("_mad") else 0.0, "name": name, "dtype": "UInt16" if counts else dtype}
    yield from (f"{key} {found[key]}, expected {expected[key]}" for key in expected if found[key] != expected[key])
    large = max(dataset.RasterXSize, dataset.RasterYSize) > 512
    if large != (band.GetOverviewCount() > 0):
        yield f"{band.GetOverviewCount()} overviews of {dataset.RasterXSize} x {dataset.RasterYSize} pixels"
    elif large:
        yield from overview(band, counts)


def overview(band, counts):
    """Of bands the mean of what has data, of counts one of them."""
    whole, half = band.ReadAsArray().astype(float), band.GetOverview(0).ReadAsArray().astype(float)
    if whole.shape != tuple(2 * n for n in half.shape):
        return
    four = np.stack([whole[r::2, c::2] for r in (0, 1) for c in (0, 1)])
    if counts:
        if not (four == half).any(0).all():
            yield "overview: not the nearest pixel's count"
        return
    data = (four > 0).sum(0)
    mean = np.where(data, four.sum(0) / np.maximum(data, 1), 0)
    if np.abs(mean - half).max() > 1:
        yield "overview: not the mean"


def vrt(folder, tiles, names):
    """Faults of the virtual rasters, and which they are."""
    of_crs = {}
    for tile in tiles:
        first = gdal.Open(os.path.join(folder, "tiles", tile, names[0] + ".tif"))
        of_crs.setdefault(first.GetSpatialRef().GetAuthorityCode(None), []).append(tile)
    files = {f"mosaic-{epsg}.vrt" if len(of_crs) > 1 else "mosaic.vrt": epsg for epsg in of_crs}
    if sorted(files) != sorted(f for f in os.listdir(folder) if f.endswith(".vrt")):
        yield f"{sorted(files)} expected"
        return
    for file, epsg in files.items():
        whole = gdal.Open(os.path.join(folder, file))
        if whole.GetSpatialRef().GetAuthorityCode(None) != epsg:
            yield f"{file}: not in EPSG:{epsg}"
        if [whole.GetRasterBand(n + 1).GetDescription() for n in range(whole.RasterCount)] != names:
            yield f"{file}: not the bands {names}"
            continue
        for n, name in enumerate(names):
            seen, joined = np.zeros((whole.RasterYSize, whole.RasterXSize), bool), whole.GetRasterBand(n + 1)
            pixels = joined.ReadAsArray()
            if joined.GetNoDataValue() != 0 or (joined.GetScale() or 1) != (1 if name == "count" else 0.0001):
                yield f"{file}: {name} has nodata {joined.GetNoDataValue()}, scale {joined.GetScale()}"
            if (joined.GetOffset() or 0) != (-0.0001 if name.endswith("_mad") else 0):
                yield f"{file}: {name} has the offset {joined.GetOffset()}"
            for tile in of_crs[epsg]:
                one = gdal.Open(os.path.join(folder, "tiles", tile, name + ".tif"))
                g, h = whole.GetGeoTransform(), one.GetGeoTransform()
                x, y = round((h[0] - g[0]) / g[1]), round((h[3] - g[3]) / g[5])
                values, at = one.ReadAsArray(), np.s_[y:y + one.RasterYSize, x:x + one.RasterXSize]
                if not np.array_equal(pixels[at][values != 0], values[values != 0]):
                    yield f"{file}: {name} is not {tile}'s"
                seen[at] |= values != 0
            if (pixels[~seen] != 0).any():
                yield f"{file}: {name} has pixels that no tile has"


def quicklook(path):
    picture = gdal.Open(path)
    size = picture.RasterXSize, picture.RasterYSize
    if picture.GetDriver().ShortName != "PNG" or max(size) > 2048:
        yield f"{picture.GetDriver().ShortName} of {size}"
    if len(np.unique(picture.ReadAsArray()[:3])) < 3:
        yield "nothing to be seen"


def main(folder, bands, dtype):
    names, tiles = [*bands.split(","), "count"], sorted(os.listdir(os.path.join(folder, "tiles")))
    dtype = {"uint16": "UInt16", "float32": "Float32"}[dtype]
    faults = []
    for tile in tiles:
        listed = sorted(os.listdir(os.path.join(folder, "tiles", tile)))
        if listed != sorted(name + ".tif" for name in names):
            faults.append(f"{tile}: {listed}")
        for name in names:
            path = os.path.join(folder, "tiles", tile, name + ".tif")
            faults += [f"{tile}/{name}: {fault}" for fault in raster(path, name, dtype)]
    faults += vrt(folder, tiles, names)
    faults += [f"quicklook.png: {fault}" for fault in quicklook(os.path.join(folder, "quicklook.png"))]
    if faults:
        print("\n".join(faults))
        sys.exit(1)
    print(f"{len(tiles)} tiles of {len(names)} rasters are as they should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
