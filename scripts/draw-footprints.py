"""Draws outlines over a part of a raster, the first file thin and white, the others in colour: how docs/images/regularized.jpg is made.

Usage: draw-footprints.py RASTER COL,ROW,WIDTH,HEIGHT SCALE OUT.jpg FILE...

    draw-footprints.py image.tif 1100,3447,320,200 2 docs/images/regularized.jpg raw.gpkg rightAnglesAndDiagonals.gpkg

The imagery of the picture is Banepa of hotosm/fAIr-models (CC-BY-4.0); benchmarks/regularize-banepa-program.ts writes the files.
"""

import sys

import geopandas
import rasterio
from PIL import Image, ImageDraw
from rasterio.windows import Window

path, part, scale, out, *files = sys.argv[1:]
col, row, width, height = map(int, part.split(","))
scale = int(scale)
with rasterio.open(path) as raster:
    window = Window(col, row, width, height)
    image = Image.fromarray(raster.read([1, 2, 3], window=window).transpose(1, 2, 0))
    to_pixel = ~raster.window_transform(window)
    crs = raster.crs
image = image.resize((width * scale, height * scale), Image.Resampling.BICUBIC)
draw = ImageDraw.Draw(image)
for k, file in enumerate(files):
    for geometry in geopandas.read_file(file).to_crs(crs).geometry:
        for polygon in getattr(geometry, "geoms", [geometry]):
            for ring in [polygon.exterior, *polygon.interiors]:
                points = [tuple(scale * v for v in to_pixel * p) for p in ring.coords]
                draw.line(points, fill=["#ffffff", "#ff3b30", "#00c8ff"][k % 3], width=1 if k == 0 else 3)
image.save(out, quality=82, optimize=True)
