"""An FCOS with the mask head of a Mask R-CNN, made of torchvision's own parts: parameters, outputs, losses, gradients, detections and a short training run.

    scripts/setup-peers.sh --zoo
    python tests/oracles/centermask.py

Writes packages/models/src/centermask/fixtures/centermask.json. It is CenterMask (Lee and Park 2020) without its attention: torchvision's FCOS finds boxes, its
MultiScaleRoIAlign cuts them out of the three finest maps, its MaskRCNNHeads and MaskRCNNPredictor draw them, and its maskrcnn_loss learns from the boxes of the
objects. What is filled in by the hash of pattern.py and how RoIAlign is written out is as in rcnn.py.
"""
import json, pathlib
import torch
from fcos import GROUPS, WIDTH, apart, anchor_generator, backbone, head
from pattern import pack
from rcnn import BATCH, BATCHES, CHIPS, SIDE, TRUTHS, check_roi_align, counted, scene, target
from retinanet import fill, pixels, thinned
import torchvision
from torchvision.models.detection.fcos import FCOS, fcos_resnet50_fpn
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import maskrcnn_inference, maskrcnn_loss
from torchvision.ops import MultiScaleRoIAlign

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "centermask" / "fixtures" / "centermask.json"
CLASSES = 3
STEPS, RATE = 100, 1e-4


class MaskHead(torch.nn.Module):
    def __init__(self, inputs, widths, classes):
        super().__init__()
        self.mask_roi_pool = MultiScaleRoIAlign(["0", "1", "2"], output_size=14, sampling_ratio=2)
        self.mask_head = MaskRCNNHeads(inputs, widths, 1)
        self.mask_predictor = MaskRCNNPredictor(widths[-1], widths[-1], 1 + classes)

    def forward(self, maps, boxes, sizes):
        return self.mask_predictor(self.mask_head(self.mask_roi_pool(maps, boxes, sizes)))


class CenterMask(FCOS):
    def __init__(self, backbone, classes, widths, **options):
        super().__init__(backbone, classes, **options)
        self.roi_heads = MaskHead(backbone.out_channels, widths, classes)
        self.maps = None
        self.backbone.register_forward_hook(lambda module, given, maps: setattr(self, "maps", maps))

    def forward(self, images, targets=None):
        sizes = [tuple(image.shape[-2:]) for image in images]
        if targets is None:
            found = super().forward(images)
            logits = self.roi_heads(self.maps, [f["boxes"] for f in found], sizes)
            for f, masks in zip(found, maskrcnn_inference(logits, [f["labels"] + 1 for f in found])):
                f["masks"] = masks
            return found, logits
        losses = super().forward(images, [{"boxes": t["boxes"], "labels": t["labels"] - 1} for t in targets])
        boxes = [t["boxes"] for t in targets]
        logits = self.roi_heads(self.maps, boxes, sizes)
        own = [torch.arange(len(b)) for b in boxes]
        losses["mask"] = maskrcnn_loss(logits, boxes, [t["masks"] for t in targets], [t["labels"] for t in targets], own)
        return losses


def network(bands=3, classes=CLASSES, **options):
    net = CenterMask(backbone(bands, WIDTH), classes, (WIDTH, WIDTH), anchor_generator=anchor_generator(1), head=head(WIDTH, GROUPS, classes),
                     image_mean=[0.0] * bands, image_std=[1.0] * bands, **options)  # fmt: skip
    net.transform.resize = lambda image, target=None: (image, target)
    net.transform.postprocess = lambda found, *_: found
    return net


def weakened(net):
    """Scores that differ in float32, and boxes that are not all as large as the image."""
    state = net.state_dict()
    for name in ("classification_head.cls_logits", "regression_head.bbox_reg", "regression_head.bbox_ctrness"):
        state[f"head.{name}.weight"] *= 0.1
    net.load_state_dict(state)
    return net


def outputs():
    cases = []
    for name, size, bands, options in (
        ("not square", [1, 64, 96], 3, {}),
        ("two images", [2, 128, 64], 3, {}),
        ("strict", [1, 64, 96], 3, {"minScore": 0.4, "nmsOverlap": 0.2, "maxDetections": 8}),
        ("12 bands", [1, 64, 64], 12, {}),
        ("1 band", [1, 64, 64], 1, {}),
    ):
        net = network(bands, score_thresh=options.get("minScore", 0.05), nms_thresh=options.get("nmsOverlap", 0.5), detections_per_img=options.get("maxDetections", 40))
        net = weakened(fill(net, None)).double().eval()
        with torch.no_grad():
            found, logits = net(list(pixels(size, bands).double()))
        print(name, [len(f["labels"]) for f in found], [float(f["scores"].max()) for f in found])
        cases.append({"name": name, "size": size, "bands": bands, "options": options, "maskLogits": thinned(logits),
                      "found": [{"boxes": pack(f["boxes"].float()), "scores": pack(f["scores"].float()), "labels": f["labels"].tolist(), "masks": thinned(f["masks"])} for f in found]})  # fmt: skip
    return cases


def losses():
    cases = []
    for batch in BATCHES:
        net = fill(network(), None).double().train()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        found = net(list(pixels([len(batch), 64, 96]).double()), [target(TRUTHS[k], 64, 96, torch.float64) for k in batch])
        sum(found.values()).backward()
        norms = {k: float(p.grad.norm()) if p.grad is not None else 0.0 for k, p in net.named_parameters()}
        print(batch, {k: round(v.item(), 4) for k, v in found.items()})
        cases.append({"name": ", ".join(batch), "truth": [TRUTHS[k] for k in batch], "losses": {k: v.item() for k, v in found.items()}, "norms": norms})
    return cases


def training(dtype):
    net = fill(network(classes=2), 0.02)
    state = net.state_dict()
    for name, value in state.items():
        if name.startswith("roi_heads.") and name.endswith("weight"):
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
        curve.append([float(found[k]) for k in ("classification", "bbox_regression", "bbox_ctrness", "mask")])
    return curve, norms


def whole():
    """Of full widths, with 90 classes as torchvision's Mask R-CNN has without the background."""
    net = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=90)
    net.roi_heads = MaskHead(256, (256, 256, 256, 256), 90)
    return counted(net)


if __name__ == "__main__":
    check_roi_align()
    resnet50 = whole()
    print(resnet50["parameters"])
    rest = {"outputs": outputs(), "losses": losses()}
    curve, norms = training(torch.float32)
    exact, _ = training(torch.float64)
    print("float32 and float64 part by", max(apart(curve, exact)[:20]), "in twenty steps,", max(apart(curve, exact)), "in all; losses from", exact[0], "to", exact[-1])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__, "resnet50": resnet50,
        "narrow": {"width": WIDTH, "classes": CLASSES, **counted(network())},
        **rest, "training": {"side": SIDE, "batch": BATCH, "chips": CHIPS, "rate": RATE, "losses": curve, "norms": norms},
    }) + "\n")  # fmt: skip
