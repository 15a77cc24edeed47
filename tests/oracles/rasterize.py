"""rasterio.features.rasterize on a JSON list of cases from stdin; prints the burnt grids as a JSON list of hex strings.

A case: width, height, transform, allTouched, fill, shapes ([{geometry, value}]). Values are uint8. The grid is burnt with 32 more
columns on the right as well, "padded": GDAL writes some pixels beyond the right border into the next row, which a wider grid
shows where they belong.
"""

import json
import sys
import warnings

from rasterio.features import rasterize
from rasterio.transform import Affine

warnings.filterwarnings("ignore")


def burn(case, width):
    shapes = [(shape["geometry"], shape["value"]) for shape in case["shapes"]]
    return rasterize(
        shapes,
        out_shape=(case["height"], width),
        transform=Affine(*case["transform"]),
        all_touched=case["allTouched"],
        fill=case["fill"],
        dtype="uint8",
    )


print(
    json.dumps(
        [
            {
                "burnt": burn(case, case["width"]).tobytes().hex(),
                "padded": burn(case, case["width"] + 32)[:, : case["width"]].tobytes().hex(),
            }
            for case in json.load(sys.stdin)
        ]
    )
)
