"""FlatGeobufs by GDAL.

    python tests/oracles/flatgeobuf.py                        writes packages/core/src/features/flatgeobuf/fixtures
    python tests/oracles/flatgeobuf.py --find FILE BOXES      prints which rows GDAL finds in each box, by the field "i"
"""

import json
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, mapping

FIXTURES = Path(__file__).resolve().parents[2] / "packages/core/src/features/flatgeobuf/fixtures"
BOXES = [[500, 300, 900, 700], [0, 0, 50, 50], [995, 995, 2000, 2000], [-10, -10, -5, -5], [0, 0, 1000, 1000]]


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--find":
        print(json.dumps([find(sys.argv[2], box) for box in json.loads(sys.argv[3])]))
        return
    FIXTURES.mkdir(parents=True, exist_ok=True)
    expected = [indexed(), types(), kinds(), *systems()]
    curves()
    (FIXTURES / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def find(path: str, box: list[float]) -> list[int]:
    return sorted(pyogrio.raw.read(path, columns=["i"], bbox=tuple(box))[3][0].tolist())


def write(name: str, geometries, geometry_type: str, fields: dict, crs="EPSG:32633", **options) -> None:
    path = FIXTURES / name
    wkb = [g if g is None or isinstance(g, bytes) else shapely.to_wkb(g, include_srid=False, flavor="iso") for g in geometries]
    pyogrio.raw.write(str(path), geometry=np.array(wkb, dtype=object), field_data=list(fields.values()), fields=list(fields), geometry_type=geometry_type, crs=crs, driver="FlatGeobuf", **options)


def describe(name: str) -> dict:
    meta, _, geometry, data = pyogrio.raw.read(str(FIXTURES / name), datetime_as_string=True)
    return {
        "file": name,
        "crs": meta["crs"],
        "fields": list(meta["fields"]),
        "rows": [[plain(column[k]) for column in data] for k in range(len(geometry))],
        "geometry": [None if g is None else mapping(shapely.from_wkb(g)) for g in geometry],
    }


def plain(value):
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, int) and abs(value) >= 2**53 else value


def indexed() -> dict:
    """Boxes of all sizes, in several levels of the index; GDAL puts them along the Hilbert curve."""
    rng = random.Random(5)
    boxes = []
    for _ in range(300):
        x, y, size = rng.uniform(0, 990), rng.uniform(0, 990), rng.choice([0.5, 5, 60])
        boxes.append(shapely.box(x, y, x + size, y + size))
    write("indexed.fgb", boxes, "Polygon", {"i": np.arange(300, dtype="int32")}, SPATIAL_INDEX="YES")
    return {**describe("indexed.fgb"), "geometry": None, "found": [{"box": box, "rows": find(str(FIXTURES / "indexed.fgb"), box)} for box in BOXES]}


def types() -> dict:
    """A column of each type that GDAL writes."""
    fields = {
        "short": np.array([-32768, 32767, 0], dtype="int16"),
        "int": np.array([-(2**31), 2**31 - 1, 0], dtype="int32"),
        "long": np.array([-(2**53) + 1, 2**53 - 1, 0], dtype="int64"),
        "beyond": np.array([-(2**63), 2**53 + 1, 2**62], dtype="int64"),
        "float": np.array([0.1, -1e30, np.nan], dtype="float32"),
        "double": np.array([0.1, -1e300, np.nan], dtype="float64"),
        "flag": np.array([True, False, True]),
        "text": np.array(["Größe 東京", "", None], dtype=object),
        "when": np.array(["2024-02-29T23:59:59.123", "1900-01-01T00:00:00", "NaT"], dtype="datetime64[ms]"),
        "day": np.array(["2024-02-29", "1900-01-01", "NaT"], dtype="datetime64[D]"),
    }
    write("types.fgb", [Point(k, 1 / 3) for k in range(3)], "Point", fields, SPATIAL_INDEX="NO")
    return describe("types.fgb")


def kinds() -> dict:
    """Every kind of geometry in one file, so that each says its own type."""
    geometries = [
        Point(0.1, 1 / 3),
        MultiPoint([(0, 1), (2, 3)]),
        LineString([(0, 0), (1, 2), (3, 1)]),
        MultiLineString([[(0, 0), (1, 2)], [(5, 5), (6, 6), (7, 5)]]),
        Polygon([(0, 0), (0, 3), (3, 3), (3, 0)], [[(1, 1), (2, 1), (2, 2), (1, 1)]]),
        MultiPolygon([Polygon([(0, 0), (0, 3), (3, 3), (3, 0)], [[(1, 1), (2, 1), (2, 2), (1, 1)]]), Polygon([(5, 5), (6, 5), (6, 6)])]),
        GeometryCollection([Point(1, 2), LineString([(0, 0), (1, 1)]), MultiPolygon([Polygon([(5, 5), (6, 5), (6, 6)])])]),
        None,
    ]
    write("kinds.fgb", geometries, "Unknown", {"i": np.arange(8, dtype="int32")}, SPATIAL_INDEX="NO")
    return describe("kinds.fgb")


def systems() -> list[dict]:
    made = []
    for name, crs in (("no-crs", None), ("esri", "ESRI:54009"), ("custom", "+proj=tmerc +lat_0=47 +lon_0=9 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"), ("empty", "EPSG:4326")):
        points = [] if name == "empty" else [Point(1, 2)]
        write(f"{name}.fgb", points, "Point", {"i": np.arange(len(points), dtype="int32")}, crs=crs)
        made.append(describe(f"{name}.fgb"))
    return made


def curves() -> None:
    arc = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
    write("curve.fgb", [arc], "Unknown", {"i": np.zeros(1, dtype="int32")})


main()
