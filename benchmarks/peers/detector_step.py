"""One training step of torchvision's Mask R-CNN or RetinaNet, from geolearn's first weights: the peer of benchmarks/detector-step.ts.

Takes the settings of detector-step-program.ts as JSON; prints the number of parameters, milliseconds an image, and the parts of the first loss with
nothing left to chance. Only widths, anchors and numbers are configured.
"""
import json, pathlib, statistics, sys, time
import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracles"))
from zoo import use_zoo  # noqa: E402

keep = use_zoo()
import torchvision  # noqa: E402
import torchvision_ops  # noqa: E402,F401
from torchvision.models.detection import mask_rcnn, retinanet  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.backbone_utils import BackboneWithFPN  # noqa: E402
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead  # noqa: E402
from torchvision.ops.feature_pyramid_network import LastLevelP6P7  # noqa: E402

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
torch.manual_seed(1)
BATCH, SIZE = settings["batch"], settings["size"]
BANDS, CLASSES, OBJECTS, WIDTH = 3, 2, 6, 64
SIZES = [16, 32, 64, 128, 256]


def network(everything):
    body = torchvision.models.resnet18(weights=None)
    plain = {"image_mean": [0.0] * BANDS, "image_std": [1.0] * BANDS, "_skip_resize": True}
    if settings["net"] == "retinanet":
        backbone = BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], WIDTH, extra_blocks=LastLevelP6P7(WIDTH, WIDTH))
        anchors = AnchorGenerator(tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in SIZES), ((0.5, 1.0, 2.0),) * 5)
        return retinanet.RetinaNet(backbone, CLASSES, anchor_generator=anchors, **plain)
    backbone = BackboneWithFPN(body, {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)}, [64, 128, 256, 512], WIDTH)
    return mask_rcnn.MaskRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(tuple((s,) for s in SIZES), ((0.5, 1.0, 2.0),) * 5),
        box_head=TwoMLPHead(WIDTH * 49, 256), box_predictor=FastRCNNPredictor(256, 1 + CLASSES),
        mask_head=mask_rcnn.MaskRCNNHeads(WIDTH, (64, 64), 1), mask_predictor=mask_rcnn.MaskRCNNPredictor(64, 64, 1 + CLASSES),
        rpn_pre_nms_top_n_train=500, rpn_post_nms_top_n_train=200,
        rpn_batch_size_per_image=60_000 if everything else 256, box_batch_size_per_image=1024 if everything else 64, **plain,
    )  # fmt: skip


def renamed(name):
    if name.startswith("encoder."):
        return name.replace("encoder.", "backbone.body.", 1)
    return "backbone." + name if name.startswith("fpn.") else name


def loaded(net):
    found = net.load_state_dict({renamed(k): v for k, v in load_file(settings["weights"]).items()}, strict=False)
    assert not found.unexpected_keys and all(k.endswith("num_batches_tracked") for k in found.missing_keys), found
    return net.train()


def target(image):
    boxes, labels, masks = [], [], np.zeros((OBJECTS, SIZE, SIZE), np.uint8)
    for k in range(OBJECTS):
        x, y = (37 * k + 23 * image) % (SIZE - 40), (53 * k + 11 * image) % (SIZE - 40)
        x1, y1 = x + 12 + (7 * k) % 27, y + 12 + (11 * k) % 25
        masks[k, y:y1, x:x1] = 1
        masks[k, (y + y1) // 2 : y1, (x + x1) // 2 : x1] = 0
        boxes.append([x, y, x1, y1])
        labels.append(k % CLASSES + (settings["net"] != "retinanet"))
    return {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor(labels), "masks": torch.from_numpy(masks)}


count = BATCH * SIZE * SIZE * BANDS
images = torch.from_numpy((((np.arange(count) * 7919) % 1000 - 500) / 500).astype("f4").reshape(BATCH, SIZE, SIZE, BANDS)).permute(0, 3, 1, 2).contiguous()
targets = [target(i) for i in range(BATCH)]
NAMES = {"classification": "classification", "bbox_regression": "boxes", "loss_objectness": "objectness", "loss_rpn_box_reg": "proposals",
         "loss_classifier": "classification", "loss_box_reg": "boxes", "loss_mask": "masks"}  # fmt: skip
with torch.no_grad():
    net = loaded(network(True))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    first = {NAMES[k]: v.item() for k, v in net(list(images), targets).items()}
net = loaded(network(False))
optimizer = torch.optim.Adam(net.parameters(), 1e-4)
walls = []
for step in range(settings["steps"] + 2):
    start = time.perf_counter()
    optimizer.zero_grad()
    sum(net(list(images), targets).values()).backward()
    optimizer.step()
    if step >= 2:
        walls.append((time.perf_counter() - start) * 1000 / BATCH)
print(json.dumps({"params": sum(p.numel() for p in net.parameters()), "trainMsPerImage": statistics.median(walls), "losses": first}))
