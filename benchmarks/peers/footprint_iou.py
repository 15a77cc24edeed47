"""IoU of building footprints with true ones, as areas: prints {iou, count, solved} for each file.

Usage: footprint_iou.py TRUTH XMIN,YMIN,XMAX,YMAX FILE...      the extent in the coordinates of the files
"""

import json
import sys

import geopandas
import shapely

truth, extent, *files = sys.argv[1:]
window = shapely.box(*map(float, extent.split(",")))
result = {"iou": [], "count": [], "solved": []}
for path in files:
    frame = geopandas.read_file(path)
    true = shapely.make_valid(shapely.union_all(geopandas.read_file(truth).to_crs(frame.crs).geometry.make_valid().values)) & window
    found = shapely.union_all(frame.geometry.make_valid().values) & window
    result["iou"].append((found & true).area / (found | true).area)
    result["count"].append(len(frame))
    result["solved"].append(int((frame["STATUS"] == 0).sum()) if "STATUS" in frame else 0)
print(json.dumps(result))
