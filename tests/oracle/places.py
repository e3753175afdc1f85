"""Places for the oracle: MGRS tiles, points in any CRS, the request's AOI (design section 2 and 3,
domain.md). Longitude before latitude, x before y; northings in a tile's plane count from the equator."""
import json
import math
import os
import re

import numpy as np
from osgeo import gdal, osr

os.environ["PROJ_NETWORK"] = "OFF"
gdal.UseExceptions()
osr.UseExceptions()

SIDE, SQUARE = 109800.0, 100000.0  # metres: a tile's footprint, its 100 km square


class BadInput(Exception):
    """The request or the catalogue is at fault; says what."""


class Tile:
    """One MGRS tile: zone, EPSG code, 100 km square and footprint; northings from the equator."""

    def __init__(self, name):
        found = re.fullmatch(r"0?(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])", name)
        if not found:
            raise BadInput(f"not an MGRS tile: {name}")
        self.zone, band = int(found[1]), found[2]
        self.id = f"{self.zone:02d}{band}{found[3]}{found[4]}"
        self.epsg = (32700 if band < "N" else 32600) + self.zone
        self.false_northing = 1e7 if band < "N" else 0.0
        column = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(self.zone - 1) % 3].index(found[3])
        row = ("ABCDEFGHJKLMNPQRSTUV".index(found[4]) - (0 if self.zone % 2 else 5)) % 20
        # Row letters repeat every 2,000 km: take the one nearest to the middle of the latitude band.
        middle = (78 if band == "X" else -76 + 8 * "CDEFGHJKLMNPQRSTUVWX".index(band)) * 1e7 / 90
        self.east = SQUARE * (column + 1)
        self.north = min((SQUARE * (row + 20 * k) for k in range(-6, 6)), key=lambda n: abs(n + SQUARE / 2 - middle))
        self.ulx, self.uly = 60.0 * math.floor(self.east / 60), 60.0 * math.ceil((self.north + SQUARE) / 60)

    def outline(self):
        """Points along the footprint's edge, in the tile's CRS."""
        x, y = edge(self.ulx, self.uly - SIDE, self.ulx + SIDE, self.uly)
        return x, y + self.false_northing


def mgrs_zone(lon, lat):
    """Zone of each longitude, with the exceptions of 32V and Svalbard."""
    zone = (np.floor((lon + 180) / 6).astype(int) % 60) + 1
    zone = np.where((lat >= 56) & (lat < 64) & (lon >= 3) & (lon < 12), 32, zone)
    for low, high, name in ((0, 9, 31), (9, 21, 33), (21, 33, 35), (33, 42, 37)):
        zone = np.where((lat >= 72) & (lon >= low) & (lon < high), name, zone)
    return zone


def reference(crs):
    """A CRS (EPSG code, PROJ string or SpatialReference) with x before y, longitude before latitude."""
    srs = osr.SpatialReference()
    if isinstance(crs, osr.SpatialReference):
        srs = crs.Clone()
    else:
        srs.SetFromUserInput(f"EPSG:{crs}" if isinstance(crs, int) else crs)
    srs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return srs


def transform(x, y, source, target):
    """Every point on its own, exactly [2.4, 2.7]; what cannot be transformed becomes inf."""
    if len(x) == 0:
        return x, y
    operation = osr.CoordinateTransformation(reference(source), reference(target))
    out = np.array(operation.TransformPoints(np.column_stack([x, y])))
    return out[:, 0], out[:, 1]


class Points:
    """Pixel centres of the output, in its CRS, and in others when asked."""

    def __init__(self, epsg, x, y):
        self.epsg, self.x, self.y = epsg, np.asarray(x, float), np.asarray(y, float)
        self.cache = {}

    def at(self, keep):
        return Points(self.epsg, self.x[keep], self.y[keep])

    def lonlat(self):
        if 4326 not in self.cache:
            same = self.epsg == 4326
            lon, lat = (self.x, self.y) if same else transform(self.x, self.y, self.epsg, 4326)
            self.cache[4326] = ((lon + 180) % 360 - 180 if same else lon, lat)
        return self.cache[4326]

    def plane(self, tile):
        """Coordinates in a tile's plane, northings from the equator; 326zz and 327zz are one zone [2.7]."""
        if tile.epsg not in self.cache:
            if self.epsg in (32600 + tile.zone, 32700 + tile.zone):
                self.cache[tile.epsg] = self.x, self.y - (1e7 if self.epsg > 32700 else 0.0)
            else:
                x, y = transform(self.x, self.y, self.epsg, tile.epsg)
                self.cache[tile.epsg] = x, y - tile.false_northing
        return self.cache[tile.epsg]


def in_footprint(tile, x, y):
    """Edges as everywhere: a centre on one belongs to the east and south, so west and north are in."""
    return (x >= tile.ulx) & (x < tile.ulx + SIDE) & (y <= tile.uly) & (y > tile.uly - SIDE)


# ------------------------------------------------------------------ the AOI [2.8, 3]

class Aoi:
    """`holds(points)` for pixel centres; `bounds` west, south, east, north or None (tiles)."""

    def __init__(self, spec, base):
        self.tiles, self.bounds = None, None
        if isinstance(spec, str):
            with open(os.path.join(base, spec)) as file:
                self.polygons = polygons_of(json.load(file))
            vertices = np.array([p for polygon in self.polygons for ring in polygon for p in ring])
            self.bounds = (*vertices.min(0), *vertices.max(0))
            self.holds = self.in_polygons
        elif "bbox" in spec:
            west, south, east, north = spec["bbox"]
            self.bounds = (west, south, east + 360 if west > east else east, north)
            self.holds = self.in_bounds
        elif "tiles" in spec:
            self.tiles = {Tile(t).id: Tile(t) for t in spec["tiles"]}
            self.holds = self.in_tiles
        else:
            (lon, lat), self.radius = spec["point"], spec["radius"]
            # From its centre, the azimuthal equidistant projection's distances are geodesic ones.
            self.plane = f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +datum=WGS84 +units=m +over"
            angle = np.linspace(0, 2 * np.pi, 721)
            around = transform(self.radius * np.cos(angle), self.radius * np.sin(angle), self.plane, 4326)
            east = (around[0] - lon + 180) % 360 - 180 + lon
            self.bounds = (east.min(), around[1].min(), east.max(), around[1].max())
            self.holds = self.in_circle

    def in_polygons(self, points):
        """Even-odd rule over all rings, edges straight in longitude and latitude."""
        lon, lat = points.lonlat()
        inside = np.zeros(len(lon), bool)
        for polygon in self.polygons:
            for turn in (0, 360, -360):  # vertices may lie beyond 180 degrees
                odd = np.zeros(len(lon), bool)
                for ring in polygon:
                    for (x1, y1, *_), (x2, y2, *_) in zip(ring, ring[1:]):
                        crosses = (y1 > lat) != (y2 > lat)
                        if crosses.any():
                            odd ^= crosses & (lon + turn < x1 + (lat - y1) * (x2 - x1) / (y2 - y1))
                inside |= odd
        return inside

    def in_bounds(self, points):
        lon, lat = points.lonlat()
        west, south, east, north = self.bounds
        lon = near(lon, (west + east) / 2)
        return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)

    def in_tiles(self, points):
        inside = np.zeros(len(points.x), bool)
        for tile in self.tiles.values():
            inside |= in_footprint(tile, *points.plane(tile))
        return inside

    def in_circle(self, points):
        x, y = transform(*points.lonlat(), 4326, self.plane)
        return np.hypot(x, y) <= self.radius

def near(lon, middle):
    """The same meridian, within 180 degrees of `middle`."""
    return (lon - middle + 180) % 360 - 180 + middle


def polygons_of(geojson):
    kind = geojson["type"]
    if kind == "Feature":
        return polygons_of(geojson["geometry"])
    if kind in ("FeatureCollection", "GeometryCollection"):
        return [p for part in geojson["features" if kind[0] == "F" else "geometries"] for p in polygons_of(part)]
    if kind not in ("Polygon", "MultiPolygon"):
        raise BadInput(f"AOI is not polygonal: {kind}")
    return [geojson["coordinates"]] if kind == "Polygon" else geojson["coordinates"]


def edge(west, south, east, north, n=200):
    """Points along a rectangle."""
    t = np.linspace(0, 1, n)
    x, y = west + (east - west) * t, south + (north - south) * t
    return (np.concatenate([x, x, np.full(n, west), np.full(n, east)]),
            np.concatenate([np.full(n, south), np.full(n, north), y, y]))


def window_around(x, y, left, top, resolution, width, height):
    """Pixel window (column, row, width, height) that holds the points with room to spare, or None."""
    def columns(low, high, most):
        return (int(np.clip(v, 0, most)) for v in (low // resolution - 3, high // resolution + 4))
    x0, x1 = columns(x.min() - left, x.max() - left, width)
    y0, y1 = columns(top - y.max(), top - y.min(), height)
    return (x0, y0, x1 - x0, y1 - y0) if x0 < x1 and y0 < y1 else None
