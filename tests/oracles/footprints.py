"""Building footprints: makes noisy ones from a seed, and judges regularized ones with shapely.

    footprints.py make SEED    prints a JSON list of {kind, truth, noisy}, like shared/data/reference/buildings/footprints.json:
                               rectangles, L, T, U, chamfered, round, with a courtyard, terraces of three; rasterized at 0.4 m with
                               noise of 0.6 pixels on the outline (mean IoU with the truth about 0.91), turned by any angle
    footprints.py judge        reads {known, results} from stdin, prints {footprints, overlap}; see FootprintJudgement
"""

import json
import math
import sys

import numpy
import rasterio.features
from rasterio.transform import Affine
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.optimize import least_squares
from shapely import affinity, distance, points, segmentize
from shapely.geometry import Point, Polygon, box, shape
from shapely.strtree import STRtree

RESOLUTION = 0.4
NOISE = 0.62
KINDS = ["rect", "L", "T", "U", "diagonal", "circle", "courtyard", "rows"]


def truth_of(kind, u):
    if kind == "rect":
        return [box(0, 0, u(8, 18), u(7, 13))]
    if kind == "L":
        w, h = u(9, 15), u(9, 15)
        return [box(0, 0, w, h).difference(box(w * u(0.4, 0.6), h * u(0.4, 0.6), w, h))]
    if kind == "T":
        w, h, stem, bar = u(10, 15), u(9, 14), u(3.5, 5), u(3.5, 5)
        a, b = (w - stem) / 2, (w + stem) / 2
        return [Polygon([(0, h), (0, h - bar), (a, h - bar), (a, 0), (b, 0), (b, h - bar), (w, h - bar), (w, h)])]
    if kind == "U":
        w, h, a = u(12, 16), u(10, 14), u(3.2, 4.2)
        return [box(0, 0, w, h).difference(box(a, a, w - a, h))]
    if kind == "diagonal":
        w, h, c = u(11, 16), u(10, 14), u(3, 5)
        return [Polygon([(0, 0), (w, 0), (w, h - c), (w - c, h), (0, h)])]
    if kind == "circle":
        r = u(4, 7)
        return [Polygon([(r * math.cos(t), r * math.sin(t)) for t in numpy.linspace(0, 2 * math.pi, 192, endpoint=False)])]
    if kind == "courtyard":
        w, h, a = u(14, 20), u(14, 20), u(4, 5)
        return [box(0, 0, w, h).difference(box(a, a, w - a, h - a))]
    w, h = u(7, 10), u(8, 13)
    return [box(k * w, 0, (k + 1) * w, h) for k in range(3)]


def noisy_of(polygon, rng):
    """The outline of the pixels that a signed distance with smooth noise leaves inside; every pixel's corner is a vertex."""
    xmin, ymin, xmax, ymax = polygon.buffer(4).bounds
    x0, y0 = math.floor(xmin / RESOLUTION) * RESOLUTION, math.floor(ymin / RESOLUTION) * RESOLUTION
    width, height = int((xmax - x0) / RESOLUTION) + 2, int((ymax - y0) / RESOLUTION) + 2
    fine = Affine(RESOLUTION / 8, 0, x0, 0, RESOLUTION / 8, y0)
    inside = rasterio.features.rasterize([polygon], (height * 8, width * 8), transform=fine).astype(float)
    signed = ((distance_transform_edt(inside) - distance_transform_edt(1 - inside)) / 8)[4::8, 4::8]
    noise = gaussian_filter(rng.normal(size=signed.shape), 1.2)
    mask = (signed + noise * NOISE / noise.std() > 0).astype("uint8")
    shapes = rasterio.features.shapes(mask, mask > 0, transform=Affine(RESOLUTION, 0, x0, 0, RESOLUTION, y0))
    largest = max((shape(g) for g, _ in shapes), key=lambda g: g.area)
    return [[[round(x, 4), round(y, 4)] for x, y in Polygon(ring).segmentize(RESOLUTION * 1.0001).exterior.coords] for ring in [largest.exterior, *largest.interiors]]


def make(seed):
    rng = numpy.random.default_rng(seed)
    made = []
    for column in range(5):
        for row, kind in enumerate(KINDS):
            parts = truth_of(kind, rng.uniform)
            angle, (dx, dy) = rng.uniform(0, 180), rng.uniform(0, 0.4, 2)
            origin = parts[0].centroid
            for part in parts:
                placed = affinity.translate(affinity.rotate(part, angle, origin=origin), dx + 20 + 50 * column, dy + 20 + 50 * row)
                rings = [[list(p) for p in ring.coords] for ring in [placed.exterior, *placed.interiors]]
                made.append({"kind": kind, "truth": rings, "noisy": noisy_of(placed, rng)})
    return made


def circles_of(outline):
    """Circles (x, y, radius) that established methods fit to an outline, all of its length counting the same."""
    p = numpy.array(segmentize(outline.exterior, 0.05).coords)[:-1]
    middle = p.mean(axis=0)
    q = p - middle
    z = (q**2).sum(axis=1)
    # Kasa 1976: least squares of x^2 + y^2 - 2 a x - 2 b y - c
    a, b, c = numpy.linalg.lstsq(numpy.c_[2 * q, numpy.ones(len(q))], z, rcond=None)[0]
    kasa = (a, b, math.sqrt(c + a * a + b * b))
    # Taubin 1991, by singular values (Chernov 2010, section 5.10)
    mean = z.mean()
    t = numpy.linalg.svd(numpy.c_[(z - mean) / (2 * math.sqrt(mean)), q], full_matrices=False)[2][2]
    first = t[0] / (2 * math.sqrt(mean))
    taubin = (-t[1] / first / 2, -t[2] / first / 2, math.sqrt(t[1] ** 2 + t[2] ** 2 + 4 * mean * first**2) / abs(first) / 2)
    miss = lambda v: numpy.hypot(q[:, 0] - v[0], q[:, 1] - v[1]) - v[2]
    fits = {"kasa": kasa, "taubin": taubin, "geometric": least_squares(miss, kasa).x, "absolute": least_squares(miss, kasa, loss="soft_l1", f_scale=0.02).x}
    centroid = outline.centroid
    found = {name: (x + middle[0], y + middle[1], r) for name, (x, y, r) in fits.items()}
    return {**found, "area": (centroid.x, centroid.y, math.sqrt(outline.area / math.pi))}


def circle_ious(known):
    outline, truth = Polygon(known["noisy"][0]), Polygon(known["truth"][0])
    circles = {name: Point(x, y).buffer(r, quad_segs=64) for name, (x, y, r) in circles_of(outline).items()}
    return {name: circle.intersection(truth).area / circle.union(truth).area for name, circle in circles.items()}


def corners(ring):
    edges = numpy.diff(numpy.array(ring.coords), axis=0)
    angles = numpy.degrees(numpy.arctan2(edges[:, 1], edges[:, 0]))
    return numpy.hypot(*edges.T), numpy.diff(numpy.append(angles, angles[0]))


def judge_one(known, geometry):
    outline = Polygon(known["noisy"][0], known["noisy"][1:])
    truth = Polygon(known["truth"][0], known["truth"][1:])
    result = shape(geometry)
    rings = [result.exterior, *result.interiors]
    dense = numpy.vstack([numpy.array(segmentize(ring, 0.05).coords) for ring in rings])
    lengths, turns = (numpy.concatenate(parts) for parts in zip(*(corners(ring) for ring in rings)))
    off = lambda step: float(numpy.abs(turns - step * numpy.round(turns / step)).max())
    valid = bool(result.is_valid)
    fixed = result if valid else result.buffer(0)
    return {
        "valid": valid,
        "iou": fixed.intersection(truth).area / fixed.union(truth).area,
        "areaChange": fixed.area / outline.area - 1,
        "distance": float(distance(points(dense), outline.boundary).max()),
        "shortest": float(lengths.min()),
        "vertices": sum(len(ring.coords) - 1 for ring in rings),
        "truthVertices": sum(len(ring) - 1 for ring in known["truth"]),
        "holes": len(result.interiors),
        "offRight": off(90),
        "offDiagonal": off(45),
        **({"circles": circle_ious(known)} if known["kind"] == "circle" else {}),
    }


def judge(case):
    footprints = [judge_one(known, geometry) for known, geometry in zip(case["known"], case["results"])]
    shapes = [shape(geometry).buffer(0) for geometry in case["results"]]
    pairs = STRtree(shapes).query(shapes, predicate="intersects").T
    return {"footprints": footprints, "overlap": sum(shapes[a].intersection(shapes[b]).area for a, b in pairs if a < b)}


print(json.dumps(make(int(sys.argv[2])) if sys.argv[1] == "make" else judge(json.load(sys.stdin))))
