"""torchvision's own FCOS: parameters, outputs, losses, detections and a short training run.

    scripts/setup-peers.sh --zoo
    python tests/oracles/fcos.py

Writes packages/models/src/fcos/fixtures/fcos.json. Only widths, groups, object sizes and the number of classes are configured. What is filled in by the
hash of pattern.py, and which of equal scores comes first, is as in retinanet.py. torchvision ties three things to the sides of its anchors: what
distances are measured in, how far from the middle of an object a point may be, and how large the objects of a level are. Here only the last changes:
where it does, the radius and the distances are scaled the other way.
"""
import json, pathlib
from functools import partial
import torch
from pattern import pack, pattern
from retinanet import BATCHES, TRUTHS, fill, grids, keys, pixels, scene, thinned
import torchvision
from torchvision.models.detection import fcos_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.fcos import FCOS, FCOSClassificationHead, FCOSHead, FCOSRegressionHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "fcos" / "fixtures" / "fcos.json"
WIDTH, GROUPS, CLASSES = 16, 2, 3
LIMITS = [64, 128, 256, 512]
QUARTER = 0.25


def anchor_generator(share):
    return AnchorGenerator(tuple((int(share * s),) for s in (8, 16, 32, 64, 128)), ((1.0,),) * 5)


def head(width, groups, classes):
    made = FCOSHead(32, 1, classes)
    norm = partial(torch.nn.GroupNorm, groups)
    made.classification_head = FCOSClassificationHead(width, 1, classes, norm_layer=norm)
    made.regression_head = FCOSRegressionHead(width, 1, norm_layer=norm)
    return made


def backbone(bands, width):
    body = torchvision.models.resnet18(weights=None)
    if bands != 3:
        body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    return BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], width, extra_blocks=LastLevelP6P7(width, width))


def network(bands=3, classes=CLASSES, width=WIDTH, groups=GROUPS, share=1.0, **options):
    return FCOS(backbone(bands, width), classes, anchor_generator=anchor_generator(share), head=head(width, groups, classes), center_sampling_radius=1.5 / share,
                image_mean=[0.0] * bands, image_std=[1.0] * bands, _skip_resize=True, **options)  # fmt: skip


def outputs():
    cases = []
    for size, bands, width, groups in (
        ([1, 64, 96], 3, 16, 2), ([2, 128, 64], 3, 16, 2), ([1, 64, 64], 12, 16, 2), ([1, 64, 64], 1, 16, 2),
        ([1, 64, 96], 3, 64, 32), ([1, 64, 64], 3, 20, 2), ([1, 64, 64], 3, 24, 3),
    ):  # fmt: skip
        net = fill(network(bands, width=width, groups=groups), None).double().eval()
        with torch.no_grad():
            found = net.head(list(net.backbone(pixels(size, bands).double()).values()))
        cases.append({"size": size, "bands": bands, "width": width, "keys": keys(net) if width != WIDTH else None, "logits": thinned(found["cls_logits"]),
                      "boxes": thinned(found["bbox_regression"]), "centreness": thinned(found["bbox_ctrness"])})  # fmt: skip
    return cases


def anchors_for(height, width, share=1.0):
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    return anchor_generator(share)(images, [torch.zeros(1, 1, *g) for g in grids(height, width)])[0]


def counts(height, width):
    return [h * w for h, w in grids(height, width)]


def head_outputs(images, height, width, logits_at, spread):
    count = sum(counts(height, width))
    made = lambda name, each: torch.from_numpy(pattern(name, images * count * each).astype("f4").reshape(images, count, each))
    return logits_at + spread * made("logits", CLASSES), (1.5 + 2.5 * made("boxes", 4)).relu(), 2 * made("centreness", 1)


# Of an image of 256 rows and 384 columns, one for each level where a quarter of the usual sizes counts.
LARGE = {"for each level one": [[5, 5, 380, 250, 0], [60, 50, 200, 190, 1], [210, 100, 290, 170, 2], [300, 30, 330, 55, 0], [20, 200, 30, 211, 1]]}


def losses():
    cases = []
    some = [["one"], ["overlapping", "none", "tiny"]]
    for share, size, batches in (1.0, [64, 96], BATCHES), (QUARTER, [64, 96], some), (QUARTER, [256, 384], [["for each level one"]]):
        net = network(share=share)
        for batch in batches:
            logits, boxes, centreness = (x.double().requires_grad_() for x in head_outputs(len(batch), *size, -2, 3))
            truth = [torch.tensor({**TRUTHS, **LARGE}[k], dtype=torch.float64).reshape(-1, 5) for k in batch]
            targets = [{"boxes": t[:, :4], "labels": t[:, 4].long()} for t in truth]
            outputs = {"cls_logits": logits, "bbox_regression": boxes / share, "bbox_ctrness": centreness}
            found = net.compute_loss(targets, outputs, [anchors_for(*size, share)] * len(batch), counts(*size))
            sum(found.values()).backward()
            moved = [[int(part.sum()) for part in (g.abs().sum(1) > 0).split(counts(*size))] for g in centreness.grad]
            print(share, batch, moved, {k: round(v.item(), 4) for k, v in found.items()})
            cases.append({"name": ", ".join(batch), "size": size, "objectSizes": [share * s for s in LIMITS], "truth": [t.tolist() for t in truth],
                          "classification": found["classification"].item(), "boxes": found["bbox_regression"].item(), "centreness": found["bbox_ctrness"].item(), "matched": moved,
                          "gradients": {"logits": thinned(logits.grad), "boxes": thinned(boxes.grad), "centreness": thinned(centreness.grad)}})  # fmt: skip
    return cases


def detections():
    cases = []
    for name, size, images, at, spread, step, options in (
        ("two images", [64, 96], 2, -3, 3, 0, {}),
        ("few, strict", [64, 96], 1, 0, 3, 0, {"minScore": 0.5, "nmsOverlap": 0.3, "maxDetections": 10}),
        ("more than a level has room for", [160, 224], 1, 0, 3, 0, {"minScore": 0.05, "nmsOverlap": 0.2, "maxDetections": 300}),
        ("equal scores", [64, 96], 1, -1, 3, 0.5, {"maxDetections": 50}),
        ("nothing", [64, 96], 1, -12, 1, 0, {}),
    ):
        height, width = size
        logits, boxes, centreness = head_outputs(images, height, width, at, spread)
        if step:
            logits, centreness = ((x / step).round() * step for x in (logits, centreness))
        net = network(score_thresh=options.get("minScore", 0.05), nms_thresh=options.get("nmsOverlap", 0.5), detections_per_img=options.get("maxDetections", 100))
        split = {k: list(x.split(counts(height, width), 1)) for k, x in (("cls_logits", logits), ("bbox_regression", boxes), ("bbox_ctrness", centreness))}
        found = net.postprocess_detections(split, [list(anchors_for(height, width).split(counts(height, width)))] * images, [(height, width)] * images)
        print(name, [len(f["labels"]) for f in found])
        cases.append({"name": name, "size": size, "images": images, "at": at, "spread": spread, "step": step, "options": options,
                      "found": [{"boxes": pack(f["boxes"]), "scores": pack(f["scores"]), "labels": f["labels"].tolist()} for f in found]})  # fmt: skip
    return cases


SIDE, BATCH, CHIPS, STEPS, RATE = 64, 2, 8, 100, 1e-4


def training(dtype):
    net = fill(network(classes=2), 0.02).to(dtype).train()
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    curve, norms = [], {}
    for step in range(STEPS):
        chips = [scene((step * BATCH + i) % CHIPS) for i in range(BATCH)]
        images = [torch.from_numpy(image).permute(2, 0, 1).to(dtype) for image, _, _ in chips]
        targets = [{"boxes": torch.tensor(b, dtype=dtype), "labels": torch.tensor(l)} for _, b, l in chips]
        found = net(images, targets)
        optimizer.zero_grad()
        sum(found.values()).backward()
        if step == 0:
            norms = {k: float(p.grad.norm()) for k, p in net.named_parameters()}
        optimizer.step()
        curve.append([found[k].item() for k in ("classification", "bbox_regression", "bbox_ctrness")])
    return curve, norms


def apart(curve, exact):
    return [abs(sum(a) - sum(b)) / sum(b) for a, b in zip(curve, exact)]


if __name__ == "__main__":
    whole = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91)
    narrow = network()
    rest = {"outputs": outputs(), "losses": losses(), "detections": detections()}
    curve, norms = training(torch.float32)
    exact, _ = training(torch.float64)
    print("float32 and float64 part by", max(apart(curve, exact)[:20]), "in twenty steps,", max(apart(curve, exact)), "in all; losses from", exact[0], "to", exact[-1])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__,
        "resnet50": {"parameters": sum(p.numel() for p in whole.parameters()), "keys": keys(whole)},
        "narrow": {"width": WIDTH, "classes": CLASSES, "parameters": sum(p.numel() for p in narrow.parameters()), "keys": keys(narrow)},
        **rest, "training": {"side": SIDE, "batch": BATCH, "chips": CHIPS, "rate": RATE, "losses": curve, "norms": norms},
    }) + "\n")  # fmt: skip
