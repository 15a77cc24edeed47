"""Writes packages/core/src/crs/epsg-data.ts: the reference systems of the EPSG dataset as PROJ 9 ships it.

    python tests/oracles/epsg_table.py

Per geographic system: name, datum, Esri's name, ellipsoid and meridian. Per projected system: name, base, projection, and its axes
where they are not those the projection's PROJ string has (east, north unless it says otherwise).
Per geographic system also every published shift to WGS 84 in the order PROJ prefers them, with area and accuracy;
shifts that need a grid file are listed by their accuracy only, so that a reader can tell what it would be missing.
"""

import math
import re
import sys
import warnings
from pathlib import Path

import pyproj
from pyproj import CRS
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.transformer import TransformerGroup

warnings.filterwarnings("ignore")
pyproj.network.set_network_enabled(False)

TARGET = Path(__file__).resolve().parents[2] / "packages/core/src/crs/epsg-data.ts"
DATUM_KEYS = {"datum", "ellps", "a", "b", "rf", "f", "R", "pm", "towgs84", "nadgrids", "no_defs", "type", "wktext"}
DROP = {"units": "m", "x_0": "0", "y_0": "0", "lat_0": "0", "lon_0": "0", "k": "1", "k_0": "1"}
STEPS = {"pipeline", "unitconvert", "push", "pop", "cart", "longlat", "noop", "axisswap", "helmert", "molobadekas"}


def main() -> None:
    geographic, projected, shifts, skipped = [], [], [], []
    for info in query_crs_info("EPSG", [PJType.GEOGRAPHIC_2D_CRS], allow_deprecated=True):
        crs = CRS.from_epsg(info.code)
        text = crs.to_proj4()
        datum = [item for item in parameters(text) if item[0] in {"datum", "ellps", "a", "b", "rf", "R", "pm"}]
        if not crs.axis_info[0].unit_name.startswith("degree"):
            datum.append(("unit", crs.axis_info[0].unit_name))  # a base of projected systems only
        esri = re.match(r'GEOGCS\["([^"]*)",DATUM\["([^"]*)"', wkt(crs, "WKT1_ESRI"))
        gdal = re.match(r'GEOGCS\["[^"]*",DATUM\["([^"]*)"', wkt(crs, "WKT1_GDAL"))
        esri_gcs, esri_datum = esri.groups() if esri else ("", "")
        geographic.append([info.code, info.name, gdal.group(1) if gdal else "", esri_gcs, esri_datum, join(datum)])
        shifts += shifts_of(info.code, crs)
    known = {row[0] for row in geographic}
    for authority in ("EPSG", "ESRI"):
        for info in query_crs_info(authority, [PJType.PROJECTED_CRS], allow_deprecated=authority == "EPSG"):
            try:
                crs = CRS.from_authority(authority, info.code)
                base = crs.geodetic_crs.to_authority(min_confidence=100)
                text = crs.to_proj4()
                if base is None and crs.geodetic_crs.name == "WGS 84":
                    base = ("EPSG", "4326")
            except pyproj.exceptions.CRSError:
                skipped.append(info.code)
                continue
            if base is None or base[0] != "EPSG" or base[1] not in known or not text:
                skipped.append(info.code)
                continue
            items = [item for item in parameters(text) if item[0] not in DATUM_KEYS]
            items = [item for item in items if DROP.get(item[0]) != item[1]]
            if "nadgrids=@null" in text:
                items.append(("nadgrids", "@null"))
            code = info.code if authority == "EPSG" else f"ESRI:{info.code}"
            projected.append([code, info.name, base[1], join(items).removeprefix("proj="), *axes(crs, dict(items).get("axis", "enu"))])
    write(geographic, projected, shifts)
    print(len(geographic), "geographic,", len(projected), "projected,", len(shifts), "shifts,", len(skipped), "skipped", file=sys.stderr)


def axes(crs: CRS, known: str) -> list[str]:
    """`["ne"]`; around a pole with the meridians they follow, `["E:north 90,N:north 180"]`; nothing where they are PROJ's."""
    axes = crs.to_json_dict()["coordinate_system"]["axis"]
    directions = [axis["direction"] for axis in axes]
    if directions == ["north", "east"] and known == "enu":
        return ["ne"]
    if directions[0] != directions[1]:
        return []
    return [",".join(f"{axis['name'][0]}:{axis['direction']} {number(axis['meridian']['longitude'])}" for axis in axes)]


def wkt(crs: CRS, flavour: str) -> str:
    try:
        return crs.to_wkt(flavour) or ""
    except pyproj.exceptions.CRSError:
        return ""


def parameters(text: str) -> list[tuple[str, str]]:
    return [tuple((part.split("=", 1) + [""])[:2]) for part in text.replace("+", "").split()]


def join(items: list[tuple[str, str]]) -> str:
    return " ".join(f"{key}={value}" if value else key for key, value in items)


def shifts_of(code: str, crs: CRS) -> list[list[str]]:
    if code == "4326":
        return []
    rows = []
    group = TransformerGroup(crs, CRS.from_epsg(4326), always_xy=True)
    for operation in group.transformers:
        shift = None if "Ballpark" in operation.description else shift_of(operation.definition)
        if shift is not None:
            rows.append([code, number(operation.accuracy), area(operation.area_of_use), shift])
    for operation in group.unavailable_operations:
        if operation.grids:
            rows.append([code, number(operation.accuracy), area(operation.area_of_use), operation.grids[0].short_name])
    return rows


def shift_of(definition: str) -> str | None:
    """The seven parameters in PROJ's position vector convention, "0" for no shift, None when it is something else."""
    if set(re.findall(r"proj=(\w+)", definition)) - STEPS:
        return None
    helmert = [step for step in definition.split("step ") if step.startswith(("proj=helmert", "inv proj=helmert", "proj=molobadekas", "inv proj=molobadekas"))]
    if not helmert:
        return "0,0,0" if "proj=cart" in definition else "0"
    if len(helmert) > 1 or helmert[0].startswith("inv"):
        return None
    values = dict(re.findall(r"(\w+)=(\S+)", helmert[0]))
    if "convention" in values and values["convention"] not in ("position_vector", "coordinate_frame"):
        return None
    if {"dx", "dy", "dz", "drx", "t_epoch", "theta"} & values.keys() or "exact" in helmert[0]:
        return None
    sign = -1 if values.get("convention") == "coordinate_frame" else 1
    seven = [float(values.get(key, 0)) * (sign if key.startswith("r") else 1) for key in ("x", "y", "z", "rx", "ry", "rz", "s")]
    if "molobadekas" in helmert[0]:
        seven = without_pivot(seven, [float(values[key]) for key in ("px", "py", "pz")])
    while len(seven) > 3 and seven[-1] == 0:
        seven.pop()
    return ",".join(number(value) for value in seven)


def without_pivot(seven: list[float], pivot: list[float]) -> list[float]:
    """Rotation about a pivot is rotation about the origin with another translation."""
    (dx, dy, dz, rx, ry, rz, s), (x, y, z) = seven, pivot
    a, b, c = (math.radians(value / 3600) for value in (rx, ry, rz))
    scale = 1 + s * 1e-6
    moved = (scale * (x - c * y + b * z), scale * (c * x + y - a * z), scale * (-b * x + a * y + z))
    return [round(t + p - m, 6) for t, p, m in zip((dx, dy, dz), pivot, moved)] + [rx, ry, rz, s]


def area(used) -> str:
    if used is None:
        return "-180,-90,180,90"
    bounds = ",".join(number(value) for value in used.bounds)
    return bounds + (",offshore" if "- offshore" in (used.name or "") else "")


def number(value: float) -> str:
    return repr(value + 0).removesuffix(".0")


def write(geographic: list[list[str]], projected: list[list[str]], shifts: list[list[str]]) -> None:
    def rows(name: str, doc: str, lines: list[list[str]]) -> str:
        text = "\n".join("|".join(line) for line in lines)
        assert "`" not in text and "\\" not in text and "${" not in text
        return f"/** {doc} */\nexport const {name}: string = `\n{text}\n`;\n"

    TARGET.write_text(
        "/**\n * Generated by tests/oracles/epsg_table.py; do not edit. Contains data of the EPSG Geodetic Parameter Dataset (IOGP,\n"
        f" * epsg.org) as distributed with PROJ {pyproj.proj_version_str}, and names of the Esri projection engine.\n */\n\n"
        + rows("GEOGRAPHIC", "code | name | datum | Esri name | Esri datum | PROJ parameters of the datum", geographic)
        + "\n"
        + rows("PROJECTED", "code | name | geographic code | PROJ parameters of the projection | axes, where PROJ's are others", projected)
        + "\n"
        + rows("SHIFTS", "geographic code | accuracy in m | west,south,east,north[,offshore] | +towgs84 to WGS 84, or the grid it would take", shifts),
        encoding="utf-8",
    )


main()
