"""Reference systems by PROJ: positions, WKT in four flavours, ground metres.

    python tests/oracles/crs.py                    writes packages/core/src/crs/fixtures/crs.json (25 positions a system)
    python tests/oracles/crs.py --points 300       prints the same with more positions, for the test that runs PROJ live
    python tests/oracles/crs.py --projjson         prints the PROJJSON of every system
    python tests/oracles/crs.py --check < in.json  answers, for each {"wkt", "points"}, what PROJ makes of it, and whether it equals a code
    python tests/oracles/crs.py --tiff < in.json   the same for each {"path", "points"}, of the GeoTIFF as rasterio reads it
"""

import argparse
import json
import math
import random
import sys
import warnings
from pathlib import Path

import pyproj
from pyproj import CRS, Geod, Transformer

warnings.filterwarnings("ignore")
pyproj.network.set_network_enabled(False)

FIXTURE = Path(__file__).resolve().parents[2] / "packages/core/src/crs/fixtures/crs.json"

# code, and the box of positions where several published shifts overlap elsewhere
SYSTEMS = {
    4326: None, 3857: None, 3395: None, 32633: None, 32721: None, 32601: None, 32760: None, 25832: None, 25833: None,
    26917: None, 26910: None, 2154: None, 5070: None, 3035: None, 3034: None, 2056: None, 21781: None, 28992: None,
    31370: (3.5, 50.2, 6, 51.2), 3413: None, 3031: None, 3995: None, 5514: (12.5, 49.7, 16.5, 50.9), 27700: None,
    3067: None, 2193: None, 3006: None, 31287: (12, 46.8, 16, 48.4), 2180: None, 23700: None, 3763: None, 28355: None,
    7856: None, 2263: None, 2229: None, 3005: None, 3347: None, 6933: None, 5880: None, 29903: None, 2157: None,
    3577: None, 6668: None, 4258: None, 4269: (-124, 26, -70, 48), 3978: None, 32198: None, 27200: None, 2039: None, 2100: None,
}
PAIRS = [(32633, 3857), (25832, 3035), (5070, 32616), (2154, 32631), (2193, 3857), (28992, 3035), (2056, 4258), (26917, 3347), (27700, 25831)]
CUSTOM = [
    "+proj=tmerc +lat_0=47.5 +lon_0=9.25 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=laea +lat_0=10 +lon_0=20 +x_0=1000 +y_0=2000 +ellps=GRS80 +units=m +no_defs",
    "+proj=aea +lat_0=40 +lon_0=-96 +lat_1=20 +lat_2=60 +x_0=0 +y_0=0 +datum=NAD83 +units=us-ft +no_defs",
    "+proj=lcc +lat_0=46 +lon_0=2 +lat_1=44 +lat_2=49 +x_0=700000 +y_0=6600000 +datum=WGS84 +units=m +no_defs",
    "+proj=lcc +lat_1=45 +lat_0=45 +lon_0=5 +k_0=0.9999 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=stere +lat_0=90 +lat_ts=71 +lon_0=-45 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=stere +lat_0=-90 +lon_0=10 +k=0.994 +x_0=2000000 +y_0=2000000 +datum=WGS84 +units=m +no_defs",
    "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs",
    "+proj=moll +lon_0=11 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=cea +lat_ts=30 +lon_0=0 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=merc +lat_ts=41 +lon_0=100 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=tmerc +lat_0=0 +lon_0=15 +k=1 +x_0=5500000 +y_0=0 +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7 +units=m +no_defs",
    "+proj=utm +zone=19 +south +datum=WGS84 +units=m +no_defs",
    "+proj=somerc +lat_0=46.95 +lon_0=7.44 +k_0=1 +x_0=600000 +y_0=200000 +ellps=GRS80 +units=m +no_defs",
    "+proj=omerc +lat_0=45.31 +lonc=-86 +alpha=337.25556 +gamma=337.25556 +k=0.9996 +x_0=2546731.496 +y_0=-4354009.816 +no_uoff +datum=NAD83 +units=m +no_defs",
    "+proj=omerc +lat_0=-18.9 +lonc=46.4 +alpha=18.9 +gamma=18.9 +k=0.9995 +x_0=400000 +y_0=800000 +ellps=GRS80 +units=m +no_defs",
    "+proj=sterea +lat_0=46 +lon_0=25 +k=0.99975 +x_0=500000 +y_0=500000 +datum=WGS84 +units=m +no_defs",
    "+proj=stere +lat_0=40 +lon_0=10 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=poly +lat_0=0 +lon_0=-54 +x_0=5000000 +y_0=10000000 +ellps=GRS80 +units=m +no_defs",
    "+proj=cass +lat_0=10.4416667 +lon_0=-61.3333333 +x_0=86501.46 +y_0=65379.01 +datum=WGS84 +units=m +no_defs",
    "+proj=eqdc +lat_0=39 +lon_0=-96 +lat_1=33 +lat_2=45 +x_0=0 +y_0=0 +datum=NAD83 +units=m +no_defs",
    "+proj=aeqd +lat_0=52 +lon_0=5 +x_0=100 +y_0=200 +datum=WGS84 +units=m +no_defs",
    "+proj=eqc +lat_ts=30 +lat_0=0 +lon_0=20 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=tmerc +lat_0=0 +lon_0=27 +k=1 +x_0=0 +y_0=0 +axis=wsu +ellps=WGS84 +units=m +no_defs",
    "+proj=robin +lon_0=10 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs",
    "+proj=merc +lon_0=110 +k=0.997 +x_0=3900000 +y_0=900000 +ellps=GRS80 +units=m +no_defs",
    "+proj=longlat +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7 +no_defs",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tiff", action="store_true")
    parser.add_argument("--projjson", action="store_true")
    options = parser.parse_args()
    if options.check:
        print(json.dumps([check(item) for item in json.load(sys.stdin)]))
        return
    if options.tiff:
        print(json.dumps([tiff(item) for item in json.load(sys.stdin)]))
        return
    if options.projjson:
        print(json.dumps({str(text): CRS.from_user_input(text).to_json_dict() for text in [*SYSTEMS, *CUSTOM]}))
        return
    text = json.dumps(oracle(options.points or 25), separators=(",", ":"))
    if options.points:
        print(text)
        return
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(text.replace('{"code"', '\n{"code"').replace('{"from"', '\n{"from"').replace('{"proj"', '\n{"proj"') + "\n", encoding="utf-8")


def oracle(count: int) -> dict:
    rng = random.Random(20240607)
    return {
        "projVersion": pyproj.proj_version_str,
        "systems": [system(code, box, count, rng) for code, box in SYSTEMS.items()],
        "pairs": [pair(*codes, count, rng) for codes in PAIRS],
        "custom": [custom(proj, count, rng) for proj in CUSTOM],
    }


def system(code: int, box, count: int, rng: random.Random) -> dict:
    crs = CRS.from_epsg(code)
    transformer = Transformer.from_crs(4326, crs, always_xy=True)
    points = []
    for lon, lat in positions(box or crs.area_of_use.bounds, count, rng):
        x, y = transformer.transform(lon, lat)
        if math.isfinite(x) and "Ballpark" not in operation(transformer):
            points.append([lon, lat, shown(x, crs), shown(y, crs)])
    lon, lat, x, y = points[0]
    return {
        "code": code,
        "name": crs.name,
        "wkt1": wkt(crs, "WKT1_GDAL"),
        "esri": wkt(crs, "WKT1_ESRI"),
        "wkt2": wkt(crs, "WKT2_2019"),
        "ground": ground(crs, x, y),
        "points": points,
    }


def operation(transformer: Transformer) -> str:
    try:
        return transformer.get_last_used_operation().description
    except pyproj.exceptions.ProjError:
        return ""


def pair(source: int, target: int, count: int, rng: random.Random) -> dict:
    forward = Transformer.from_crs(4326, source, always_xy=True)
    transformer = Transformer.from_crs(source, target, always_xy=True)
    points = []
    for lon, lat in positions(CRS.from_epsg(source).area_of_use.bounds, count, rng):
        x, y = (round(value, 4) for value in forward.transform(lon, lat))
        points.append([x, y, *(shown(value, CRS.from_epsg(target)) for value in transformer.transform(x, y))])
    return {"from": source, "to": target, "points": points}


def custom(proj: str, count: int, rng: random.Random) -> dict:
    crs = CRS.from_proj4(proj)
    given = dict(item.lstrip("+").split("=") for item in proj.split() if "=" in item)
    lon = float(given.get("lon_0") or given.get("lonc", 6 * float(given.get("zone", 32)) - 183))
    lat = float(given.get("lat_0", -20 if "+south" in proj else 48))
    reach = 1 if "proj=cass" in proj else 4  # the series of Cassini-Soldner are for a narrow strip
    box = (lon - reach, max(lat - reach, -89), lon + reach, min(lat + reach, 89))
    transformer = Transformer.from_crs(4326, crs, always_xy=True)
    points = [[lon, lat, *(shown(value, crs) for value in transformer.transform(lon, lat))] for lon, lat in positions(box, count, rng)]
    return {"proj": proj, "ground": ground(crs, points[0][2], points[0][3]), "points": points}


def positions(bounds, count: int, rng: random.Random) -> list[tuple[float, float]]:
    west, south, east, north = bounds
    east += 360 if east < west else 0
    south, north = max(south, -85), min(north, 85)
    made = []
    for _ in range(count):
        lon = rng.uniform(west, east)
        made.append((round((lon + 180) % 360 - 180, 7), round(rng.uniform(south, north), 7)))
    return made


def shown(value: float, crs: CRS) -> float:
    return round(value, 10 if crs.is_geographic else 5)


def wkt(crs: CRS, flavour: str) -> str | None:
    try:
        return crs.to_wkt(flavour)
    except pyproj.exceptions.CRSError:
        return None


def ground(crs: CRS, x: float, y: float) -> list[float]:
    """Ground metres of one unit of x and of y, along the ellipsoid of the system."""
    base = crs.geodetic_crs
    geod = Geod(a=base.ellipsoid.semi_major_metre, b=base.ellipsoid.semi_minor_metre)
    transformer = Transformer.from_crs(crs, base, always_xy=True)
    step = 1e-5 if crs.is_geographic else 1
    result = []
    for dx, dy in ((step, 0), (0, step)):
        (lon1, lat1), (lon2, lat2) = transformer.transform(x - dx, y - dy), transformer.transform(x + dx, y + dy)
        result.append(geod.inv(lon1, lat1, lon2, lat2)[2] / (2 * step))
    return result


def tiff(item: dict) -> dict:
    import rasterio

    with rasterio.open(item["path"]) as dataset:
        return {**check({**item, "wkt": dataset.crs.to_wkt()}), "epsg": dataset.crs.to_epsg()}


def check(item: dict) -> dict:
    """The system PROJ reads from a text, and where it puts positions given in longitude and latitude."""
    try:
        crs = CRS.from_user_input(item["wkt"])
    except pyproj.exceptions.CRSError as error:
        return {"error": str(error)}
    transformer = Transformer.from_crs(4326, crs, always_xy=True)
    answer = {"epsg": crs.to_epsg(25) if item.get("code") else None, "name": crs.name, "points": [transformer.transform(*point[:2]) for point in item["points"]]}
    if item.get("equals"):
        answer["equal"] = crs == CRS.from_epsg(item["equals"])
    return answer


main()
