"""One training step of torchvision's Mask R-CNN or RetinaNet, from geolearn's first weights: the peer of benchmarks/detector-step.ts.

Takes the settings of detector-step-program.ts as JSON; prints the number of parameters, milliseconds an image, and the parts of the first loss with
nothing left to chance.
"""
import json, pathlib, statistics, sys, time
import numpy as np
import torch
from torchvision_detectors import detector

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
torch.manual_seed(1)
BATCH, SIZE = settings["batch"], settings["size"]
CONFIG = json.loads(pathlib.Path(settings["config"]).read_text())
BANDS, CLASSES, OBJECTS = CONFIG["bands"], CONFIG["classes"], 6


def network(**other):
    return detector(settings["net"], {**CONFIG, **other}, SIZE, settings["weights"]).train()


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
    net = network(rpnSamples=60_000, rois=1024)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    first = {NAMES[k]: v.item() for k, v in net(list(images), targets).items()}
net = network()
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
