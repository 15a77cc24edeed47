"""Vector data by shapely, PROJ and GDAL.

    python tests/oracles/features.py                   writes packages/core/src/features/fixtures/geometry.json
    python tests/oracles/features.py --fuzz 4000 SEED  prints as many more cases of validity
    python tests/oracles/features.py --around-180 500 SEED   prints valid geometries around 180 degrees, whose longitudes run on beyond it
    python tests/oracles/features.py --cuts            reads [{"geometry": ..., "cut": ...}], prints what is wrong with each cut
    python tests/oracles/features.py --write FOLDER    writes files with GDAL, and what is in them as expected.json
    python tests/oracles/features.py --read FILE...    prints what GDAL reads from files: system, fields, geometry as WKB
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, mapping, shape

FIXTURE = Path(__file__).resolve().parents[2] / "packages/core/src/features/fixtures/geometry.json"


def main() -> None:
    if len(sys.argv) == 1:
        FIXTURE.parent.mkdir(exist_ok=True)
        cases = {"validity": validity(500, 7) + known_cases(), "areas": areas()}
        FIXTURE.write_text(json.dumps(cases, separators=(",", ":")) + "\n", encoding="utf-8")
    elif sys.argv[1] == "--fuzz":
        print(json.dumps(validity(int(sys.argv[2]), int(sys.argv[3])), separators=(",", ":")))
    elif sys.argv[1] == "--around-180":
        print(json.dumps(around_180(int(sys.argv[2]), int(sys.argv[3])), separators=(",", ":")))
    elif sys.argv[1] == "--cuts":
        print(json.dumps([wrong_with_cut(shape(case["geometry"]), shape(case["cut"])) for case in json.load(sys.stdin)]))
    elif sys.argv[1] == "--write":
        write_files(Path(sys.argv[2]))
    elif sys.argv[1] == "--read":
        print(json.dumps([read_file(path) for path in sys.argv[2:]]).replace("NaN", "null"))  # heights that are not known


def around_180(count: int, seed: int) -> list[dict]:
    """Half of the corners lie on whole degrees, so that many lie on the meridian itself."""
    rng = random.Random(seed)
    cases = []
    while len(cases) < count:
        place = (lambda: float(rng.randint(174, 186))) if len(cases) % 2 else (lambda: rng.uniform(174, 186))
        corner = lambda: (place(), place() - 180)
        shift = rng.choice([0, 0, 0, -360, 360])
        if len(cases) % 5 == 4:
            geometry = LineString([corner() for _ in range(rng.randint(2, 6))])
        else:
            shell = Polygon([corner() for _ in range(rng.randint(3, 9))])
            holes = [Polygon([corner() for _ in range(rng.randint(3, 5))]) for _ in range(rng.randint(0, 4))]
            holes = [hole for hole in holes if hole.is_valid and hole.area > 0 and shell.is_valid and shell.covers(hole)]
            geometry = Polygon(shell.exterior.coords, [hole.exterior.coords for hole in holes])
        if not geometry.is_valid or geometry.is_empty:
            continue
        cases.append(mapping(shapely.transform(geometry, lambda xy: xy + [shift, 0])))
    return cases


def wrong_with_cut(geometry, cut) -> list[str]:
    whole = [shapely.transform(geometry, lambda xy: xy - [360 * turn, 0]) for turn in (-1, 0, 1, 2)]
    inside = shapely.union_all([part.intersection(shapely.box(-180, -90, 180, 90)) for part in whole])
    if geometry.geom_type == "LineString":
        measure = lambda g: g.length
    else:
        measure = lambda g: g.area
        inside = shapely.union_all([part for part in getattr(inside, "geoms", [inside]) if part.area > 0])
    faults = []
    if cut.bounds[0] < -180 or cut.bounds[2] > 180:
        faults.append(f"reaches from {cut.bounds[0]} to {cut.bounds[2]}")
    if not cut.is_valid:
        faults.append(shapely.is_valid_reason(cut))
    elif geometry.geom_type == "LineString" and cut.difference(inside.buffer(1e-9)).length > 0:
        faults.append("runs elsewhere")
    elif geometry.geom_type != "LineString" and measure(cut.symmetric_difference(inside)) > 1e-9 * max(1, measure(geometry)):
        faults.append("covers other ground")
    if abs(measure(cut) - measure(geometry)) > 1e-9 * max(1, measure(geometry)):
        faults.append(f"measures {measure(cut)} instead of {measure(geometry)}")
    return faults


def validity(count: int, seed: int) -> list[dict]:
    """Polygons on a coarse grid, where corners and edges meet all the time."""
    rng = random.Random(seed)
    cases = []
    for _ in range(count):
        size = rng.choice([3, 4, 6, 10])
        geometry = random_geometry(rng, size)
        cases.append({"geometry": mapping(geometry), "valid": bool(shapely.is_valid(geometry)), "reason": shapely.is_valid_reason(geometry)})
    return cases


def random_geometry(rng: random.Random, size: int):
    kind = rng.random()
    if kind < 0.4:
        return Polygon(ring(rng, size, rng.randint(3, 7)))
    if kind < 0.75:
        shell = box(rng, 0, size * 3) if rng.random() < 0.7 else ring(rng, size * 3, 5)
        holes = [ring(rng, size * 3, rng.randint(3, 4)) if rng.random() < 0.6 else box(rng, 1, size * 2) for _ in range(rng.randint(1, 3))]
        return Polygon(shell, holes)
    return MultiPolygon([Polygon(box(rng, 0, size * 2) if rng.random() < 0.6 else ring(rng, size * 2, 4)) for _ in range(rng.randint(2, 3))])


def ring(rng: random.Random, size: int, corners: int) -> list[tuple[float, float]]:
    # tenths are no exact doubles, so that collinearity is a matter of exact arithmetic
    points = [(rng.randint(0, size) * 0.1, rng.randint(0, size) * 0.1) for _ in range(corners)]
    return [*points, points[0]]


def box(rng: random.Random, low: int, size: int) -> list[tuple[float, float]]:
    x, y = rng.randint(low, size - 1), rng.randint(low, size - 1)
    a, b = rng.randint(x + 1, size + 1), rng.randint(y + 1, size + 1)
    return [(v * 0.1, w * 0.1) for v, w in ((x, y), (a, y), (a, b), (x, b), (x, y))]


def known_cases() -> list[dict]:
    square = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]
    cases = [
        Polygon(square),
        Polygon([(0, 0), (1, 1), (1, 0), (0, 1), (0, 0)]),
        Polygon(square, [[(2, 2), (4, 2), (4, 4), (2, 4), (2, 2)]]),
        Polygon(square, [[(0, 5), (5, 3), (5, 7), (0, 5)]]),
        Polygon(square, [[(0, 5), (5, 3), (10, 5), (5, 7), (0, 5)]]),
        Polygon(square, [[(2, 2), (4, 2), (4, 4), (2, 4), (2, 2)], [(4, 4), (6, 4), (6, 6), (4, 6), (4, 4)]]),
        Polygon(square, [[(1, 1), (9, 1), (9, 9), (1, 9), (1, 1)], [(2, 2), (3, 2), (3, 3), (2, 2)]]),
        Polygon(square, [[(20, 20), (21, 20), (21, 21), (20, 20)]]),
        Polygon([(0, 0), (10, 0), (10, 10), (5, 0), (0, 10), (0, 0)]),
        Polygon([(0, 0), (4, 0), (4, 4), (2, 4), (2, 6), (2, 4), (0, 4), (0, 0)]),
        MultiPolygon([Polygon(square), Polygon([(10, 10), (20, 10), (20, 20), (10, 10)])]),
        MultiPolygon([Polygon(square), Polygon([(10, 2), (20, 2), (20, 8), (10, 8), (10, 2)])]),
        MultiPolygon([Polygon(square, [[(2, 2), (8, 2), (8, 8), (2, 8), (2, 2)]]), Polygon([(3, 3), (5, 3), (5, 5), (3, 3)])]),
        LineString([(0, 0), (1, 1), (0, 1), (1, 0)]),
        Point(1, 2),
    ]
    return [{"geometry": mapping(g), "valid": bool(shapely.is_valid(g)), "reason": shapely.is_valid_reason(g)} for g in cases]


def areas() -> list[dict]:
    """Ground areas between geodesic edges, for stars of several sizes in several systems."""
    rng = random.Random(3)
    geod = pyproj.Geod(ellps="WGS84")
    made = []
    for code in (4326, 3857, 32633, 3035, 5070, 2263):
        crs = pyproj.CRS.from_epsg(code)
        back = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
        forth = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
        west, south, east, north = crs.area_of_use.bounds
        for size in (10, 1000, 100_000):
            for _ in range(4):
                lon, lat = rng.uniform(west, east), rng.uniform(max(south, -75), min(north, 75))
                star = []
                for k in range(8):
                    star.append(forth.transform(*geod.fwd(lon, lat, 45 * k, size * rng.uniform(0.4, 1))[:2]))
                star.append(star[0])
                lons, lats = zip(*(back.transform(x, y) for x, y in star))
                geodesic = pyproj.Geod(a=crs.ellipsoid.semi_major_metre, b=crs.ellipsoid.semi_minor_metre)
                made.append({"crs": code, "size": size, "geometry": {"type": "Polygon", "coordinates": [star]}, "area": abs(geodesic.polygon_area_perimeter(lons, lats)[0])})
    return made


FIELDS = {
    "name": np.array(["Größe", "東京", None, "a" * 200, ""], dtype=object),
    "count": np.array([1, -2, 3, 2**31, 0], dtype="int64"),
    "height": np.array([0.1, -1e-7, np.nan, 123456.789012345, 3.0], dtype="float64"),
    "flag": np.array([True, False, True, False, True]),
}
GEOMETRIES = {
    "points": [Point(0.1 + k, 50 + k / 3) for k in range(4)] + [None],
    "multipoints": [MultiPoint([(k, 1), (k + 0.3, 2)]) for k in range(4)] + [None],
    "lines": [LineString([(k, 1 / 3), (k + 1, 2), (k, 3)]) for k in range(4)] + [None],
    "multilines": [MultiLineString([[(k, 0), (k + 1, 2)], [(5, 5), (6, 6 + k)]]) for k in range(4)] + [None],
    "polygons": [Polygon([(k, 0), (k, 3), (k + 3, 3), (k + 3, 0)], [[(k + 1, 1), (k + 2, 1), (k + 2, 2), (k + 1, 1)]]) for k in range(4)] + [None],
    "multipolygons": [
        MultiPolygon([Polygon([(k, 0), (k, 3), (k + 3, 3), (k + 3, 0)], [[(k + 1, 1), (k + 2, 1), (k + 2, 2), (k + 1, 1)]]), Polygon([(k + 1.2, 1.1), (k + 1.6, 1.15), (k + 1.7, 1.4)])])
        for k in range(4)
    ]
    + [None],
    "heights": [Point(0.1 + k, 50, 7.5 * k) for k in range(4)] + [None],
}


def write_files(folder: Path) -> None:
    expected = []
    for kind, geometries in GEOMETRIES.items():
        for extension, driver in ((".gpkg", "GPKG"), (".geojson", "GeoJSON"), (".geojsonl", "GeoJSONSeq"), (".shp", "ESRI Shapefile"), (".shp.zip", "ESRI Shapefile"), (".fgb", "FlatGeobuf")):
            path = folder / f"{kind}{extension}"
            crs = "EPSG:4326" if "geojson" in extension else "EPSG:32633"
            pyogrio.raw.write(
                str(path), geometry=shapely.to_wkb(np.array(geometries, dtype=object), include_srid=False, flavor="iso"),
                field_data=list(FIELDS.values()), fields=list(FIELDS), geometry_type=geometry_type(geometries), crs=crs, driver=driver,
                **({"COORDINATE_PRECISION": "15"} if "geojson" in extension else {}),
                **({"SPATIAL_INDEX": "NO"} if extension == ".fgb" else {}),  # GDAL indexes no file with an empty row
            )
            expected.append({"path": str(path), "kind": kind, **read_file(str(path))})
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


def geometry_type(geometries) -> str:
    first = geometries[0]
    return first.geom_type + (" Z" if first.has_z else "")


def read_file(path: str) -> dict:
    meta, _, geometry, data = pyogrio.raw.read("/vsizip/" + path if path.endswith(".zip") else path)
    try:
        crs = pyproj.CRS.from_user_input(meta["crs"]) if meta["crs"] else None
    except pyproj.exceptions.CRSError:
        crs = None
    shapes = shapely.from_wkb(geometry)
    return {
        "epsg": crs.to_epsg() if crs else None,
        "proj": crs.to_proj4() if crs and (crs.is_projected or crs.is_geographic) else None,
        "type": meta["geometry_type"],
        "fields": list(meta["fields"]),
        "types": [str(column.dtype) for column in data],
        "rows": [[plain(column[k]) for column in data] for k in range(len(shapes))],
        "geometry": [None if g is None else mapping(g) for g in shapes],
        "valid": [g is None or bool(shapely.is_valid(g)) for g in shapes],
    }


def plain(value):
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return None
    if isinstance(value, np.datetime64):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


main()
