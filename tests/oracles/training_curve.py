"""The losses of a short training run in PyTorch, from given weights and batches.

python tests/oracles/training_curve.py FOLDER

FOLDER holds initial.safetensors (weights with geolearn's names) and run.json: kind (unet, deeplab or pspnet; the latter two need scripts/setup-peers.sh --zoo), net (the
arguments of the U-Net of unet_networks.py or of the networks of pixel_networks.py), lr, optimizer (adam, adamw, sgd), weightDecay, clipNorm, total (steps of the one-cycle schedule), side, batch,
images and targets of each step as nested base64 float32 and int32. Prints {"losses": [...], "norms": [...], "weights": [sum
of squares of every parameter]} as JSON.
"""
import base64
import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
folder = pathlib.Path(sys.argv[1])
run = json.loads((folder / "run.json").read_text())


def load(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {k: torch.from_numpy(np.frombuffer(data[8 + size :][slice(*v["data_offsets"])], "<f4").reshape(v["shape"]).copy()) for k, v in header.items()}


if run["kind"] == "unet":
    from unet_networks import UNet

    net = UNet(**run["net"])
else:
    from pixel_networks import Net

    net = Net(run["kind"], run["net"])
missing = net.load_state_dict(load(folder / "initial.safetensors"), strict=False)
assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
net.double() if run.get("double") else net
dtype = torch.float64 if run.get("double") else torch.float32
kind, lr, decay = run["optimizer"], run["lr"], run["weightDecay"]
if kind == "sgd":
    opt = torch.optim.SGD(net.parameters(), lr, momentum=0.9, weight_decay=decay)
else:
    opt = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](net.parameters(), lr, weight_decay=decay)
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=run["total"])
losses, norms = [], []
n, s = run["batch"], run["side"]
for step, (image, target) in enumerate(zip(run["images"], run["targets"])):
    x = torch.from_numpy(np.frombuffer(base64.b64decode(image), "<f4").reshape(n, s, s, -1).transpose(0, 3, 1, 2).copy()).to(dtype)
    y = torch.from_numpy(np.frombuffer(base64.b64decode(target), "<i4").reshape(n, s, s).astype("i8"))
    opt.zero_grad()
    loss = F.cross_entropy(net(x), y, ignore_index=-1)
    loss.backward()
    norms.append(float(nn.utils.clip_grad_norm_(net.parameters(), run["clipNorm"])))
    opt.step()
    if step < run["total"] - 1:
        schedule.step()
    losses.append(loss.item())
weights = {k: float((v.double() ** 2).sum()) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
print(json.dumps({"losses": losses, "norms": norms, "weights": weights}))
