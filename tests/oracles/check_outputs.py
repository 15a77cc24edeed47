"""Checks what the chain wrote, with GDAL's, shapely's and rio-cogeo's eyes. Usage: check_outputs.py MAP.tif POLYGONS.gpkg. Prints JSON."""
import json, sys
import pyogrio, rasterio, shapely
from rasterio.features import rasterize
from rio_cogeo.cogeo import cog_validate

map_path, polygons_path = sys.argv[1:3]
with rasterio.open(map_path) as f:
    band = f.read(1)
    valid = f.read_masks(1) > 0
    transform = f.transform
    out = {"crs": f.crs.to_epsg(), "dtype": f.dtypes[0], "width": f.width, "height": f.height, "nodata": f.nodata,
           "values": sorted(int(v) for v in set(band[valid].ravel())), "colormap": f.colorinterp[0].name}
ok, errors, warnings = cog_validate(map_path, strict=True)
out["cog"] = {"valid": ok, "errors": errors, "warnings": warnings}
meta, _, geometry, fields = pyogrio.raw.read(polygons_path)
shapes = shapely.from_wkb(geometry)
values = fields[list(meta["fields"]).index("value")]
out["polygons"] = {"crs": meta["crs"], "count": len(shapes), "invalid": int((~shapely.is_valid(shapes)).sum())}
burnt = rasterize(((s, int(v)) for s, v in zip(shapes, values)), out_shape=band.shape, transform=transform, fill=0, dtype="int32") if len(shapes) else 0 * band
classes = set(int(v) for v in values)
expected = band.astype("int32") * valid
out["differs"] = int(((burnt != expected) & valid & [[int(v) in classes for v in row] for row in band]).sum()) if len(shapes) else 0
print(json.dumps(out))
