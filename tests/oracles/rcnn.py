"""torchvision's own Faster R-CNN and Mask R-CNN: parameters, outputs of all stages, losses, gradients, detections and a short training run.

    scripts/setup-peers.sh --zoo
    python tests/oracles/rcnn.py

Writes packages/models/src/rcnn/fixtures/rcnn.json. Only widths, anchors and numbers are configured. What is filled in by the hash of pattern.py,
and which of equal scores comes first, is as in retinanet.py. Samples hold everything that may be learnt from, so that they are no matter of
chance. RoIAlign, whose compiled form the peers lack, is written out: torchvision's Python form reads samples beyond the map where the compiled
one, ONNX and Detectron2 take 0; where all samples lie on the map both are compared here.
"""
import json, math, pathlib, random, sys
import numpy as np, torch
from pattern import pack, pattern
from retinanet import SMALL, TRUTHS, BATCHES, fill, keys, pixels, thinned
import torchvision
from torchvision.models.detection import fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn, roi_heads
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNN, MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import poolers
from torchvision.ops import roi_align as _  # noqa: F401

ops = sys.modules["torchvision.ops.roi_align"]
eager = next(c.cell_contents for c in ops._roi_align.__closure__ if callable(c.cell_contents))
OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "rcnn" / "fixtures" / "rcnn.json"
WIDTH, HIDDEN, CLASSES = 16, 32, 3
CANDIDATES, PROPOSALS = 120, 60


def weights(low, high, bins, samples, length):
    """How much each pixel of an axis counts in each bin."""
    side = max(high - low, 1.0)
    samples = samples if samples > 0 else math.ceil(side / bins)
    at = low + (torch.arange(bins * samples, dtype=torch.float64) + 0.5) * side / (bins * samples)
    hat = (1 - (at.clamp(0, length - 1)[:, None] - torch.arange(length)).abs()).clamp(min=0) * ((at >= -1) & (at <= length))[:, None]
    return hat.reshape(bins, samples, length).mean(1)


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    assert not aligned
    _, channels, height, width = input.shape
    rows = boxes.detach().double().tolist()
    if not rows:
        return input.new_zeros(0, channels, *size)
    axis = lambda at, bins, length: torch.stack([weights(r[at] * spatial_scale, r[at + 2] * spatial_scale, bins, sampling_ratio, length) for r in rows]).to(input)
    images = input[[int(r[0]) for r in rows]]
    return axis(2, size[0], height)[:, None] @ images @ axis(1, size[1], width).transpose(1, 2)[:, None]


def check_roi_align():
    r = random.Random(1)
    image = torch.from_numpy(pattern("maps", 2 * 3 * 16 * 24).reshape(2, 3, 16, 24))
    boxes = []
    for k in range(40):
        x, y = r.uniform(0, 80), r.uniform(0, 48)
        boxes.append([k % 2, x, y, x + r.uniform(5, 96 - x), y + r.uniform(5, 64 - y)])
    boxes = torch.tensor(boxes, dtype=torch.float64)
    for samples in (2, -1):
        apart = (roi_align(image, boxes, (7, 5), 0.25, samples) - eager(image, boxes, 0.25, 7, 5, samples, False)).abs().max()
        assert float(apart) < 1e-12, apart


poolers.roi_align = roi_heads.roi_align = roi_align


def network(bands=3, classes=CLASSES, candidates=CANDIDATES, proposals=PROPOSALS, objects=100, **options):
    body = torchvision.models.resnet18(weights=None)
    if bands != 3:
        body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    backbone = BackboneWithFPN(body, {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)}, [64, 128, 256, 512], WIDTH)
    net = MaskRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(tuple((s,) for s in SMALL), ((0.5, 1.0, 2.0),) * 5),
        box_head=TwoMLPHead(WIDTH * 49, HIDDEN), box_predictor=FastRCNNPredictor(HIDDEN, 1 + classes),
        mask_head=MaskRCNNHeads(WIDTH, (WIDTH, WIDTH), 1), mask_predictor=MaskRCNNPredictor(WIDTH, WIDTH, 1 + classes),
        rpn_pre_nms_top_n_train=candidates, rpn_pre_nms_top_n_test=candidates, rpn_post_nms_top_n_train=proposals, rpn_post_nms_top_n_test=proposals,
        rpn_batch_size_per_image=20000, box_batch_size_per_image=4 * (proposals + objects),
        image_mean=[0.0] * bands, image_std=[1.0] * bands, **options,
    )  # fmt: skip
    net.transform.resize = lambda image, target=None: (image, target)
    return net


def stages(net, x):
    """All that passes between the stages, in the order of our outputs."""
    images, _ = net.transform(list(x))
    maps = net.backbone(images.tensors)
    objectness, deltas = net.rpn.head(list(maps.values()))
    flat = lambda level, k: level.reshape(len(x), -1, k, *level.shape[2:]).permute(0, 3, 4, 1, 2).reshape(len(x), -1, k)
    proposals, _ = net.rpn(images, maps, None)
    sizes = images.image_sizes
    heads = net.roi_heads
    logits, told = heads.box_predictor(heads.box_head(heads.box_roi_pool(maps, proposals, sizes)))
    found, _ = heads(maps, proposals, sizes)
    masks = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(maps, [f["boxes"] for f in found], sizes)))
    return {"objectness": torch.cat([flat(o, 1) for o in objectness], 1).squeeze(2), "deltas": torch.cat([flat(d, 4) for d in deltas], 1),
            "proposals": proposals, "logits": logits, "told": told, "found": found, "masks": masks}  # fmt: skip


def outputs():
    cases = []
    for name, size, bands, options in (
        ("not square", [1, 64, 96], 3, {}),
        ("two images", [2, 128, 64], 3, {}),
        ("strict", [1, 64, 96], 3, {"minScore": 0.4, "nmsOverlap": 0.2, "maxDetections": 8}),
        ("12 bands", [1, 64, 64], 12, {}),
        ("1 band", [1, 64, 64], 1, {}),
    ):
        net = network(bands, box_score_thresh=options.get("minScore", 0.05), box_nms_thresh=options.get("nmsOverlap", 0.5), box_detections_per_img=options.get("maxDetections", 100))
        net = fill(net, None).double().eval()
        with torch.no_grad():
            s = stages(net, pixels(size, bands).double())
        print(name, [len(p) for p in s["proposals"]], [len(f["labels"]) for f in s["found"]], [float(f["scores"].max()) for f in s["found"]])
        cases.append({"name": name, "size": size, "bands": bands, "options": options, **{k: thinned(s[k]) for k in ("objectness", "deltas", "logits", "told", "masks")},
                      "proposals": [pack(p.float()) for p in s["proposals"]],
                      "found": [{"boxes": pack(f["boxes"].float()), "scores": pack(f["scores"].float()), "labels": f["labels"].tolist(), "masks": thinned(f["masks"])} for f in s["found"]]})  # fmt: skip
    return cases


def outline(x1, y1, x2, y2, height, width):
    """An L: the box without its lower right quarter."""
    mask = np.zeros((height, width), np.uint8)
    c1, r1, c2, r2 = math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)
    mask[r1:r2, c1:c2] = 1
    mask[(r1 + r2 + 1) // 2 : r2, (c1 + c2 + 1) // 2 : c2] = 0
    return mask


def target(truth, height, width, dtype):
    t = torch.tensor(truth, dtype=torch.float64).reshape(-1, 5)
    masks = [outline(*row[:4], height, width) for row in t.tolist()]
    return {"boxes": t[:, :4].to(dtype), "labels": t[:, 4].long() + 1, "masks": torch.from_numpy(np.array(masks, np.uint8).reshape(-1, height, width))}


def losses():
    cases = []
    for batch in BATCHES:
        net = fill(network(), None).double().train()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        x = pixels([len(batch), 64, 96]).double()
        found = net(list(x), [target(TRUTHS[k], 64, 96, torch.float64) for k in batch])
        sum(found.values()).backward()
        norms = {k: float(p.grad.norm()) if p.grad is not None else 0.0 for k, p in net.named_parameters()}
        print(batch, {k: round(v.item(), 4) for k, v in found.items()})
        cases.append({"name": ", ".join(batch), "truth": [TRUTHS[k] for k in batch], "losses": {k: v.item() for k, v in found.items()}, "norms": norms})
    return cases


SIDE, BATCH, CHIPS, STEPS, RATE = 64, 2, 8, 100, 1e-4


def scene(number):
    """A noisy chip with three bright L-shapes; broad ones are class 0, tall ones class 1."""
    p = (pattern(f"scene {number}", 18).reshape(3, 6) + 1) / 2
    image = 0.2 * pattern(f"noise {number}", SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)
    truth = []
    for i in range(3):
        long, short = 12 + int(12 * p[i, 0]), 7 + int(4 * p[i, 1])
        w, h = (long, short) if p[i, 2] < 0.5 else (short, long)
        x, y = int((SIDE - w) * p[i, 3]), int((SIDE - h) * p[i, 4])
        box = [x, y, x + w, y + h]
        image += outline(*box, SIDE, SIDE)[:, :, None] * np.array([1 + p[i, 5], 1, 0.5])
        truth.append([*box, 0 if p[i, 2] < 0.5 else 1])
    return image.astype("f4"), truth


def training(dtype):
    net = fill(network(classes=2, objects=4), None)
    state = net.state_dict()
    for name, value in state.items():
        if name.startswith(("rpn.head.", "roi_heads.")) and name.endswith("weight"):
            value *= 0.3
    net.load_state_dict(state)
    net = net.to(dtype).train()
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    curve, norms = [], {}
    for step in range(STEPS):
        chips = [scene((step * BATCH + i) % CHIPS) for i in range(BATCH)]
        found = net([torch.from_numpy(image).permute(2, 0, 1).to(dtype) for image, _ in chips], [target(truth, SIDE, SIDE, dtype) for _, truth in chips])
        optimizer.zero_grad()
        sum(found.values()).backward()
        if step == 0:
            norms = {k: float(p.grad.norm()) for k, p in net.named_parameters()}
        optimizer.step()
        curve.append([float(found[k]) for k in ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask")])
    return curve, norms


def counted(net):
    return {"parameters": sum(p.numel() for p in net.parameters()), "keys": keys(net)}


def curves():
    curve, norms = training(torch.float32)
    exact, _ = training(torch.float64)
    apart = [abs(sum(a) - sum(b)) / sum(b) for a, b in zip(curve, exact)]
    print("float32 and float64 part by", max(apart[:20]), "in twenty steps,", max(apart), "in all; losses from", exact[0], "to", exact[-1])
    return {"side": SIDE, "batch": BATCH, "chips": CHIPS, "rate": RATE, "losses": curve, "norms": norms}


if __name__ == "__main__":
    check_roi_align()
    plain = {"weights": None, "weights_backbone": None, "num_classes": 91}
    whole = {"faster": counted(fasterrcnn_resnet50_fpn(**plain)), "mask": counted(maskrcnn_resnet50_fpn(**plain))}
    print({k: v["parameters"] for k, v in whole.items()})
    rest = {"outputs": outputs(), "losses": losses()}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__, "resnet50": whole,
        "narrow": {"width": WIDTH, "hidden": HIDDEN, "classes": CLASSES, "sizes": SMALL, "candidates": CANDIDATES, "proposals": PROPOSALS, "objects": 100, **counted(network())},
        **rest, "training": curves(),
    }) + "\n")  # fmt: skip
