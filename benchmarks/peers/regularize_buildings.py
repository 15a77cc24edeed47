"""buildingregulariser on newline GeoJSON in metres: prints {seconds, count}. Usage: regularize_buildings.py FILE"""

import json
import sys
import time

import geopandas
from buildingregulariser import regularize_geodataframe
from shapely.geometry import shape

with open(sys.argv[1]) as file:
    shapes = [shape(json.loads(line)["geometry"]) for line in file]
frame = geopandas.GeoDataFrame(geometry=shapes, crs=32633)
started = time.perf_counter()
result = regularize_geodataframe(frame, simplify_tolerance=1.0, allow_45_degree=False, num_cores=1)
print(json.dumps({"seconds": time.perf_counter() - started, "count": len(result)}))
