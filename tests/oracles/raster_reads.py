"""What rasterio/GDAL reads: commands as JSON on stdin, one JSON answer per line; arrays go to raw little-endian files.

Commands: make (write a raster), read (window, bands, out_shape, resampling), warp (reproject to a grid), copy (to another format).
"""

import json
import sys

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window


def pattern(kind, bands, height, width, dtype, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    layers = []
    for band in range(bands):
        if kind == "smooth":
            layer = 120 + 50 * np.sin(x / 17 + band) + 50 * np.cos(y / 23 - band)
        elif kind == "classes":
            layer = (x // 9 + y // 7 * 3 + band) % 7
        elif kind == "bits":
            layer = (np.sin(x / 31 + y / 57) + np.sin(x * y / 9000) > 0.3) | (x > 600)
        elif kind == "bit noise":
            layer = rng.integers(0, 100, (height, width)) < (x % 97)
        elif kind == "steps":
            layer = ((x // 16 + y // 16 + band) % 2) * 200 + 20
        else:
            layer = rng.integers(0, 255, (height, width))
        layers.append(layer)
    return np.stack(layers).astype(dtype)


def make(c):
    data = pattern(c["kind"], c.get("bands", 1), c["height"], c["width"], c.get("dtype", "uint8"), c.get("seed", 1))
    nodata = c.get("nodata")
    if c.get("hole") is not None:
        left, top, width, height = c["hole"]
        data[:, top : top + height, left : left + width] = np.nan if nodata == "nan" else nodata
    profile = dict(driver=c.get("driver", "GTiff"), width=c["width"], height=c["height"], count=c.get("bands", 1), dtype=c.get("dtype", "uint8"))
    if c.get("transform"):
        profile["transform"] = rasterio.Affine(*c["transform"])
    if c.get("crs"):
        profile["crs"] = c["crs"]
    if nodata is not None:
        profile["nodata"] = float(nodata)
    profile.update(c.get("options", {}))
    with rasterio.open(c["path"], "w", **profile) as out:
        out.write(data)
        if c.get("mask") is not None:
            left, top, width, height = c["mask"]
            mask = np.full((c["height"], c["width"]), 255, np.uint8)
            mask[top : top + height, left : left + width] = 0
            out.write_mask(mask)
    if c.get("overviews"):
        with rasterio.Env(TIFF_USE_OVR=bool(c.get("external"))), rasterio.open(c["path"], "r+") as out:
            out.build_overviews(c["overviews"], Resampling[c.get("overview_resampling", "nearest")])
    return {}


def save(c, data, mask):
    data.tofile(c["out"])
    (mask != 0).astype(np.uint8).tofile(c["out"] + ".mask")
    return {"shape": list(data.shape), "dtype": str(data.dtype)}


def read(c):
    with rasterio.open(c["path"]) as src:
        options = {}
        if c.get("window"):
            options["window"] = Window(*c["window"])
        if c.get("shape"):
            options["out_shape"] = (len(c.get("bands") or src.indexes), *c["shape"])
            options["resampling"] = Resampling[c.get("resampling", "nearest")]
        data = src.read(c.get("bands"), **options)
        options.pop("out_shape", None)
        options.pop("resampling", None)
        if c.get("shape"):
            return save(c, data, np.ones(data.shape[1:]))
        if c.get("boundless"):
            return save(c, data, np.ones(data.shape[1:]))
        return save(c, data, src.dataset_mask(**options))


def warp(c):
    with rasterio.open(c["path"]) as src:
        nodata = src.nodata
        out = np.zeros((src.count, c["height"], c["width"]), src.dtypes[0])
        reproject(
            src.read(),
            out,
            src_transform=src.transform,
            src_crs=src.crs,
            src_nodata=nodata,
            dst_transform=rasterio.Affine(*c["transform"]),
            dst_crs=c["crs"],
            dst_nodata=nodata,
            resampling=Resampling[c["resampling"]],
            tolerance=0,
            num_threads=1,
        )
        return save(c, out, np.ones(out.shape[1:]))


def copy(c):
    rasterio.shutil.copy(c["from"], c["path"], **c["options"])
    return {}


COMMANDS = {"make": make, "read": read, "warp": warp, "copy": copy}

if __name__ == "__main__":
    for command in json.load(sys.stdin):
        print(json.dumps(COMMANDS[command["do"]](command)))
