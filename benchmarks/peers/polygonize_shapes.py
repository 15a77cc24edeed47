"""The GDAL side of the polygonize benchmark: polygonize_shapes.py SIZE CONNECTIVITY FILE prints {seconds, count, areas}.

The time is that of making each geometry and letting it go, which is faster in Python than keeping them all (ours keeps
them). Counting and measuring is a second pass outside the time.
"""

import json
import sys
import time

import numpy
from rasterio.features import shapes
from rasterio.transform import Affine


def ring_area(ring):
    points = numpy.asarray(ring)
    x, y = points[:, 0], points[:, 1]
    return 0.5 * abs(float(numpy.dot(x[:-1], y[1:]) - numpy.dot(x[1:], y[:-1])))


def main():
    size, connectivity, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    classes = numpy.fromfile(file, dtype="uint8").reshape(size, size)
    transform = Affine(1, 0, 0, 0, -1, size)
    started = time.perf_counter()
    for _ in shapes(classes, connectivity=connectivity, transform=transform):
        pass
    seconds = time.perf_counter() - started
    count = 0
    areas = {}
    for geometry, value in shapes(classes, connectivity=connectivity, transform=transform):
        count += 1
        shell, *holes = geometry["coordinates"]
        area = ring_area(shell) - sum(ring_area(hole) for hole in holes)
        areas[str(int(value))] = areas.get(str(int(value)), 0.0) + area
    print(json.dumps({"seconds": seconds, "count": count, "areas": areas}))


main()
