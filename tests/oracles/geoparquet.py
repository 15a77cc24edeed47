"""GeoParquet by pyarrow and geopandas.

    python tests/oracles/geoparquet.py                  writes packages/core/src/features/parquet/fixtures
    python tests/oracles/geoparquet.py --matrix FOLDER  writes one table in every encoding, compression and page version
    python tests/oracles/geoparquet.py --read FILE...   prints what geopandas and pyarrow read from files
"""

import datetime
import decimal
import itertools
import json
import sys
import uuid
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, mapping

warnings.filterwarnings("ignore")
FIXTURES = Path(__file__).resolve().parents[2] / "packages/core/src/features/parquet/fixtures"
HOLED = Polygon([(0, 0), (0, 3), (3, 3), (3, 0)], [[(1, 1), (2, 1), (2, 2), (1, 1)]])
KINDS = {
    "point": [Point(0.1, 1 / 3), None, Point(2, 3)],
    "point-z": [Point(0.1, 1 / 3, 7.25), Point(2, 3, -1)],
    "multipoint": [MultiPoint([(0.1, 1), (2, 3)]), None],
    "linestring": [LineString([(0, 0), (1, 1 / 3), (2, 0)]), None, LineString([(5, 5), (6, 6)])],
    "multilinestring": [MultiLineString([[(0, 0), (1, 2)], [(5, 5), (6, 6), (7, 5)]]), None],
    "polygon": [HOLED, None, Polygon([(5, 5), (6, 5), (6, 6)])],
    "multipolygon": [MultiPolygon([HOLED, Polygon([(5, 5), (6, 5), (6, 6)])]), None],
}


def main() -> None:
    if len(sys.argv) == 1:
        FIXTURES.mkdir(parents=True, exist_ok=True)
        made = [types(FIXTURES), legacy(FIXTURES), groups(FIXTURES), *natives(FIXTURES), *systems(FIXTURES)]
        (FIXTURES / "expected.json").write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    elif sys.argv[1] == "--matrix":
        folder = Path(sys.argv[2])
        (folder / "expected.json").write_text(json.dumps(matrix(folder), ensure_ascii=False), encoding="utf-8")
    elif sys.argv[1] == "--read":
        print(json.dumps([read(path) for path in sys.argv[2:]], ensure_ascii=False))


def geo(column: dict, version="1.1.0") -> dict:
    return {"geo": json.dumps({"version": version, "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], **column}}})}


def wkb(geometries) -> pa.Array:
    return pa.array([None if g is None else shapely.to_wkb(g, include_srid=False, flavor="iso") for g in geometries], pa.binary())


def described(path: Path, table: pa.Table, geometries, skipped=("geometry",)) -> dict:
    columns = {name: [plain(value, table.schema.field(name).type) for value in table[name]] for name in table.column_names if name not in skipped}
    return {"file": path.name, "columns": columns, "geometry": [None if g is None else mapping(g) for g in geometries]}


def types(folder: Path) -> dict:
    """A column of each type, with a null in the last row."""
    points = [Point(k, 1 / 3) for k in range(4)]
    utc = datetime.timezone.utc
    when = [datetime.datetime(2024, 2, 29, 23, 59, 59, 123000), datetime.datetime(1969, 12, 31, 23, 59, 59), datetime.datetime(1, 1, 1), None]
    columns = {
        "geometry": wkb(points),
        "bool": pa.array([True, False, True, None]),
        **{f"int{bits}": pa.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, None], f"int{bits}") for bits in (8, 16, 32, 64)},
        **{f"uint{bits}": pa.array([0, 2**bits - 1, 1, None], f"uint{bits}") for bits in (8, 16, 32, 64)},
        "safe": pa.array([2**53 - 1, -(2**53) + 1, 2**53 + 1, None], "int64"),
        "half": pa.array(np.array([0.1, -65504, 6e-8, np.nan], dtype="float16")),
        "float": pa.array([0.1, -1e30, float("inf"), None], "float32"),
        "double": pa.array([0.1, -1e300, float("nan"), None], "float64"),
        "text": pa.array(["Größe 東京", "", "x" * 300, None]),
        "large": pa.array(["a", "b", "c", None], pa.large_string()),
        "category": pa.array(["wood", "water", "wood", None]).dictionary_encode(),
        "date": pa.array([datetime.date(2024, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
        "ms": pa.array(when, pa.timestamp("ms")),
        "us": pa.array([value and value.replace(microsecond=1) for value in when], pa.timestamp("us")),
        "ns": pa.array([1_709_251_199_123_456_789, -1, 0, None], pa.timestamp("ns")),
        "zoned": pa.array([value and value.replace(tzinfo=utc) for value in when], pa.timestamp("us", "Europe/Berlin")),
        "time32": pa.array([datetime.time(23, 59, 59, 123000), datetime.time(0), datetime.time(12), None], pa.time32("ms")),
        "time64": pa.array([datetime.time(23, 59, 59, 123456), datetime.time(0), datetime.time(12), None], pa.time64("us")),
        "money": pa.array([decimal.Decimal("1234567.89"), decimal.Decimal("-0.01"), decimal.Decimal(0), None], pa.decimal128(9, 2)),
        "cents": pa.array([decimal.Decimal("123456789012.5"), decimal.Decimal("-1.5"), decimal.Decimal(0), None], pa.decimal128(18, 1)),
        "long": pa.array([decimal.Decimal("1234567890123456789012345678.9012345678"), decimal.Decimal("-0.0000000001"), decimal.Decimal(7), None], pa.decimal128(38, 10)),
        "uuid": pa.array([uuid.UUID(int=2**127 + k).bytes for k in range(3)] + [None], pa.uuid()),
        "list": pa.array([[1, None, 3], [], [2**53], None], pa.list_(pa.int64())),
        "deep": pa.array([[["a"], [], None, ["b", None]], None, [], None], pa.list_(pa.list_(pa.string()))),
        "struct": pa.array([{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": 3, "b": None}, None], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "map": pa.array([[("k", 1), ("l", 2)], [], [("m", None)], None], pa.map_(pa.string(), pa.int32())),
        "structs": pa.array([[{"when": datetime.date(2024, 1, 1)}, None], None, [], None], pa.list_(pa.struct([("when", pa.date32())]))),
        "nothing": pa.nulls(4),
        "bytes": pa.array([b"\x00", b"", b"\xff", None]),
    }
    table = pa.table(columns)
    path = folder / "types.parquet"
    pq.write_table(table.replace_schema_metadata(geo({})), path, store_decimal_as_integer=True)
    return described(path, table, points, skipped=("geometry", "bytes"))


def legacy(folder: Path) -> dict:
    """What older writers made: INT96 timestamps, lists without the standard names, pages of version 2, GeoParquet 0.4."""
    points = [Point(1, 2), None]
    table = pa.table({
        "geometry": wkb(points),
        "ns": pa.array([1_709_251_199_123_456_789, -1], pa.timestamp("ns")),
        "list": pa.array([[1, 2], None], pa.list_(pa.int64())),
    })
    path = folder / "legacy.parquet"
    meta = geo({"crs": geopandas.GeoSeries(crs=3857).crs.to_wkt()}, version="0.4.0")
    pq.write_table(table.replace_schema_metadata(meta), path, use_deprecated_int96_timestamps=True, use_compliant_nested_type=False, data_page_version="2.0", version="1.0")
    return described(path, table, points)


def groups(folder: Path) -> dict:
    """Ten row groups along a diagonal, each with the box of its features."""
    frame = geopandas.GeoDataFrame({"i": np.arange(200)}, geometry=[shapely.box(k, k, k + 1.5, k + 1.5) for k in range(200)], crs=25832)
    path = folder / "groups.parquet"
    frame.to_parquet(path, row_group_size=20, write_covering_bbox=True, compression="zstd", schema_version="1.1.0")
    boxes = [[0, 0, 5, 5], [100.2, 100.2, 100.3, 100.3], [-5, -5, -1, -1], [50, 0, 60, 70], [0, 0, 300, 300]]
    found = [{"box": box, "rows": geopandas.read_parquet(path).cx[box[0] : box[2], box[1] : box[3]]["i"].tolist()} for box in boxes]
    return {**described(path, pq.read_table(path), frame.geometry, skipped=("geometry", "bbox")), "found": found}


def natives(folder: Path) -> list[dict]:
    made = []
    for kind, geometries in KINDS.items():
        frame = geopandas.GeoDataFrame({"i": np.arange(len(geometries))}, geometry=geometries)
        path = folder / f"native-{kind}.parquet"
        frame.to_parquet(path, geometry_encoding="geoarrow", schema_version="1.1.0")
        made.append(described(path, pq.read_table(path), geometries))
    return made


def systems(folder: Path) -> list[dict]:
    made = []
    points = [Point(1, 2)]
    for name, crs in (("crs84", {}), ("no-crs", {"crs": None}), ("epsg", 28992), ("custom", "+proj=tmerc +lat_0=47 +lon_0=9 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"), ("compound", 7415)):
        about = crs if isinstance(crs, dict) else {"crs": geopandas.GeoSeries(crs=crs).crs.to_json_dict()}
        path = folder / f"{name}.parquet"
        table = pa.table({"geometry": wkb(points)})
        pq.write_table(table.replace_schema_metadata(geo(about, version="1.0.0")), path)
        made.append(described(path, table, points))
    return made


def matrix(folder: Path) -> dict:
    """One table of values that vary, repeat and are missing, over several pages and row groups."""
    rows = 700
    points = [None if k % 11 == 0 else Point(k, k / 7) for k in range(rows)]
    table = pa.table({
        "geometry": wkb(points),
        "bool": pa.array([None if k % 5 == 0 else k % 3 == 0 for k in range(rows)]),
        "int32": pa.array([None if k % 7 == 0 else (k * 7919) % 100000 - 50000 for k in range(rows)], "int32"),
        "int64": pa.array([k * k * k * 104729 for k in range(rows)], "int64"),
        "double": pa.array([None if k % 13 == 0 else k / 3 for k in range(rows)]),
        "float": pa.array([k / 4 for k in range(rows)], "float32"),
        "text": pa.array([None if k % 4 == 0 else f"value {k % 50} of {k // 9}" for k in range(rows)]),
        "list": pa.array([None if k % 6 == 0 else list(range(k % 4)) for k in range(rows)], pa.list_(pa.int32())),
    })
    texts = ["geometry", "text"]
    numbers = ["int32", "int64", "list.list.element"]
    encodings = {
        "dictionary": {"use_dictionary": True},
        "plain": {"use_dictionary": False},
        "delta": {"use_dictionary": False, "column_encoding": {**{name: "DELTA_BINARY_PACKED" for name in numbers}, **{name: "DELTA_LENGTH_BYTE_ARRAY" for name in texts}}},
        "prefix": {"use_dictionary": False, "column_encoding": {**{name: "DELTA_BYTE_ARRAY" for name in texts}, "bool": "RLE"}},
        "split": {"use_dictionary": False, "column_encoding": {name: "BYTE_STREAM_SPLIT" for name in ("float", "double", "int32", "int64")}},
    }
    codecs = ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"]
    files = []
    for (encoding, options), codec, version in itertools.product(encodings.items(), codecs, ("1.0", "2.0")):
        if codec not in ("NONE", "ZSTD") and encoding not in ("dictionary", "plain"):
            continue
        path = folder / f"{encoding}-{codec}-{version}.parquet"
        pq.write_table(table.replace_schema_metadata(geo({})), path, compression=codec, data_page_version=version, data_page_size=1000, row_group_size=300, write_batch_size=64, **options)
        files.append(path.name)
    return {**described(folder / "any", table, points), "files": files}


def read(path: str) -> dict:
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"geo"])
    frame = geopandas.read_parquet(path)
    primary = about["columns"][about["primary_column"]]
    groups = pq.ParquetFile(path).metadata
    columns = {name: [plain(value, table.schema.field(name).type) for value in table[name]] for name in frame.columns if name != frame.geometry.name}
    return {
        "epsg": frame.crs.to_epsg(25) if frame.crs else None,
        "proj": frame.crs.to_proj4() if frame.crs else None,
        "version": about["version"],
        "types": primary["geometry_types"],
        "bbox": primary.get("bbox"),
        "column": frame.geometry.name,
        "columns": columns,
        "arrow": {name: str(table.schema.field(name).type) for name in columns},
        "geometry": [None if g is None else mapping(g) for g in frame.geometry],
        "rowGroups": [groups.row_group(k).num_rows for k in range(groups.num_row_groups)],
        "within": sorted(int(k) for k in geopandas.read_parquet(path, bbox=(100, 100, 300, 300)).index) if "covering" in primary else None,
    }


def plain(scalar, kind):
    """A value as JSON: dates and times as ISO 8601, integers beyond 2^53 and long decimals as text, NaN as null."""
    if not scalar.is_valid:
        return None
    if pa.types.is_dictionary(kind):
        return plain(scalar.as_py() and pa.scalar(scalar.as_py()), kind.value_type)
    if pa.types.is_timestamp(kind):
        text = str(np.datetime64(scalar.value, kind.unit))
        return shortened(text) + ("Z" if kind.tz else "")
    if pa.types.is_time(kind):
        return shortened(scalar.as_py().isoformat(timespec="microseconds"))
    if pa.types.is_date(kind):
        return scalar.as_py().isoformat()
    if pa.types.is_map(kind):
        return {key: plain(value, kind.item_type) for key, value in ((entry["key"].as_py(), entry["value"]) for entry in scalar.values)}
    if pa.types.is_list(kind):
        return [plain(value, kind.value_type) for value in scalar.values]
    if pa.types.is_struct(kind):
        return {field.name: plain(scalar[field.name], field.type) for field in kind}
    value = scalar.as_py()
    if isinstance(value, decimal.Decimal):
        digits = len(str(int(value.scaleb(kind.scale).copy_abs())))
        return float(value) if digits <= 15 else format(value, f".{kind.scale}f")
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value


def shortened(text: str) -> str:
    """Without a fraction of zero, and with three, six or nine digits."""
    head, _, fraction = text.partition(".")
    fraction = fraction.ljust(9, "0")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return head + ("." + fraction if fraction else "")


main()
