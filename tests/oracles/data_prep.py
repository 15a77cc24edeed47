"""Expected values of data preparation, made by rasterio, shapely and numpy.

Reads one JSON command from standard input, prints one JSON answer.
  {"do": "burn", "chips": DIR, "shapes": [{"geometry": ..., "value": 1}], "crs": "EPSG:4326", "all_touched": false}
      compares every label chip of DIR with rasterio.features.rasterize of the shapes on the chip's own grid; names the chips' systems
  {"do": "images", "chips": DIR, "raster": PATH, "tolerance": 1}
      compares every image chip with a window read of the raster
  {"do": "statistics", "chips": DIR, "stems": [...]}
      mean, standard deviation, minimum and maximum per band in float64
  {"do": "buffer", "geometry": ..., "radius": 3.5, "shape": [h, w], "transform": [a, b, c, d, e, f]}
      pixels of shapely's buffer, as a list of positions
"""
import json, pathlib, sys
import numpy as np, rasterio
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.warp import transform_geom

c = json.load(sys.stdin)


def chips(folder):
    return sorted((pathlib.Path(folder) / "images").glob("*.tif"))


if c["do"] == "burn":
    wrong = total = 0
    placed = {}
    systems = set()
    for path in chips(c["chips"]):
        with rasterio.open(path.parent.parent / "labels" / path.name) as f:
            own, transform, crs, nodata = f.read(1), f.transform, f.crs, f.nodata
        key = crs.to_wkt()
        systems.add(crs.to_epsg())
        if key not in placed:
            placed[key] = [(s["geometry"] if c.get("crs") is None else transform_geom(c["crs"], crs, s["geometry"]), s["value"]) for s in c["shapes"]]
        shapes = placed[key]
        peer = rasterize(shapes, own.shape, transform=transform, all_touched=c.get("all_touched", False), dtype="int32")
        seen = own != nodata
        wrong += int((peer[seen] != own[seen]).sum())
        total += int(seen.sum())
    answer = {"wrong": wrong, "pixels": total, "systems": sorted(systems)}
elif c["do"] == "images":
    wrong = total = 0
    with rasterio.open(c["raster"]) as src:
        for path in chips(c["chips"]):
            with rasterio.open(path) as f:
                own, transform = f.read().astype("f8"), f.transform
            col, row = ~src.transform * (transform.c, transform.f)
            window = rasterio.windows.Window(round(col), round(row), own.shape[2], own.shape[1])
            peer = src.read(window=window).astype("f8")
            wrong += int((~(np.abs(peer - own) <= c["tolerance"]) & ~(np.isnan(peer) & np.isnan(own))).sum())
            total += peer.size
    answer = {"wrong": wrong, "samples": total}
elif c["do"] == "statistics":
    stack = []
    for stem in c["stems"]:
        with rasterio.open(pathlib.Path(c["chips"]) / "images" / f"{stem}.tif") as f:
            stack.append(f.read(masked=True).astype("f8").reshape(f.count, -1))
    pixels = np.ma.concatenate(stack, 1)
    pixels = np.ma.masked_invalid(pixels)
    answer = {"mean": [float(v) for v in pixels.mean(1)], "std": [float(v) for v in pixels.std(1)],
              "min": [float(v) for v in pixels.min(1)], "max": [float(v) for v in pixels.max(1)]}
elif c["do"] == "buffer":
    from shapely.geometry import shape
    grown = shape(c["geometry"]).buffer(c["radius"])
    grid = rasterize([grown], c["shape"], transform=Affine(*c["transform"]))
    answer = {"pixels": [int(i) for i in np.flatnonzero(grid)], "area": grown.area}
print(json.dumps(answer))
