"""Expected values of data preparation, made by rasterio, shapely and numpy.

Reads one JSON command from standard input, prints one JSON answer.
  {"do": "burn", "chips": DIR, "shapes": [{"geometry": ..., "value": 1}], "crs": "EPSG:4326", "all_touched": false}
      compares every label chip of DIR with rasterio.features.rasterize of the shapes on the chip's own grid; names the chips' systems
  {"do": "images", "chips": DIR, "raster": PATH, "tolerance": 1}
      compares every image chip with a window read of the raster
  {"do": "warp", "path": PATH, "band": 1, "transform": [a, b, c, d, e, f], "width": w, "height": h, "crs": "EPSG:32633"}
      a band seen on another grid, bilinear, and where it is valid
  {"do": "statistics", "chips": DIR, "stems": [...]}
      mean, standard deviation, minimum and maximum per band in float64
  {"do": "buffer", "geometry": ..., "radius": 3.5, "shape": [h, w], "transform": [a, b, c, d, e, f]}
      pixels of shapely's buffer, as a list of positions
  {"do": "clip", "polygons": [[ring, hole, ...], ...], "width": w, "height": h, "ours": [[ring, ...], ...]}
      area and bounds of every polygon inside the rectangle, and the area by which our rings differ from it
  {"do": "objects", "chips": DIR, "features": [{"geometry": ..., "value": 1}], "min_overlap": 0.3}
      [stem, value, box, area in map units] of every feature a chip shows, from the chips' own grids
  {"do": "masks", "chips": DIR, "features": [...], "min_overlap": 0.3}
      compares every mask of labels/<value>/ with features burnt one after another and numbered anew
  {"do": "around", "chips": DIR, "raster": PATH, "features": [...], "blacken": true}
      compares the n-th chip with the raster's pixels in its window, outside the n-th feature 0; gives the windows
  {"do": "coco", "file": PATH}
      what pycocotools loads: images, categories, annotations with the positions of their pixels
  {"do": "runs", "masks": [[0, 1, ...], ...], "width": w}
      pycocotools' run lengths, as numbers and as text
  {"do": "burnt", "chips": DIR, "features": [...]}
      positions of the pixels of every feature a chip shows, burnt alone
  {"do": "moved", "cases": [{"boxes": [...], "map": picture to source}], "width": w, "height": h, "min_overlap": 0.3}
      the part inside the picture of every box of which enough lies inside
  {"do": "voc", "chips": DIR}
      [stem, name, box as written] of every object in the XML files below a folder
"""
import json, pathlib, sys
import numpy as np, rasterio
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.warp import transform_geom

c = json.load(sys.stdin)


def chips(folder):
    return sorted((pathlib.Path(folder) / "images").glob("*.tif"))


if c["do"] == "burn":
    wrong = total = 0
    placed = {}
    systems = set()
    for path in chips(c["chips"]):
        with rasterio.open(path.parent.parent / "labels" / path.name) as f:
            own, transform, crs, nodata = f.read(1), f.transform, f.crs, f.nodata
        key = crs.to_wkt()
        systems.add(crs.to_epsg())
        if key not in placed:
            placed[key] = [(s["geometry"] if c.get("crs") is None else transform_geom(c["crs"], crs, s["geometry"]), s["value"]) for s in c["shapes"]]
        shapes = placed[key]
        peer = rasterize(shapes, own.shape, transform=transform, all_touched=c.get("all_touched", False), dtype="int32")
        seen = own != nodata
        wrong += int((peer[seen] != own[seen]).sum())
        total += int(seen.sum())
    answer = {"wrong": wrong, "pixels": total, "systems": sorted(systems)}
elif c["do"] == "images":
    wrong = total = 0
    with rasterio.open(c["raster"]) as src:
        for path in chips(c["chips"]):
            with rasterio.open(path) as f:
                own, transform = f.read().astype("f8"), f.transform
            col, row = ~src.transform * (transform.c, transform.f)
            window = rasterio.windows.Window(round(col), round(row), own.shape[2], own.shape[1])
            peer = src.read(window=window).astype("f8")
            wrong += int((~(np.abs(peer - own) <= c["tolerance"]) & ~(np.isnan(peer) & np.isnan(own))).sum())
            total += peer.size
    answer = {"wrong": wrong, "samples": total}
elif c["do"] == "warp":
    from rasterio.warp import Resampling, reproject

    with rasterio.open(c["path"]) as src:
        own = src.read(c["band"])
        grid = {
            "src_transform": src.transform,
            "src_crs": src.crs,
            "dst_transform": Affine(*c["transform"]),
            "dst_crs": c["crs"],
        }
    shape = (c["height"], c["width"])
    data, valid = np.zeros(shape, own.dtype), np.zeros(shape, np.uint8)
    reproject(own, data, resampling=Resampling.bilinear, tolerance=0, **grid)
    reproject(np.ones_like(own), valid, resampling=Resampling.nearest, tolerance=0, **grid)
    answer = {"data": data.ravel().tolist(), "valid": valid.ravel().tolist()}
elif c["do"] == "statistics":
    stack = []
    for stem in c["stems"]:
        with rasterio.open(pathlib.Path(c["chips"]) / "images" / f"{stem}.tif") as f:
            stack.append(f.read(masked=True).astype("f8").reshape(f.count, -1))
    pixels = np.ma.concatenate(stack, 1)
    pixels = np.ma.masked_invalid(pixels)
    answer = {"mean": [float(v) for v in pixels.mean(1)], "std": [float(v) for v in pixels.std(1)],
              "min": [float(v) for v in pixels.min(1)], "max": [float(v) for v in pixels.max(1)]}
elif c["do"] == "buffer":
    from shapely.geometry import shape
    grown = shape(c["geometry"]).buffer(c["radius"])
    grid = rasterize([grown], c["shape"], transform=Affine(*c["transform"]))
    answer = {"pixels": [int(i) for i in np.flatnonzero(grid)], "area": grown.area}
elif c["do"] == "clip":
    from shapely.geometry import Polygon, box
    from shapely import make_valid
    frame = box(0, 0, c["width"], c["height"])
    answer = []
    for polygon, ours in zip(c["polygons"], c["ours"]):
        part = Polygon(polygon[0], polygon[1:]).intersection(frame)
        covered = Polygon()
        for ring in ours:  # even-odd: holes lie in shells
            covered = covered.symmetric_difference(make_valid(Polygon(ring)))
        answer.append({"area": part.area, "bounds": list(part.bounds) if part.area > 0 else [], "differs": covered.symmetric_difference(part).area})
elif c["do"] in ("objects", "masks"):
    from shapely.geometry import box, shape
    from shapely.affinity import affine_transform
    rows, wrong, masks = [], 0, 0
    for path in chips(c["chips"]):
        with rasterio.open(path) as f:
            size, t = (f.height, f.width), f.transform
        i = ~t
        frame = box(0, 0, size[1], size[0])
        shown = []
        for feature in c["features"]:
            own = affine_transform(shape(feature["geometry"]), [i.a, i.b, i.d, i.e, i.c, i.f])
            part = own.intersection(frame)
            if part.area > 0 and part.area / own.area >= c["min_overlap"]:
                shown.append(feature)
                rows.append([path.stem, feature["value"], list(part.bounds), part.area * abs(t.determinant)])
        if c["do"] == "masks":
            for value in sorted({f["value"] for f in c["features"]}):
                own = [(f["geometry"], n + 1) for n, f in enumerate(f for f in shown if f["value"] == value)]
                peer = rasterize(own, size, transform=t, dtype="int32") if own else np.zeros(size, "int32")
                ids = [n for n in np.unique(peer) if n]
                numbered = np.zeros(size, "int32")
                for n, old in enumerate(ids):
                    numbered[peer == old] = n + 1
                file = pathlib.Path(c["chips"]) / "labels" / str(value) / path.name
                if file.exists():
                    with rasterio.open(file) as f:
                        written = f.read(1)
                    wrong += int((written != numbered).sum())
                    masks += 1
                else:
                    wrong += len(ids)
    answer = {"rows": rows} if c["do"] == "objects" else {"wrong": wrong, "masks": masks}
elif c["do"] == "around":
    wrong, windows = 0, []
    with rasterio.open(c["raster"]) as src:
        for path, feature in zip(chips(c["chips"]), c["features"], strict=True):
            with rasterio.open(path) as f:
                own, transform = f.read(), f.transform
            col, row = ~src.transform * (transform.c, transform.f)
            windows.append([round(col), round(row), own.shape[2], own.shape[1]])
            peer = src.read(window=rasterio.windows.Window(*windows[-1]))
            if c["blacken"]:
                peer = peer * rasterize([feature["geometry"]], own.shape[1:], transform=transform)
            wrong += int((peer != own).sum())
    answer = {"wrong": wrong, "windows": windows}
elif c["do"] == "coco":
    import contextlib, os
    from pycocotools.coco import COCO
    with contextlib.redirect_stdout(open(os.devnull, "w")):
        coco = COCO(c["file"])
    ids = coco.getImgIds()
    answer = {"images": [[i["file_name"], i["width"], i["height"]] for i in coco.loadImgs(ids)],
              "categories": [[k["id"], k["name"]] for k in coco.loadCats(coco.getCatIds())],
              "annotations": [{"image": coco.imgs[a["image_id"]]["file_name"], "category": a["category_id"], "bbox": a["bbox"], "area": a["area"],
                               "runs": isinstance(a["segmentation"], dict), "pixels": [int(i) for i in np.flatnonzero(coco.annToMask(a))]}
                              for a in coco.loadAnns(coco.getAnnIds(imgIds=ids))]}
elif c["do"] == "runs":
    from pycocotools import mask as rle
    answer = []
    for flat in c["masks"]:
        m = np.array(flat, "uint8").reshape(-1, c["width"])
        column = m.T.reshape(-1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], column])) != 0)
        counts = np.diff(np.concatenate([[0], edges, [column.size]]))
        encoded = rle.encode(np.asfortranarray(m))
        plain = {"size": list(m.shape), "counts": [int(n) for n in counts]}
        assert (rle.decode(rle.frPyObjects(plain, *m.shape)) == m).all()  # the numbers stand for the same mask
        answer.append({"counts": plain["counts"], "text": encoded["counts"].decode()})
elif c["do"] == "burnt":
    from shapely.geometry import box, shape
    answer = []
    for path in chips(c["chips"]):
        with rasterio.open(path) as f:
            size, t = (f.height, f.width), f.transform
            frame = box(*f.bounds)
        for feature in c["features"]:
            if shape(feature["geometry"]).intersection(frame).area > 0:
                answer.append([int(i) for i in np.flatnonzero(rasterize([feature["geometry"]], size, transform=t))])
elif c["do"] == "moved":
    from shapely.geometry import box
    from shapely.affinity import affine_transform
    frame, answer = box(0, 0, c["width"], c["height"]), []
    for case in c["cases"]:
        a, b, x, d, e, y = case["map"]
        i = ~Affine(a, b, x, d, e, y)
        moved = [affine_transform(box(*own), [i.a, i.b, i.d, i.e, i.c, i.f]) for own in case["boxes"]]
        answer.append([list(m.intersection(frame).bounds) for m in moved
                       if m.intersection(frame).area > 0 and m.intersection(frame).area >= c["min_overlap"] * m.area])
elif c["do"] == "voc":
    import xml.etree.ElementTree as tree
    answer = []
    for path in sorted(pathlib.Path(c["chips"]).rglob("*.xml")):
        if path.name.endswith(".aux.xml"):
            continue
        for o in tree.parse(path).getroot().findall("object"):
            answer.append([path.stem, o.find("name").text, [float(o.find("bndbox").find(k).text) for k in ("xmin", "ymin", "xmax", "ymax")]])
print(json.dumps(answer))
