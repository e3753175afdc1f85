#!/usr/bin/python3
"""The oracle: what the pixels of a mosaic must be, worked out the slow and plain way.

    oracle.py REQUEST.yaml|json OUTDIR [name=value ...]

It shares nothing with the product (places.py beside it is its geography). It follows the
design's CONTRACT (sections 2 to 4; rule numbers stand in comments as [2.1] .. [4]) pixel by pixel:

    items -> scenes (key, offset, versions) -> tiles
    output pixels -> centre in the AOI? -> owner tile -> that tile's pixel
    that pixel -> one value per datatake -> sorted() -> the middle one

It writes OUTDIR/<tile id>/<BAND>.tif and count.tif (plain GeoTIFFs; compare.py judges a
product by them) and OUTDIR/summary.json (how many scenes were found, linked, ...). `name=value`
replaces {name} in the request's text, so that templates need no editing.

Local files only; resampling nearest only. Needs python3-gdal, python3-numpy and, for
YAML requests, python3-yaml: what Debian 12 has.
"""
import datetime as dt
import glob
import json
import math
import os
import re
import sys

import numpy as np
from osgeo import gdal

from places import (SIDE, SQUARE, Aoi, BadInput, Points, Tile, edge, in_footprint, mgrs_zone, near, reference,
                    transform, window_around)

CHUNK = 500000  # points held at once
FALLBACK = dt.timedelta(minutes=30)
COMPACT_FORMAT = dt.datetime(2016, 12, 6)  # before it, part 2 of a key cannot be derived
OF_PIXELS = ("count",)  # products that are not of a band's values
COMMON = {"coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
          "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12"}


# ------------------------------------------------------------------ the catalogue (domain.md)

def read_items(path):
    """A STAC ItemCollection, an item, or a static catalogue; every item with the folder its hrefs start from."""
    with open(path) as file:
        found = json.load(file)
    base = os.path.dirname(os.path.abspath(path))
    if found["type"] == "FeatureCollection":
        return [(item, base) for item in found["features"]]
    if found["type"] == "Feature":
        return [(found, base)]
    links = [link["href"] for link in found["links"] if link["rel"] in ("child", "item")]
    return [item for href in links for item in read_items(os.path.join(base, href))]


class Scene:
    def __init__(self, item, base, bands):
        self.id, p = item["id"], item["properties"]
        self.properties = p
        product = p.get("s2:product_uri") or p.get("sentinel:product_id") or self.id
        hrefs = " ".join(a["href"] for a in item["assets"].values())
        self.tile = Tile(tile_name(p, product))
        # Part 1 of the key: datatake start. Part 2: S-time of the datastrip.
        stamp = r"\d{8}T\d{6}"
        start = (re.search(stamp, p.get("s2:datatake_id") or p.get("eopf:datatake_id") or "")
                 or re.search(r"_MSIL\w{2}_(" + stamp + ")", product))
        if not start:
            raise BadInput(f"{self.id}: no datatake start")
        self.start_text = start[0][-15:]
        self.start = dt.datetime.strptime(self.start_text, "%Y%m%dT%H%M%S")
        strip = (re.search("_S(" + stamp + ")", p.get("s2:datastrip_id") or p.get("eopf:datastrip_id") or "")
                 or re.search(r"GRANULE/L\w{2}_T\w{5}_A\d{6}_(" + stamp + ")", hrefs))
        self.exact = bool(strip) and self.start >= COMPACT_FORMAT
        self.index = f"{self.start_text}_{strip[1] if strip else '?'}_T{self.tile.id}"
        name = re.match(r"S2[A-D]", product)
        self.platform = "sentinel-" + name[0][1:].lower() if name else p["platform"].lower()
        orbit = re.search(r"_R(\d{3})_", product)
        self.orbit = int(orbit[1]) if orbit else p.get("sat:relative_orbit")
        baseline = p.get("s2:processing_baseline") or p.get("sentinel:processing_baseline") or p.get(
            "processing:version")
        in_name = re.search(r"_N(\d{2})(\d{2})_", product)
        if baseline is None and in_name:
            baseline = f"{in_name[1]}.{in_name[2]}"
        self.baseline = None if baseline is None else float(baseline)
        made = re.findall(stamp, product)[1:]
        made = made[-1] if made else p.get("s2:generation_time") or p.get("processing:datetime") or ""
        self.rank = (self.baseline or 0.0, re.sub(r"[-:]", "", made)[:15], self.id)
        self.offset = self.find_offset()
        self.files = {b: self.asset(item, base, b) for b in bands}

    def find_offset(self):
        """[2.1] By provider and baseline, never by date."""
        p = self.properties
        if p.get("earthsearch:boa_offset_applied") or p.get("sentinel:boa_offset_applied"):
            return 0
        if self.baseline is None:
            raise BadInput(f"{self.id}: processing baseline unknown")
        return -1000 if self.baseline >= 4.0 else 0

    @staticmethod
    def asset(item, base, band):
        """The single-band data asset of a band: the finest, a COG before a JP2 [2.4]."""
        found = []
        for key, asset in item["assets"].items():
            named = asset.get("eo:bands") or asset.get("bands") or [{}]
            names = [key] + ([named[0].get("name", "")] if len(named) == 1 else [])
            names = [re.sub(r"(_\d+m|-jp2)$", "", n) for n in names]
            if band in [COMMON.get(n.lower(), n.upper()) for n in names]:
                size = asset.get("proj:transform", [asset.get("gsd", 0)])[0]
                path = asset["href"]
                found.append((abs(size), path.endswith(".jp2"), os.path.normpath(os.path.join(base, path))))
        return min(found)[2] if found else None


def tile_name(p, product):
    for prefix in ("mgrs", "sentinel"):
        if f"{prefix}:utm_zone" in p:
            return "".join(str(p[f"{prefix}:{k}"]) for k in ("utm_zone", "latitude_band", "grid_square"))
    in_name = re.search(r"_T(\d{2}[A-Z]{3})_", product)
    found = p.get("grid:code") or p.get("s2:mgrs_tile") or (in_name and in_name[1])
    if not found:
        raise BadInput(f"{product}: no tile")
    return found.split("-")[-1]


def find_score(scene, template, base):
    """By the key and nothing else; where its part 2 cannot be had: the one score of that tile and start."""
    def fill(index):
        return os.path.join(base, template.format(
            system_index=index, tile=scene.tile.id, year=scene.start_text[:4], month=scene.start_text[4:6]))
    if scene.exact:
        return fill(scene.index) if os.path.exists(fill(scene.index)) else None
    before, after = fill("\0").split("\0")
    keys = [p[len(before):len(p) - len(after)] for p in glob.glob(fill(f"*_T{scene.tile.id}"))]
    starts = {k: dt.datetime.strptime(k[:15], "%Y%m%dT%H%M%S") for k in keys}
    close = [k for k in keys if abs(starts[k] - scene.start) <= FALLBACK]
    if len(close) != 1:
        return None
    scene.index = close[0]
    return fill(close[0])


def choose_scenes(request, base, aoi):
    """The request's scenes by what becomes of them: linked, unlinked, superseded, unusable."""
    bands, out = request["bands"], {"linked": [], "unlinked": [], "superseded": [], "unusable": []}
    start, end = (utc(request["period"][k]) for k in ("start", "end"))
    keep = request.get("filter") or {}
    by_index = {}
    items_path = os.path.join(base, request["scenes"]["items"])
    for item, folder in read_items(items_path):
        s = Scene(item, folder, bands)
        # Period, months and slices go by the datatake's start (section 1), never by the item's datetime.
        if not start <= s.start < end or s.start.month not in request.get("months", range(1, 13)):
            continue
        if s.properties.get("eo:cloud_cover", 0) > keep.get("cloud_cover_max", 100):
            continue
        if s.platform not in [p.lower() for p in keep.get("platforms", [s.platform])]:
            continue
        if s.orbit not in keep.get("orbits", [s.orbit]) or (aoi.tiles and s.tile.id not in aoi.tiles):
            continue
        s.score = find_score(s, request["scores"]["template"], base)
        by_index.setdefault(s.index if s.exact or s.score else s.index + s.id, []).append(s)
    offered = {b for same in by_index.values() for s in same for b in bands if s.files[b]}
    if by_index and offered != set(bands):
        raise BadInput(f"no item has {sorted(set(bands) - offered)}")
    for same in by_index.values():  # [2.5] versions: equal keys
        best = max(same, key=lambda s: s.rank)
        out["superseded"] += [s for s in same if s is not best]
        state = "unlinked" if not best.score else "linked" if all(best.files.values()) else "unusable"  # [2.2]
        out[state].append(best)
    return out


def utc(value):
    value = value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else str(value)
    value = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None) if value.tzinfo else value


# ------------------------------------------------------------------ from pixels to a median

def look_up(path, tile, x, y, want_clear=None):
    """[2.4] The source pixel that holds each centre (x, y in the tile's plane); 0 or False outside.

    Band: its DN. Score (`want_clear` = threshold): whether it is good enough."""
    dataset, y = gdal.Open(path), y + tile.false_northing
    if dataset.GetSpatialRef().GetAuthorityCode(None) != str(tile.epsg):
        x, y = transform(x, y, tile.epsg, dataset.GetSpatialRef())
    g = dataset.GetGeoTransform()
    if g[2] or g[4] or g[1] <= 0 or g[5] >= 0:
        raise BadInput(f"{path}: not north up")
    column, row = np.floor((x - g[0]) / g[1]), np.floor((y - g[3]) / g[5])
    inside = (column >= 0) & (row >= 0) & (column < dataset.RasterXSize) & (row < dataset.RasterYSize)
    if not inside.any():
        return np.zeros(len(x), bool if want_clear is not None else np.int64)
    column, row = column[inside].astype(int), row[inside].astype(int)
    left, top = int(column.min()), int(row.min())
    window = left, top, int(column.max()) - left + 1, int(row.max()) - top + 1
    band = dataset.GetRasterBand(1)
    picked = band.ReadAsArray(*window)[row - top, column - left]
    if want_clear is None:
        out = np.zeros(len(x), np.int64)
        out[inside] = picked
        return out
    valid = band.GetMaskBand().ReadAsArray(*window)[row - top, column - left] != 0
    if band.GetNoDataValue() is not None:
        valid &= picked != np.asarray(band.GetNoDataValue()).astype(picked.dtype)
    if picked.dtype.kind == "f":  # [2.3] float32 against float32
        good = picked.astype(np.float32) >= np.float32(want_clear)  # NaN compares false
    else:  # [2.3] scaled integers in float64
        scale, offset = band.GetScale(), band.GetOffset()
        good = (picked * np.float64(1 if scale is None else scale) + np.float64(offset or 0)) >= want_clear - 1e-9
    out = np.zeros(len(x), bool)
    out[inside] = valid & good
    return out


def composite(tile, scenes, pixels, side, resolution, request):
    """Products (a column per product and band) and counts of the tile's own pixels (row * side + column)."""
    bands, threshold = request["bands"], request["scores"].get("threshold", 0.60)
    median = request.get("median") or {}
    x = tile.ulx + (pixels % side + 0.5) * resolution
    y = tile.uly - (pixels // side + 0.5) * resolution
    reach = range(-request.get("edge_erosion", 0), request.get("edge_erosion", 0) + 1)
    near = [(dy, dx) for dy in reach for dx in reach if (dy, dx) != (0, 0)]
    datatakes = {}
    for scene in sorted(scenes, key=lambda s: s.index):
        datatakes.setdefault((scene.platform, scene.start), []).append(scene)
    # values[pixel, band, datatake]; 0 = not clear: harmonised values are never 0.
    values = np.zeros((len(pixels), len(bands), len(datatakes)), np.uint16)
    for d, chunks in enumerate(datatakes.values()):
        for scene in chunks:  # [2.5] in system:index order: the first clear one counts
            clear = look_up(scene.score, tile, x, y, threshold)
            dn = [look_up(scene.files[b], tile, x, y) for b in bands]
            for band in dn:
                clear &= band > 0  # [2.2] joint over the bands; [2.1] DN 0 is nodata
            for dy, dx in near:  # edge_erosion: nor are the neighbours of pixels without data
                for b in bands:
                    clear &= look_up(scene.files[b], tile, x + dx * resolution, y + dy * resolution) > 0
            clear &= values[:, 0, d] == 0
            for b, band in enumerate(dn):
                values[clear, b, d] = np.maximum(band[clear] + scene.offset, 1)  # [2.1]
    exact_half = median.get("dtype", "uint16") == "float32"
    products = products_of_bands(request)
    out = np.zeros((len(pixels), len(products) * len(bands)), np.float32 if exact_half else np.uint16)
    count = np.zeros(len(pixels), np.uint16)
    for first in range(0, len(pixels), 20000):
        for n, stack in enumerate(values[first:first + 20000].tolist(), first):
            clear = len(stack[0]) - stack[0].count(0)
            count[n] = clear
            if clear < max(1, median.get("min_observations", 1)):  # [2.6]
                continue
            for b, observed in enumerate(stack):
                ordered = sorted(observed)[-clear:]  # the zeros, which are not clear, come first
                for p, product in enumerate(products):
                    over, under = fraction(product, ordered)
                    # Rounded once: to the nearest float32, or half up.
                    value = np.float32(over / under) if exact_half else (2 * over + under) // (2 * under)
                    out[n, p * len(bands) + b] = value
    return out, count


def products_of_bands(request):
    return [p for p in request.get("products", ["median"]) if p not in OF_PIXELS]


def fraction(product, ordered):
    """What is stored of values in ascending order, exactly: numerator and denominator (docs/products.md)."""
    n = len(ordered)
    if product == "mean":
        return sum(ordered), n
    if product == "mad":  # around the exact median, which may be a half: distances are doubled; one more is stored
        distances = sorted(abs(2 * value - twice_the_middle(ordered)) for value in ordered)
        return twice_the_middle(distances) + 4, 4
    if product == "median":
        return twice_the_middle(ordered), 2
    percent = {"min": 0, "max": 100}.get(product) if product in ("min", "max") else int(product[1:])
    rank, part = divmod((n - 1) * percent, 100)
    return ordered[rank] * (100 - part) + ordered[min(rank + 1, n - 1)] * part, 100


def twice_the_middle(ordered):
    return ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]


# ------------------------------------------------------------------ ownership [2.7]

def owner_of(points, tiles, only_zone=None):
    """Position in `tiles` (sorted by id) of each point's owner, or -1."""
    zone = np.full(len(points.x), only_zone) if only_zone else mgrs_zone(*points.lonlat())
    owner = np.full(len(points.x), -1)
    best = np.full((2, len(points.x)), np.inf)  # rank, squared distance
    for n, tile in enumerate(tiles):
        if only_zone and tile.zone != only_zone:
            continue
        x, y = points.plane(tile)
        at_home = zone == tile.zone
        in_square = ((x >= tile.east) & (x < tile.east + SQUARE)
                     & (y >= tile.north) & (y < tile.north + SQUARE))
        rank = np.where(at_home & in_square, 0, np.where(at_home, 1, 2))
        distance = (x - tile.ulx - SIDE / 2) ** 2 + (y - tile.uly + SIDE / 2) ** 2
        better = in_footprint(tile, x, y) & (
            (rank < best[0]) | ((rank == best[0]) & (distance < best[1])))
        owner[better] = n
        best[0][better], best[1][better] = rank[better], distance[better]
    return owner


# ------------------------------------------------------------------ output tiles [3, 4]

class Output:
    """One output tile: where it lies, and which of its pixels come from which tile's pixel."""

    def __init__(self, name, epsg, left, top, resolution, width, height):
        self.name, self.epsg, self.resolution = name, epsg, resolution
        self.left, self.top, self.width, self.height = left, top, width, height
        self.pixels, self.owners, self.sources = [], [], []

    def claim(self, aoi, tiles, working, window, only_zone=None):
        """Find the owned pixels in a window (column, row, width, height) of this raster."""
        column0, row0, width, height = window
        step = max(1, CHUNK // max(1, width))
        for first in range(row0, row0 + height, step):
            rows, columns = np.mgrid[first:min(first + step, row0 + height), column0:column0 + width]
            flat = (rows * self.width + columns).ravel()
            points = Points(self.epsg, self.left + (columns.ravel() + 0.5) * self.resolution,
                            self.top - (rows.ravel() + 0.5) * self.resolution)
            inside = aoi.holds(points)  # [2.8]
            points, flat = points.at(inside), flat[inside]
            owner = owner_of(points, tiles, only_zone)
            for n in np.unique(owner[owner >= 0]):
                mine, tile = owner == n, tiles[n]
                x, y = points.at(mine).plane(tile)
                # Nearest: the owner's pixel that holds the centre; equal to a copy where the grids coincide.
                column, row = np.floor((x - tile.ulx) / working), np.floor((tile.uly - y) / working)
                self.pixels.append(flat[mine])
                self.owners.append(np.full(len(x), n))
                self.sources.append((row * round(SIDE / working) + column).astype(np.int64))


def rough_window(tile, bounds, resolution, side):
    """A window of the tile surely holding the bounds: spares a look at each of its pixels."""
    lon, lat = transform(*tile.outline(), tile.epsg, 4326)
    lon = near(lon, (bounds[0] + bounds[2]) / 2)
    if lon.max() - lon.min() > 180:  # astride the meridian opposite to the bounds' middle: look at all of it
        return 0, 0, side, side
    west, south = max(bounds[0], lon.min() - .01), max(bounds[1], lat.min() - .01)
    east, north = min(bounds[2], lon.max() + .01), min(bounds[3], lat.max() + .01)
    if west >= east or south >= north:
        return None
    x, y = transform(*edge(west, south, east, north), 4326, tile.epsg)
    return window_around(x, y - tile.false_northing, tile.ulx, tile.uly, resolution, side, side)


def native_outputs(request, aoi, tiles):
    """One per MGRS tile, on its grid, cut to the AOI's bounds snapped outwards to 512 px of the tile."""
    resolution = float(request["grid"].get("resolution", 10))
    side = round(SIDE / resolution)
    if side * resolution != SIDE:
        raise BadInput(f"grid.resolution: {resolution} does not divide {SIDE}")
    for tile in tiles:
        top, window = tile.uly + tile.false_northing, (0, 0, side, side)
        if aoi.bounds:
            window = rough_window(tile, aoi.bounds, resolution, side)
            if window is None:
                continue
            # Exactly: the pixels whose centre lies within the AOI's bounds.
            rows, columns = np.mgrid[window[1]:window[1] + window[3], window[0]:window[0] + window[2]]
            held = aoi.in_bounds(Points(tile.epsg, tile.ulx + (columns.ravel() + 0.5) * resolution,
                                        top - (rows.ravel() + 0.5) * resolution)).reshape(rows.shape)
            if not held.any():
                continue
            x0, y0 = (int(v[held].min()) // 512 * 512 for v in (columns, rows))
            x1, y1 = (min(side, (int(v[held].max()) // 512 + 1) * 512) for v in (columns, rows))
            window = x0, y0, x1 - x0, y1 - y0
        out = Output(tile.id, tile.epsg, tile.ulx + window[0] * resolution, top - window[1] * resolution,
                     resolution, window[2], window[3])
        out.claim(aoi, tiles, resolution, (0, 0, out.width, out.height), only_zone=tile.zone)
        yield out


def lattice_outputs(request, aoi, tiles, working):
    """EPSG:n: tiles x<col>y<row> of a lattice through the CRS's origin, rows counted upwards."""
    epsg, resolution = int(request["grid"]["crs"].split(":")[1]), float(request["grid"]["resolution"])
    pixels = int(request["grid"].get("tile_pixels", 10000))
    size = pixels * resolution
    outlines = [transform(*tile.outline(), tile.epsg, epsg) for tile in tiles]
    x, y = (np.concatenate(v) for v in zip(*outlines))
    if aoi.bounds:  # a look beyond the AOI is a waste: 1 % and a pixel of room for edges that bend
        around = [np.asarray(v) for v in transform(*edge(*aoi.bounds), 4326, epsg)]
        for v, a in zip((x, y), around):
            room = (a.max() - a.min()) / 100 + resolution
            np.clip(v, a.min() - room, a.max() + room, out=v)
    for col in range(math.floor(x.min() / size), math.floor(x.max() / size) + 1):
        for row in range(math.floor(y.min() / size), math.floor(y.max() / size) + 1):
            out = Output(f"x{col}y{row}", epsg, col * size, (row + 1) * size, resolution, pixels, pixels)
            window = window_around(x, y, out.left, out.top, resolution, pixels, pixels)
            if window:
                out.claim(aoi, tiles, working, window)
                yield out


def rasters_of(request):
    """Names of the rasters that are of a band, one product after the other."""
    return [band if product == "median" else f"{band}_{product}"
            for product in products_of_bands(request) for band in request["bands"]]


def write(path, array, out, band):
    dataset = gdal.GetDriverByName("GTiff").Create(
        path, out.width, out.height, 1, gdal.GDT_Float32 if array.dtype == np.float32 else gdal.GDT_UInt16,
        ["COMPRESS=DEFLATE", "TILED=YES"])
    dataset.SetGeoTransform((out.left, out.resolution, 0, out.top, 0, -out.resolution))
    dataset.SetSpatialRef(reference(out.epsg))
    dataset.GetRasterBand(1).SetNoDataValue(0)
    if band != "count":
        dataset.GetRasterBand(1).SetScale(0.0001)
    if band.endswith("_mad"):
        dataset.GetRasterBand(1).SetOffset(-0.0001)
    dataset.GetRasterBand(1).WriteArray(array.reshape(out.height, out.width))


def mosaic(request, base, folder):
    aoi = Aoi(request["aoi"], base)
    scenes = choose_scenes(request, base, aoi)
    tiles = sorted({s.tile.id: s.tile for s in scenes["linked"]}.values(), key=lambda t: t.id)
    request.setdefault("grid", {})
    if request["grid"].get("resampling", "nearest") != "nearest":
        raise BadInput("the oracle knows resampling nearest only")
    if request["grid"].get("crs", "native") == "native":
        working = float(request["grid"].get("resolution", 10))
        outputs = list(native_outputs(request, aoi, tiles))
    else:  # [2.4] the finest resolution of the requested bands
        working = min(abs(gdal.Open(f).GetGeoTransform()[1]) for s in scenes["linked"] for f in s.files.values())
        outputs = list(lattice_outputs(request, aoi, tiles, working))
    outputs = [o for o in outputs if sum(map(len, o.pixels))]
    for out in outputs:
        out.pixels, out.owners, out.sources = map(np.concatenate, (out.pixels, out.owners, out.sources))
    side, finished = round(SIDE / working), {}
    for n, tile in enumerate(tiles):  # only the pixels that some output asks for
        wanted = [o.sources[o.owners == n] for o in outputs]
        wanted = np.unique(np.concatenate(wanted)) if wanted else np.zeros(0, int)
        if len(wanted):
            own = [s for s in scenes["linked"] if s.tile.id == tile.id]
            finished[n] = (wanted, *composite(tile, own, wanted, side, working, request))
    for out in outputs:
        os.makedirs(os.path.join(folder, out.name), exist_ok=True)
        kind = next(iter(finished.values()))[1].dtype
        rasters = {name: np.zeros(out.width * out.height, kind) for name in rasters_of(request)}
        rasters["count"] = np.zeros(out.width * out.height, np.uint16)
        for n, (wanted, values, counts) in finished.items():
            mine = out.owners == n
            at = np.searchsorted(wanted, out.sources[mine])
            for r, name in enumerate(rasters_of(request)):
                rasters[name][out.pixels[mine]] = values[at, r]
            rasters["count"][out.pixels[mine]] = counts[at]
        for band, array in rasters.items():
            write(os.path.join(folder, out.name, band + ".tif"), array, out, band)
    counts = {k: len(v) for k, v in scenes.items()}
    return {"scenes": {"found": sum(counts.values()), **counts}, "tiles": [o.name for o in outputs],
            "unlinked": sorted(s.index for s in scenes["unlinked"])}


def main(request_path, folder, *replacements):
    with open(request_path) as file:
        text = file.read()
    for pair in replacements:
        name, value = pair.split("=", 1)
        text = text.replace("{" + name + "}", value)
    if request_path.endswith(".json"):
        request = json.loads(text)
    else:
        import yaml
        request = yaml.safe_load(text)
    summary = mosaic(request, os.path.dirname(os.path.abspath(request_path)), folder)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "summary.json"), "w") as file:
        json.dump(summary, file, indent=1)
    print(json.dumps(summary))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except BadInput as fault:
        sys.exit(f"oracle: {fault}")
