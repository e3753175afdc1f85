#!/usr/bin/python3
"""Does a published mosaic equal the oracle's, pixel for pixel and in its georeferencing?

    compare.py PRODUCT_DIR ORACLE_DIR

PRODUCT_DIR holds tiles/<id>/<BAND>.tif and count.tif, ORACLE_DIR <id>/<BAND>.tif (oracle.py).
One line per difference and exit code 1; one line of totals and 0 where there is none.
"""
import os
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()


def rasters(folder):
    """{tile id: {raster's file names}}"""
    if not os.path.isdir(folder):
        return {}
    return {tile: {f for f in os.listdir(os.path.join(folder, tile)) if f.endswith(".tif")}
            for tile in os.listdir(folder) if os.path.isdir(os.path.join(folder, tile))}


def differences(name, product, oracle):
    """Every way in which one raster differs; `product` and `oracle` are opened datasets."""
    band, ours = product.GetRasterBand(1), oracle.GetRasterBand(1)
    if product.RasterCount != 1:
        yield f"{name}: {product.RasterCount} bands in one file"
    if product.GetGeoTransform() != oracle.GetGeoTransform():
        yield f"{name}: geotransform {product.GetGeoTransform()}, expected {oracle.GetGeoTransform()}"
    crs, expected = product.GetSpatialRef(), oracle.GetSpatialRef()
    if crs is None or not crs.IsSame(expected) or crs.GetAuthorityCode(None) != expected.GetAuthorityCode(None):
        found = crs and (crs.GetAuthorityCode(None) or crs.GetName())
        yield f"{name}: CRS {found}, expected {expected.GetAuthorityCode(None)}"
    if band.DataType != ours.DataType:
        yield f"{name}: dtype {gdal.GetDataTypeName(band.DataType)}, expected {gdal.GetDataTypeName(ours.DataType)}"
    if name.endswith("/count.tif"):
        if band.GetScale() not in (None, 1.0):
            yield f"{name}: scale {band.GetScale()} on a count"
    else:
        if band.GetNoDataValue() != 0:
            yield f"{name}: nodata {band.GetNoDataValue()}, expected 0"
        if band.GetScale() != ours.GetScale():
            yield f"{name}: scale {band.GetScale()}, expected {ours.GetScale()}"
        if (band.GetOffset() or 0) != (ours.GetOffset() or 0):
            yield f"{name}: offset {band.GetOffset()}, expected {ours.GetOffset()}"
    if (product.RasterXSize, product.RasterYSize) != (oracle.RasterXSize, oracle.RasterYSize):
        yield (f"{name}: {product.RasterXSize} x {product.RasterYSize} px, "
               f"expected {oracle.RasterXSize} x {oracle.RasterYSize}")
        return
    for top in range(0, oracle.RasterYSize, 1024):
        window = 0, top, oracle.RasterXSize, min(1024, oracle.RasterYSize - top)
        found, right = band.ReadAsArray(*window), ours.ReadAsArray(*window)
        wrong = found != right
        if wrong.any():
            row, column = (int(v) for v in np.argwhere(wrong)[0])
            more = sum(int((band.ReadAsArray(0, t, oracle.RasterXSize, min(1024, oracle.RasterYSize - t))
                            != ours.ReadAsArray(0, t, oracle.RasterXSize, min(1024, oracle.RasterYSize - t))).sum())
                       for t in range(top + 1024, oracle.RasterYSize, 1024))
            yield (f"{name}: {int(wrong.sum()) + more} of {oracle.RasterXSize * oracle.RasterYSize} pixels differ, "
                   f"first at column {column}, row {top + row}: {found[row, column]}, "
                   f"expected {right[row, column]}")
            return


def main(product_dir, oracle_dir):
    product, oracle = rasters(os.path.join(product_dir, "tiles")), rasters(oracle_dir)
    if not oracle:
        sys.exit(f"{oracle_dir}: no oracle tiles to compare with")
    lines = [f"{tile}: missing tile" for tile in sorted(oracle.keys() - product.keys())]
    lines += [f"{tile}: extra tile" for tile in sorted(product.keys() - oracle.keys())]
    compared = pixels = 0
    for tile in sorted(oracle.keys() & product.keys()):
        lines += [f"{tile}/{f}: missing raster" for f in sorted(oracle[tile] - product[tile])]
        lines += [f"{tile}/{f}: extra raster" for f in sorted(product[tile] - oracle[tile])]
        for file in sorted(oracle[tile] & product[tile]):
            name = f"{tile}/{file}"
            try:
                theirs = gdal.Open(os.path.join(product_dir, "tiles", tile, file))
                ours = gdal.Open(os.path.join(oracle_dir, tile, file))
                lines += differences(name, theirs, ours)
            except RuntimeError as fault:
                lines.append(f"{name}: {fault}")
                continue
            compared, pixels = compared + 1, pixels + ours.RasterXSize * ours.RasterYSize
    if lines:
        print("\n".join(lines))
        sys.exit(1)
    print(f"{len(oracle)} tiles, {compared} rasters equal, {pixels} pixels")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
