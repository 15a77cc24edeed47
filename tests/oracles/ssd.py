"""torchvision's own SSD and SSDLite: parameters, outputs, anchors, losses, detections and a short training run.

    scripts/setup-peers.sh --zoo
    python tests/oracles/ssd.py

Writes packages/models/src/ssd/fixtures/ssd.json. The class `SSD` and its heads, anchors, matching, losses and detections are torchvision's; the encoder behind
them is its ResNet-18 with layers of stride 2 as `SSDFeatureExtractorVGG` has them, or the whole `ssdlite320_mobilenet_v3_large`. The cells of grids are written
as arcgis.learn describes them: rows and columns of equal cells, height first. As in retinanet.py weights, pixels,
outputs of heads and scenes come from the hash of pattern.py.
"""
import hashlib, json, pathlib
from collections import OrderedDict
import numpy as np, torch
from pattern import pack, pattern
from retinanet import TRUTHS, fill, keys, pixels, scene, thinned
import torchvision
from torchvision.models.detection._utils import SSDMatcher
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD, _xavier_init
from torchvision.models.detection.ssdlite import ssdlite320_mobilenet_v3_large
from torchvision.ops import boxes as box_ops

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "ssd" / "fixtures" / "ssd.json"
CLASSES = 3
HEIGHT, WIDTH = 96, 160
MAPS = [8, 16, 32, 64, 128]
SCALES = [0.07, *(0.15 + 0.9 * i / 4 for i in range(5))]
RATIOS = [[2], [2, 3], [2, 3], [2], [2]]


class Encoder(torch.nn.Module):
    """Maps at an 8th to a 128th."""

    def __init__(self, bands):
        super().__init__()
        self.body = torchvision.models.resnet18(weights=None)
        del self.body.fc
        if bands != 3:
            self.body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
        relu, conv = torch.nn.ReLU, torch.nn.Conv2d
        self.extra = torch.nn.ModuleList([
            torch.nn.Sequential(conv(512, 256, 1), relu(), conv(256, 512, 3, 2, 1), relu()),
            torch.nn.Sequential(conv(512, 128, 1), relu(), conv(128, 256, 3, 2, 1), relu()),
        ])
        _xavier_init(self.extra)
        self.out_channels = [128, 256, 512, 512, 256]

    def forward(self, x):
        b = self.body
        x = b.layer1(b.maxpool(b.relu(b.bn1(b.conv1(x)))))
        maps = []
        for layer in (b.layer2, b.layer3, b.layer4, *self.extra):
            x = layer(x)
            maps.append(x)
        return OrderedDict((str(i), m) for i, m in enumerate(maps))


def network(bands=3, classes=CLASSES, size=(HEIGHT, WIDTH), **options):
    generator = DefaultBoxGenerator(RATIOS, scales=SCALES)
    return SSD(Encoder(bands), generator, size, classes + 1, image_mean=[0.0] * bands, image_std=[1.0] * bands, _skip_resize=True, **options)


def lite(bands=3, classes=CLASSES):
    net = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes + 1)
    if bands != 3:
        net.backbone.features[0][0][0] = torch.nn.Conv2d(bands, 16, 3, 2, 1, bias=False)
    return net


def outputs():
    cases = []
    for name, make, size, bands in (
        ("standard", network, [1, 64, 96], 3),
        ("standard", network, [2, 75, 130], 3),
        ("standard", network, [1, 64, 64], 12),
        ("standard", network, [1, 64, 64], 1),
        ("lite", lite, [1, 128, 96], 3),
        ("lite", lite, [2, 97, 65], 4),
    ):
        net = fill(make(bands), None).double().eval()
        with torch.no_grad():
            found = net.head(list(net.backbone(pixels(size, bands).double()).values()))
        cases.append({"variant": name, "size": size, "bands": bands, "logits": thinned(found["cls_logits"]), "boxes": thinned(found["bbox_regression"])})
    return cases


def grids(height, width, maps=MAPS):
    return [[-(-height // s), -(-width // s)] for s in maps]


def default_boxes(generator, height, width, sizes):
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    return generator(images, [torch.zeros(1, 1, *g) for g in sizes])[0]


def cells(height, width, count, zooms, ratios):
    """Boxes of a grid over the image, as arcgis.learn's `grids`, `zooms` and `ratios` (height, width) mean them."""
    boxes = []
    for row in range(count):
        for column in range(count):
            y, x = (row + 0.5) / count * height, (column + 0.5) / count * width
            for zoom in zooms:
                for h, w in ratios:
                    half = 0.5 * zoom * h / count * height, 0.5 * zoom * w / count * width
                    boxes.append([x - half[1], y - half[0], x + half[1], y + half[0]])
    return np.array(boxes)


def anchors():
    cases = []
    six, lite_six = [8, 16, 32, 64, 128, 256], [16, 32, 64, 128, 256, 512]
    standard = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2], [2]], scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05])
    for variant, generator, maps, height, width in (
        ("standard", standard, six, 256, 256),
        ("standard", standard, six, 200, 360),
        ("lite", DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95), lite_six, 320, 320),
    ):
        found = default_boxes(generator, height, width, grids(height, width, maps))
        cases.append({"variant": variant, "height": height, "width": width, "grids": grids(height, width, maps), "count": len(found),
                      "first": found[:6].flatten().tolist(), "sha256": hashlib.sha256(found.numpy().astype("<f4").tobytes()).hexdigest()})
    return cases


def grid_anchors():
    given = {"grids": [4, 2, 1], "zooms": [0.7, 1.0, 1.3], "ratios": [[1.0, 1.0], [1.0, 0.5], [0.5, 1.0]]}
    boxes = np.concatenate([cells(64, 96, count, given["zooms"], given["ratios"]) for count in given["grids"]])
    return {"height": 64, "width": 96, "given": given, "count": len(boxes), "boxes": pack(torch.from_numpy(boxes.astype("f4")).flatten())}


TRUTHS = {
    **{k: v for k, v in TRUTHS.items() if k != "many"},
    "one claims what another overlaps": [[60, 30, 92, 62, 0], [58, 30, 94, 62, 1], [60, 28, 92, 64, 2]],
    "many": [[16.0 * c, 16.0 * r, 16.0 * c + 5 + (3 * r + c) % 11, 16.0 * r + 6 + (r + 2 * c) % 9, (r + c) % 3] for r in range(6) for c in range(9)],
}
BATCHES = [[k] for k in TRUTHS] + [["none", "many"], ["overlapping", "none", "tiny"]]


def anchors_for(net):
    return default_boxes(net.anchor_generator, HEIGHT, WIDTH, grids(HEIGHT, WIDTH))


def head_outputs(images, spread):
    count = len(anchors_for(network()))
    logits = (spread * pattern("logits", images * count * (CLASSES + 1))).astype("f4").reshape(images, count, CLASSES + 1)
    boxes = (0.8 * pattern("boxes", images * count * 4)).astype("f4").reshape(images, count, 4)
    return torch.from_numpy(logits), torch.from_numpy(boxes)


def matched(boxes, own):
    return SSDMatcher(0.5)(box_ops.box_iou(boxes, own)) if len(boxes) else torch.full((len(own),), -1, dtype=torch.int64)


def losses():
    net, cases = network(), []
    own = anchors_for(net)
    for batch in BATCHES:
        logits, boxes = head_outputs(len(batch), 3)
        logits, boxes = logits.double().requires_grad_(), boxes.double().requires_grad_()
        truth = [torch.tensor(TRUTHS[k], dtype=torch.float32).reshape(-1, 5) for k in batch]
        targets = [{"boxes": t[:, :4], "labels": 1 + t[:, 4].long()} for t in truth]
        matches = [matched(t["boxes"], own) for t in targets]
        # With fewer anchors of background torchvision would count some anchors of objects twice.
        assert all(4 * int((m >= 0).sum()) <= len(own) for m in matches)
        found = net.compute_loss(targets, {"cls_logits": logits, "bbox_regression": boxes}, [own] * len(batch), matches)
        (found["classification"] + found["bbox_regression"]).backward()
        cases.append({"name": ", ".join(batch), "truth": [t.tolist() for t in truth], "classification": found["classification"].item(), "boxes": found["bbox_regression"].item(),
                      "matched": [int((m >= 0).sum()) for m in matches],
                      "gradients": {"logits": thinned(logits.grad), "boxes": thinned(boxes.grad)}})
    return cases


def detections():
    cases = []
    for name, images, spread, options in (
        ("with defaults", 2, 6, {}),
        ("few, strict", 1, 3, {"minScore": 0.3, "nmsOverlap": 0.3, "maxDetections": 10}),
        ("more than a class has room for", 1, 3, {"minScore": 0.01, "nmsOverlap": 0.45, "maxDetections": 300}),
        ("nothing", 1, 0.1, {"minScore": 0.9}),
    ):
        logits, boxes = head_outputs(images, spread)
        net = network(score_thresh=options.get("minScore", 0.05), nms_thresh=options.get("nmsOverlap", 0.5), detections_per_img=options.get("maxDetections", 200))
        found = net.postprocess_detections({"cls_logits": logits, "bbox_regression": boxes}, [anchors_for(net)] * images, [(HEIGHT, WIDTH)] * images)
        cases.append({"name": name, "images": images, "spread": spread, "options": options,
                      "found": [{"boxes": pack(f["boxes"]), "scores": pack(f["scores"]), "labels": (f["labels"] - 1).tolist()} for f in found]})
    return cases


SIDE, BATCH, CHIPS, STEPS, RATE = 64, 2, 8, 100, 1e-4


def training(dtype):
    """Anchors stay in float32 as the objects are: whether an overlap reaches a half must not depend on the precision of the network."""
    net = fill(network(classes=2, size=(SIDE, SIDE)), 0.02).to(dtype).train()
    generate = net.anchor_generator.forward
    net.anchor_generator.forward = lambda images, maps: generate(images, [m.float() for m in maps])
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    curve, norms = [], {}
    for step in range(STEPS):
        chips = [scene((step * BATCH + i) % CHIPS) for i in range(BATCH)]
        images = [torch.from_numpy(image).permute(2, 0, 1).to(dtype) for image, _, _ in chips]
        targets = [{"boxes": torch.tensor(b, dtype=torch.float32), "labels": 1 + torch.tensor(l)} for _, b, l in chips]
        found = net(images, targets)
        optimizer.zero_grad()
        (found["classification"] + found["bbox_regression"]).backward()
        if step == 0:
            norms = {k: float(p.grad.norm()) for k, p in net.named_parameters()}
        optimizer.step()
        curve.append([found["classification"].item(), found["bbox_regression"].item()])
    return curve, norms


if __name__ == "__main__":
    whole, narrow = lite(classes=90), network()
    curve, norms = training(torch.float32)
    exact, _ = training(torch.float64)
    apart = [abs(sum(a) - sum(b)) / sum(b) for a, b in zip(curve, exact)]
    print("float32 and float64 part by", max(apart[:20]), "in twenty steps,", max(apart), "in all; losses from", exact[0], "to", exact[-1])
    count = lambda net: sum(p.numel() for p in net.parameters())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__,
        "lite": {"parameters": count(whole), "keys": keys(whole), "narrow": keys(lite())},
        "standard": {"classes": CLASSES, "maps": MAPS, "parameters": count(narrow), "keys": keys(narrow)},
        "outputs": outputs(), "anchors": anchors(), "gridAnchors": grid_anchors(), "losses": losses(), "detections": detections(),
        "image": {"height": HEIGHT, "width": WIDTH, "grids": grids(HEIGHT, WIDTH)},
        "training": {"side": SIDE, "batch": BATCH, "chips": CHIPS, "rate": RATE, "losses": curve, "norms": norms},
    }) + "\n")
