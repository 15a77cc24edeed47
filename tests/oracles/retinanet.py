"""torchvision's own RetinaNet: parameters, outputs, anchors, losses, detections and a short training run.

    scripts/setup-peers.sh --zoo
    python tests/oracles/retinanet.py

Writes packages/models/src/retinanet/fixtures/retinanet.json. Only widths, anchors and the number of classes are configured. Weights, pixels,
outputs of heads and training scenes come from the hash of pattern.py, so that the fixture holds results only. Torchvision leaves open which of
equal scores comes first: here the earlier, and non-maximum suppression, whose compiled form the peers lack, is written out.
"""
import base64, hashlib, json, pathlib, zlib
import numpy as np, torch
from pattern import pack, pattern
from zoo import use_zoo

torch.set_num_threads(1)
keep = use_zoo()
import torchvision  # noqa: E402
from torchvision.models.detection import retinanet_resnet50_fpn  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.backbone_utils import BackboneWithFPN  # noqa: E402
from torchvision.models.detection.image_list import ImageList  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNet  # noqa: E402
from torchvision.ops import boxes as box_ops  # noqa: E402
from torchvision.ops.feature_pyramid_network import LastLevelP6P7  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "retinanet" / "fixtures" / "retinanet.json"
WIDTH, CLASSES = 16, 3
SMALL = [8, 16, 32, 64, 128]
LIMIT = 1000  # of a level


def nms(boxes, scores, threshold):
    """As torchvision's on the CPU."""
    order = torch.sort(scores, descending=True, stable=True)[1].tolist()
    overlaps = box_ops.box_iou(boxes, boxes)
    kept, gone = [], torch.zeros(len(boxes), dtype=torch.bool)
    for i in order:
        if not gone[i]:
            kept.append(i)
            gone |= overlaps[i] > threshold
    return torch.tensor(kept, dtype=torch.int64)


def topk(self, k, dim=-1):
    values, indices = torch.sort(self, dim=dim, descending=True, stable=True)
    return values.narrow(dim, 0, k), indices.narrow(dim, 0, k)


def stable(self, dim=-1, descending=False):
    return torch.sort(self, dim=dim, descending=descending, stable=True)


box_ops.nms = nms
torch.Tensor.topk = topk
torch.Tensor.sort = stable


def anchor_generator(sizes):
    return AnchorGenerator(tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in sizes), ((0.5, 1.0, 2.0),) * len(sizes))


def network(bands=3, classes=CLASSES, width=WIDTH, sizes=SMALL, **options):
    body = torchvision.models.resnet18(weights=None)
    if bands != 3:
        body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    backbone = BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], width, extra_blocks=LastLevelP6P7(width, width))
    return RetinaNet(backbone, classes, anchor_generator=anchor_generator(sizes), image_mean=[0.0] * bands, image_std=[1.0] * bands, _skip_resize=True, **options)


def fill(net, head):
    """Heads of weights around 0 as wide as `head`, None as wide as all others."""
    state, shapes = {}, {k: tuple(v.shape) for k, v in net.state_dict().items()}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            continue
        p = pattern(name, int(np.prod(shape)))
        if len(shape) == 4:
            p = p * (head if head is not None and name.startswith("head.") else np.sqrt(6 / (shape[1] * shape[2] * shape[3])))
        elif name.endswith("running_mean"):
            p = 0.1 * p
        elif name.endswith("running_var"):
            p = 1 + 0.3 * p
        elif len(shape) == 1 and name.endswith("weight"):
            p = 0.7 + 0.1 * p
        elif head is not None and name == "head.classification_head.cls_logits.bias":
            p = 0 * p - 4.5
        else:
            p = 0.2 * p
        state[name] = torch.from_numpy(p.astype("f4").reshape(shape))
    net.load_state_dict(state, strict=False)
    return net


def keys(net):
    """`name sides` a line, deflated."""
    lines = [f"{k} {' '.join(map(str, v.shape))}" for k, v in net.state_dict().items()]
    return base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()


def pixels(size, bands=3):
    n, h, w = size
    return torch.from_numpy(pattern("image", n * h * w * bands).astype("f4").reshape(n, h, w, bands)).permute(0, 3, 1, 2)


def thinned(x):
    flat = x.detach().flatten()
    step = max(1, len(flat) // 301)
    return {"shape": list(x.shape), "step": step, "values": pack(flat[::step].float())}


def outputs():
    cases = []
    for size, bands in ([1, 64, 96], 3), ([2, 128, 64], 3), ([1, 64, 64], 12), ([1, 64, 64], 1):
        net = fill(network(bands), None).double().eval()
        with torch.no_grad():
            found = net.head(list(net.backbone(pixels(size, bands).double()).values()))
        cases.append({"size": size, "bands": bands, "logits": thinned(found["cls_logits"]), "boxes": thinned(found["bbox_regression"])})
    return cases


def grids(height, width):
    sides = [[height // s, width // s] for s in (8, 16, 32)]
    for _ in range(2):
        sides.append([-(-x // 2) for x in sides[-1]])
    return sides


def anchors_for(height, width, sizes):
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    return anchor_generator(sizes)(images, [torch.zeros(1, 1, *g) for g in grids(height, width)])[0]


def anchors():
    cases = []
    for height, width, sizes in (64, 96, SMALL), (256, 256, [32, 64, 128, 256, 512]), (32, 160, [9, 21, 37, 75, 151]):
        found = anchors_for(height, width, sizes)
        assert bool((found == found.round()).all())
        cases.append({"height": height, "width": width, "sizes": sizes, "count": len(found), "first": found[:9].flatten().tolist(),
                      "sha256": hashlib.sha256(found.to(torch.int32).numpy().astype("<i4").tobytes()).hexdigest()})
    return cases


# Truths of one image of 64 rows and 96 columns: xmin, ymin, xmax, ymax, class.
TRUTHS = {
    "none": [],
    "one": [[20, 12, 44, 39, 1]],
    "tiny": [[33, 21, 34.5, 23, 0], [70.25, 50.5, 72, 51.25, 2]],
    "as large as the chip": [[0, 0, 96, 64, 2]],
    "at the border": [[0, 0, 9, 7, 0], [88, 50, 96, 64, 1]],
    "overlapping": [[10, 10, 42, 40, 0], [12, 12, 44, 42, 1], [14, 8, 40, 44, 2], [10, 10, 42, 41, 1]],
    "twice the same": [[24, 16, 48, 40, 0], [24, 16, 48, 40, 2]],
    "beside each other, the same for anchors between": [[16, 16, 32, 32, 0], [32, 16, 48, 32, 1], [16, 32, 32, 48, 2]],
    "many": [[8.0 * c, 8.0 * r, 8.0 * c + 3 + (3 * r + c) % 9, 8.0 * r + 4 + (r + 2 * c) % 7, (r + c) % 3] for r in range(7) for c in range(11)],
}
BATCHES = [[k] for k in TRUTHS] + [["none", "many"], ["overlapping", "none", "tiny"]]


def head_outputs(images, height, width, logits_at, spread):
    count = 9 * sum(h * w for h, w in grids(height, width))
    logits = (logits_at + spread * pattern("logits", images * count * CLASSES)).astype("f4").reshape(images, count, CLASSES)
    boxes = (0.4 * pattern("boxes", images * count * 4)).astype("f4").reshape(images, count, 4)
    return torch.from_numpy(logits), torch.from_numpy(boxes)


def losses():
    net, cases = network(), []
    for batch in BATCHES:
        logits, boxes = head_outputs(len(batch), 64, 96, -2, 3)
        logits, boxes = logits.double().requires_grad_(), boxes.double().requires_grad_()
        truth = [torch.tensor(TRUTHS[k], dtype=torch.float32).reshape(-1, 5) for k in batch]
        targets = [{"boxes": t[:, :4], "labels": t[:, 4].long()} for t in truth]
        found = net.compute_loss(targets, {"cls_logits": logits, "bbox_regression": boxes}, [anchors_for(64, 96, SMALL)] * len(batch))
        (found["classification"] + found["bbox_regression"]).backward()
        cases.append({"name": ", ".join(batch), "truth": [t.tolist() for t in truth], "classification": found["classification"].item(), "boxes": found["bbox_regression"].item(),
                      "matched": [int((boxes.grad[i].abs().sum(1) > 0).sum()) for i in range(len(batch))],
                      "gradients": {"logits": thinned(logits.grad), "boxes": thinned(boxes.grad)}})
    return cases


def detections():
    cases = []
    for name, images, at, spread, step, options in (
        ("with defaults", 2, -4, 3, 0, {}),
        ("few, strict", 1, -1, 3, 0, {"minScore": 0.3, "nmsOverlap": 0.3, "maxDetections": 10}),
        ("more than a level has room for", 1, 0, 3, 0, {"minScore": 0.05, "nmsOverlap": 0.2, "maxDetections": 300}),
        ("equal scores", 1, -2, 3, 0.5, {"maxDetections": 50}),
        ("nothing", 1, -9, 1, 0, {}),
    ):
        height, width = 64, 96
        logits, boxes = head_outputs(images, height, width, at, spread)
        if step:
            logits = (logits / step).round() * step
        net = network(score_thresh=options.get("minScore", 0.05), nms_thresh=options.get("nmsOverlap", 0.5), detections_per_img=options.get("maxDetections", 100), topk_candidates=LIMIT)
        counts = [9 * h * w for h, w in grids(height, width)]
        split = {"cls_logits": list(logits.split(counts, 1)), "bbox_regression": list(boxes.split(counts, 1))}
        found = net.postprocess_detections(split, [list(anchors_for(height, width, SMALL).split(counts))] * images, [(height, width)] * images)
        cases.append({"name": name, "images": images, "at": at, "spread": spread, "step": step, "options": options,
                      "found": [{"boxes": pack(f["boxes"]), "scores": pack(f["scores"]), "labels": f["labels"].tolist()} for f in found]})
    return cases


SIDE, BATCH, CHIPS, STEPS, RATE = 64, 2, 8, 100, 1e-4


def scene(number):
    """A noisy chip with three bright rectangles; broad ones are class 0, tall ones class 1."""
    p = (pattern(f"scene {number}", 18).reshape(3, 6) + 1) / 2
    image = 0.2 * pattern(f"noise {number}", SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)
    boxes, labels = [], []
    for i in range(3):
        long, short = 12 + int(12 * p[i, 0]), 7 + int(4 * p[i, 1])
        w, h = (long, short) if p[i, 2] < 0.5 else (short, long)
        x, y = int((SIDE - w) * p[i, 3]), int((SIDE - h) * p[i, 4])
        image[y : y + h, x : x + w] += [1 + p[i, 5], 1, 0.5]
        boxes.append([x, y, x + w, y + h])
        labels.append(0 if p[i, 2] < 0.5 else 1)
    return image.astype("f4"), boxes, labels


def training(dtype):
    net = fill(network(classes=2), 0.02).to(dtype).train()
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    curve, norms = [], {}
    for step in range(STEPS):
        chips = [scene((step * BATCH + i) % CHIPS) for i in range(BATCH)]
        images = [torch.from_numpy(image).permute(2, 0, 1).to(dtype) for image, _, _ in chips]
        targets = [{"boxes": torch.tensor(b, dtype=torch.float32), "labels": torch.tensor(l)} for _, b, l in chips]
        found = net(images, targets)
        optimizer.zero_grad()
        (found["classification"] + found["bbox_regression"]).backward()
        if step == 0:
            norms = {k: float(p.grad.norm()) for k, p in net.named_parameters()}
        optimizer.step()
        curve.append([found["classification"].item(), found["bbox_regression"].item()])
    return curve, norms


if __name__ == "__main__":
    whole = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91)
    narrow = network()
    curve, norms = training(torch.float32)
    exact, _ = training(torch.float64)
    apart = [abs(sum(a) - sum(b)) / sum(b) for a, b in zip(curve, exact)]
    print("float32 and float64 part by", max(apart[:20]), "in twenty steps,", max(apart), "in all; losses from", exact[0], "to", exact[-1])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__,
        "resnet50": {"parameters": sum(p.numel() for p in whole.parameters()), "keys": keys(whole)},
        "narrow": {"width": WIDTH, "classes": CLASSES, "sizes": SMALL, "parameters": sum(p.numel() for p in narrow.parameters()), "keys": keys(narrow)},
        "outputs": outputs(), "anchors": anchors(), "losses": losses(), "detections": detections(),
        "training": {"side": SIDE, "batch": BATCH, "chips": CHIPS, "rate": RATE, "losses": curve, "norms": norms},
    }) + "\n")
