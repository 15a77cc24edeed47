"""torchvision's RetinaNet or Mask R-CNN trained from given first weights on given chips, to be compared with geolearn fold by fold.

    python detector_twin.py --chips DIR --twin twin.json --initial initial.safetensors --epochs N --batch N --lr X --clip X --seed N --threads N

Chips are PASCAL VOC or RCNN_Masks. twin.json holds the network's configuration, the bands' mean and deviation, and the names of the chips of both
sides. The same loop as ours: flips and quarter turns, Adam, one cycle, gradients clipped to a norm. Prints one JSON line.
"""
import argparse, json, pathlib, time, xml.etree.ElementTree as ET

import numpy as np
import rasterio
import torch
from torchvision_detectors import detector

p = argparse.ArgumentParser()
for name in ("chips", "twin", "initial"):
    p.add_argument(f"--{name}", required=True)
for name, value in dict(epochs=1, batch=8, seed=1, threads=2).items():
    p.add_argument(f"--{name}", type=int, default=value)
for name, value in dict(lr=1e-3, clip=1.0).items():
    p.add_argument(f"--{name}", type=float, default=value)
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
rng = np.random.default_rng(a.seed)
root = pathlib.Path(a.chips)
twin = json.loads(pathlib.Path(a.twin).read_text())


OUTLINES = (root / "labels").is_dir() and any(p.is_dir() for p in (root / "labels").iterdir())


def boxes_of(masks):
    """Around the pixels of each mask, which none is without."""
    corners = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        corners.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.array(corners, "f4").reshape(-1, 4)


def load(name):
    """Image, boxes and, of chips with outlines, masks `[objects, height, width]`. All sets have one class."""
    with rasterio.open(root / "images" / f"{name}.tif") as f:
        x = f.read().astype("f4")
    if not OUTLINES:
        boxes = [[float(b.find(k).text) for k in ("xmin", "ymin", "xmax", "ymax")] for b in ET.parse(root / "labels" / f"{name}.xml").iter("bndbox")]
        return x, np.array(boxes, "f4").reshape(-1, 4), None
    masks = []
    for path in sorted((root / "labels").glob(f"*/{name}.tif")):
        with rasterio.open(path) as f:
            ids = f.read(1)
        masks += [ids == i for i in np.unique(ids[ids > 0])]
    masks = np.array(masks, bool).reshape(-1, *x.shape[1:])
    return x, boxes_of(masks), masks


def turned(x, boxes, masks, flip, turns):
    """The chip mirrored left to right and turned by quarters, its objects with it."""
    size = x.shape[1]
    assert x.shape[1] == x.shape[2]
    if flip:
        x, boxes = x[:, :, ::-1], np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], 1)
        masks = masks if masks is None else masks[:, :, ::-1]
    for _ in range(turns):  # counterclockwise: (x, y) goes to (y, size - x)
        x = np.rot90(x, 1, (1, 2))
        boxes = np.stack([boxes[:, 1], size - boxes[:, 2], boxes[:, 3], size - boxes[:, 0]], 1)
        masks = masks if masks is None else np.rot90(masks, 1, (1, 2))
    return np.ascontiguousarray(x), boxes, masks if masks is None else np.ascontiguousarray(masks)


def target(boxes, masks):
    """Labels count from 0 in a RetinaNet, from 1 in a Mask R-CNN."""
    labels = torch.full((len(boxes),), 0 if masks is None else 1, dtype=torch.int64)
    found = {"boxes": torch.from_numpy(np.ascontiguousarray(boxes)), "labels": labels}
    return found if masks is None else {**found, "masks": torch.from_numpy(masks.astype("u1"))}


def runs(mask):
    """Runs down the columns, 0 and 1 in turn, beginning with 0."""
    flat = mask.T.ravel().astype("i1")
    changes = np.flatnonzero(np.diff(flat, prepend=np.int8(0)))
    return np.diff([0, *changes, len(flat)]).tolist()


train, valid = [load(name) for name in twin["train"]], [load(name) for name in twin["valid"]]
net = detector(twin["modelType"], twin["config"], train[0][0].shape[1], a.initial, twin["mean"], twin["std"])
opt = torch.optim.Adam(net.parameters(), a.lr)
steps = len(train) // a.batch
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, a.lr, total_steps=steps * a.epochs)
started, losses = time.perf_counter(), []
for _ in range(a.epochs):
    net.train()
    order, total = rng.permutation(len(train)), 0.0
    for k in range(steps):
        images, targets = [], []
        for i in order[k * a.batch : (k + 1) * a.batch]:
            x, boxes, masks = turned(*train[i], rng.integers(2), rng.integers(4))
            images.append(torch.from_numpy(x))
            targets.append(target(boxes, masks))
        loss = sum(net(images, targets).values())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), a.clip)
        opt.step()
        schedule.step()
        total += loss.item()
    losses.append(round(total / steps, 4))
seconds = time.perf_counter() - started
net.eval()
found = []
with torch.no_grad():
    for name, (x, *_) in zip(twin["valid"], valid):
        one = net([torch.from_numpy(x)])[0]
        found.append({
            "name": name,
            "boxes": one["boxes"].flatten().tolist(),
            "scores": one["scores"].tolist(),
            "labels": (one["labels"] - int(OUTLINES)).tolist(),
            **({"masks": [runs(mask[0].numpy() >= 0.5) for mask in one["masks"]]} if OUTLINES else {}),
        })  # fmt: skip
print(json.dumps({"seconds": seconds, "losses": losses, "images": found, "parameters": sum(v.numel() for v in net.parameters())}))
