"""Chips of a raster and burnt polygons, as a Python user writes them with rasterio. Prints one JSON line.

The labels are burnt once for the whole scene; each chip is a window read, an image tile and a label tile written with the
given compression. The last column and row are moved back to the border; chips without a label are skipped.
"""
import argparse, json, pathlib, time
import numpy as np, rasterio
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from rasterio.windows import Window

p = argparse.ArgumentParser()
for name in ("raster", "labels", "out"):
    p.add_argument(f"--{name}", required=True)
p.add_argument("--chip", type=int, default=256)
p.add_argument("--stride", type=int, default=128)
p.add_argument("--compress", choices=["deflate", "none"], default="deflate")
p.add_argument("--level", type=int, default=6)
a = p.parse_args()

out = pathlib.Path(a.out)
for folder in ("images", "labels"):
    (out / folder).mkdir(parents=True, exist_ok=True)


def origins(length):
    at = list(range(0, length - a.chip + 1, a.stride))
    if at[-1] + a.chip < length:
        at.append(length - a.chip)
    return at


t0 = time.perf_counter()
collection = json.loads(pathlib.Path(a.labels).read_text())
codec = {} if a.compress == "none" else {"compress": "deflate", "zlevel": a.level}
count = 0
with rasterio.open(a.raster) as src:
    shapes = [(transform_geom("EPSG:4326", src.crs, f["geometry"]), 1) for f in collection["features"]]
    labels = rasterize(shapes, (src.height, src.width), transform=src.transform, dtype="uint8")
    image_profile = dict(driver="GTiff", dtype=src.dtypes[0], count=src.count, width=a.chip, height=a.chip, crs=src.crs,
                         interleave="pixel", blockysize=a.chip, **codec, **({"predictor": 2} if codec else {}))
    label_profile = dict(driver="GTiff", dtype="uint8", count=1, width=a.chip, height=a.chip, crs=src.crs, nodata=255, blockysize=a.chip, **codec)
    for row in origins(src.height):
        for col in origins(src.width):
            part = labels[row:row + a.chip, col:col + a.chip]
            if not part.any():
                continue
            window = Window(col, row, a.chip, a.chip)
            transform = src.window_transform(window)
            image = src.read(window=window)
            with rasterio.open(out / "images" / f"{count:09d}.tif", "w", transform=transform, tfw=True, **image_profile) as dst:
                dst.write(image)
            with rasterio.open(out / "labels" / f"{count:09d}.tif", "w", transform=transform, tfw=True, **label_profile) as dst:
                dst.write(part, 1)
            count += 1
seconds = time.perf_counter() - t0
print(json.dumps({"peer": f"rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}", "chips": count, "seconds": round(seconds, 3),
                  "megapixelsPerSecond": round(count * a.chip * a.chip / 1e6 / seconds, 2)}))
