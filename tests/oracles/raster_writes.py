"""What rasterio, GDAL and rio-cogeo see in rasters we wrote. Reads a JSON list of {path, raw} from stdin; answers as JSON.

`raw` is a file of the samples that were written, band after band.
"""

import json
import sys
import warnings

import numpy
import rasterio
from rio_cogeo.cogeo import cog_validate

warnings.filterwarnings("ignore")


def look(case):
    with rasterio.open(case["path"]) as raster:
        data = raster.read()
        expected = numpy.fromfile(case["raw"], dtype=raster.dtypes[0]).reshape(data.shape)
        overviews = raster.overviews(1)
        colormap = None
        try:
            colormap = {str(k): list(v[:3]) for k, v in raster.colormap(1).items() if any(v[:3])}
        except ValueError:
            pass
        answer = {
            "dtype": raster.dtypes[0],
            "equal": bool(numpy.array_equal(data, expected, equal_nan=data.dtype.kind == "f")),
            "nodata": None if raster.nodata is None else repr(float(raster.nodata)),
            "transform": list(raster.transform)[:6],
            "epsg": raster.crs.to_epsg() if raster.crs else None,
            "bands": raster.count,
            "descriptions": list(raster.descriptions),
            "colormap": colormap,
            "tags": raster.tags(),
            "bandTags": raster.tags(1),
            "layout": raster.tags(ns="IMAGE_STRUCTURE").get("LAYOUT"),
            "colorinterp": [c.name for c in raster.colorinterp],
            "overviews": overviews,
        }
        valid = numpy.ma.masked_invalid(raster.read(1, masked=True).astype("float64")).compressed()
        answer["statistics"] = [valid.min(), valid.max(), valid.mean(), valid.std(), valid.size] if valid.size else None
    if overviews:
        with rasterio.open(case["path"], overview_level=0) as half:
            answer["half"] = numpy.nan_to_num(half.read(1).astype("float64"), nan=-12345).ravel().tolist() if half.width * half.height <= 10000 else None
            answer["halfShape"] = [half.height, half.width]
    with open(case["path"], "rb") as file:
        answer["bigTiff"] = file.read(4)[2] == 43
    answer["cog"] = list(cog_validate(case["path"], strict=True)) if case.get("cog", True) else None
    return answer


print(json.dumps([look(case) for case in json.load(sys.stdin)], default=str))
