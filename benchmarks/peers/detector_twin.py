"""torchvision's RetinaNet trained from given first weights on given chips, to be compared with geolearn fold by fold.

    python detector_twin.py --chips DIR --twin twin.json --initial initial.safetensors --epochs N --batch N --lr X --clip X --seed N --threads N

torchvision's own classes; only widths and anchors are configured. twin.json holds the network's configuration, the bands' mean and deviation, and
the names of the chips of both sides. The same loop as ours: flips and quarter turns, Adam, one cycle, gradients clipped to a norm. torchvision
lies in the folder `zoo` of the environment (scripts/setup-peers.sh --zoo). Prints one JSON line.
"""
import argparse, json, pathlib, struct, sys, time, xml.etree.ElementTree as ET

import numpy as np
import rasterio
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracles"))
from zoo import use_zoo  # noqa: E402

keep = use_zoo()
import torchvision  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.backbone_utils import BackboneWithFPN  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNet  # noqa: E402
from torchvision.ops import boxes as box_ops  # noqa: E402
from torchvision.ops.feature_pyramid_network import LastLevelP6P7  # noqa: E402

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
config = twin["config"]


def nms(boxes, scores, threshold):
    """As torchvision's, whose compiled form the zoo lacks."""
    order = torch.sort(scores, descending=True, stable=True)[1]
    overlaps = box_ops.box_iou(boxes[order], boxes[order]) > threshold
    gone, kept = torch.zeros(len(boxes), dtype=torch.bool), []
    for i in range(len(boxes)):
        if not gone[i]:
            kept.append(int(order[i]))
            gone |= overlaps[i]
    return torch.tensor(kept, dtype=torch.int64)


box_ops.nms = nms


def load(name):
    with rasterio.open(root / "images" / f"{name}.tif") as f:
        x = f.read().astype("f4")
    boxes = [[float(b.find(k).text) for k in ("xmin", "ymin", "xmax", "ymax")] for b in ET.parse(root / "labels" / f"{name}.xml").iter("bndbox")]
    return x, np.array(boxes, "f4").reshape(-1, 4)


def turned(x, boxes, flip, turns):
    """The chip mirrored left to right and turned by quarters, its boxes with it."""
    size = x.shape[1]
    assert x.shape[1] == x.shape[2]
    if flip:
        x, boxes = x[:, :, ::-1], np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], 1)
    for _ in range(turns):  # counterclockwise: (x, y) goes to (y, size - x)
        x = np.rot90(x, 1, (1, 2))
        boxes = np.stack([boxes[:, 1], size - boxes[:, 2], boxes[:, 3], size - boxes[:, 0]], 1)
    return np.ascontiguousarray(x), boxes


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    return {
        name: torch.from_numpy(np.frombuffer(data[8 + size :][slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy())
        for name, entry in header.items()
        if name != "__metadata__"
    }


def network():
    bands, width = config["bands"], config["fpnWidth"]
    body = getattr(torchvision.models, config["backbone"])(weights=None)
    if bands != 3:
        body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    backbone = BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], width, extra_blocks=LastLevelP6P7(width, width))
    anchors = config["anchors"]
    sizes = tuple(tuple(int(size * scale) for scale in anchors["scales"]) for size in anchors["sizes"])
    generator = AnchorGenerator(sizes, (tuple(anchors["ratios"]),) * len(sizes))
    net = RetinaNet(backbone, config["classes"], anchor_generator=generator, image_mean=twin["mean"], image_std=twin["std"], _skip_resize=True)
    given = {}
    for name, value in safetensors(a.initial).items():
        for own, theirs in ("encoder.", "backbone.body."), ("fpn.", "backbone.fpn."):
            if name.startswith(own):
                name = theirs + name[len(own) :]
        given[name] = value
    left = net.load_state_dict(given, strict=False)
    assert not left.unexpected_keys and all(k.endswith("num_batches_tracked") for k in left.missing_keys), left
    return net


train, valid = [load(name) for name in twin["train"]], [load(name) for name in twin["valid"]]
net = network()
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
            x, boxes = turned(*train[i], rng.integers(2), rng.integers(4))
            images.append(torch.from_numpy(x))
            targets.append({"boxes": torch.from_numpy(np.ascontiguousarray(boxes)), "labels": torch.zeros(len(boxes), dtype=torch.int64)})
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
    for name, (x, _) in zip(twin["valid"], valid):
        one = net([torch.from_numpy(x)])[0]
        found.append({
            "name": name,
            "boxes": one["boxes"].flatten().tolist(),
            "scores": one["scores"].tolist(),
            "labels": one["labels"].tolist(),
        })  # fmt: skip
print(json.dumps({"seconds": seconds, "losses": losses, "images": found, "parameters": sum(v.numel() for v in net.parameters())}))
