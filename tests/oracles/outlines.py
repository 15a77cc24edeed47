"""Judges outlines of class rasters with GDAL and shapely. Reads a JSON list of cases from stdin, prints a JSON list of answers.

A case: width, height, data (row by row), nodata (or null), connectivity, features (GeoJSON, transform [1, 0, 0, 0, -1, height]),
sieve (pixels, or 0). An answer: count and areas by value as GDAL has them, those of the features, what is wrong with them, whether
they burn back to the raster (sieved by GDAL when asked for), whether rings turn as RFC 7946 wants, points, and the area of
their union.
"""

import json
import sys
import warnings

import numpy
import rasterio.features
from rasterio.transform import Affine
from shapely import union_all
from shapely.geometry import shape
from shapely.validation import explain_validity

warnings.filterwarnings("ignore")


def areas(pairs):
    total = {}
    for value, area in pairs:
        total[str(value)] = total.get(str(value), 0.0) + area
    return total


def judge(case):
    raster = numpy.array(case["data"], dtype="int32").reshape(case["height"], case["width"])
    nodata = case["nodata"]
    mask = raster != nodata if nodata is not None else numpy.ones(raster.shape, dtype=bool)
    transform = Affine(1, 0, 0, 0, -1, case["height"])
    if case.get("sieve", 0) > 0:
        raster = numpy.where(mask, rasterio.features.sieve(raster, case["sieve"], mask=mask, connectivity=case["connectivity"]), raster)
    peer = list(rasterio.features.shapes(raster, mask=mask, connectivity=case["connectivity"], transform=transform))
    ours = [(feature["properties"]["value"], shape(feature["geometry"])) for feature in case["features"]]
    polygons = [part for _, geometry in ours for part in getattr(geometry, "geoms", [geometry])]
    fill = nodata if nodata is not None else -9
    burnt = numpy.full(raster.shape, fill, dtype="int32")
    if ours:
        burnt = rasterio.features.rasterize([(g, v) for v, g in ours], out_shape=raster.shape, transform=transform, fill=fill, dtype="int32")
    # The rings of GDAL's 8-connected polygons may cross themselves, so its areas are counted in pixels.
    pixels = {str(v): float(((raster == v) & mask).sum()) for v in numpy.unique(raster[mask]).tolist()}
    return {
        "count": len(ours),
        "peerCount": len(peer),
        "areas": areas((v, g.area) for v, g in ours),
        "peerAreas": areas((int(v), shape(g).area) for g, v in peer) if case["connectivity"] == 4 else pixels,
        "invalid": [explain_validity(g) for _, g in ours if not g.is_valid],
        "burnsBack": bool((burnt == raster)[mask].all() and (burnt == fill)[~mask].all()),
        "winding": all(p.exterior.is_ccw and not any(hole.is_ccw for hole in p.interiors) for p in polygons),
        "points": sum(len(p.exterior.coords) + sum(len(hole.coords) for hole in p.interiors) for p in polygons),
        "sumArea": sum(g.area for _, g in ours),
        "unionArea": union_all([g for _, g in ours]).area if all(g.is_valid for _, g in ours) else -1,
    }


print(json.dumps([judge(case) for case in json.load(sys.stdin)]))
