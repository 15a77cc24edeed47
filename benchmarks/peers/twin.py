"""The plain U-Net trained in PyTorch from given first weights, on given chips, to be compared with geolearn seed by seed.

Besides what the plain twin of the peers' folder does (same loop, same augmentation, Adam, one cycle, cross entropy), it

- starts from weights in a safetensors file with geolearn's names (--initial),
- takes mean and standard deviation of the bands from a JSON file (--constants),
- trains on the chips listed in --train and validates on those in --valid.

Prints one JSON line.
"""
import argparse
import json
import pathlib
import struct
import sys
import time

import numpy as np
import rasterio
import torch
import torch.nn.functional as F

p = argparse.ArgumentParser()
for name in ("networks", "chips", "train", "valid", "initial", "constants"):
    p.add_argument(f"--{name}", required=True)
p.add_argument("--lr", type=float, default=1e-3)
for name, value in dict(base=16, depth=4, epochs=8, batch=8, seed=1, threads=2, classes=2).items():
    p.add_argument(f"--{name}", type=int, default=value)
a = p.parse_args()
sys.path.insert(0, a.networks)
from networks import PlainUNet  # noqa: E402

torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
rng = np.random.default_rng(a.seed)
root = pathlib.Path(a.chips)


def load(stem):
    with rasterio.open(root / "images" / f"{stem}.tif") as f:
        x = f.read().astype("f4")
    with rasterio.open(root / "labels" / f"{stem}.tif") as f:
        y = f.read(1).astype("i8")
    return x, y


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    return {
        name: torch.from_numpy(np.frombuffer(data[8 + size :][slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy())
        for name, entry in header.items()
        if name != "__metadata__"
    }


def peer_name(name):
    """down.0.conv2.weight -> down.0.3.weight"""
    for own, peer in {"conv1": "0", "norm1": "1", "conv2": "3", "norm2": "4"}.items():
        name = name.replace(f".{own}.", f".{peer}.")
    return name


train = [load(s) for s in pathlib.Path(a.train).read_text().split()]
test = [load(s) for s in pathlib.Path(a.valid).read_text().split()]
constants = json.loads(pathlib.Path(a.constants).read_text())
mean, std = (np.array(constants[k], "f4")[:, None, None] for k in ("mean", "std"))
net = PlainUNet(len(mean), a.classes, a.base, a.depth)
given = {peer_name(k): v for k, v in safetensors(a.initial).items()}
missing = net.load_state_dict(given, strict=False)
assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
net = net.to(memory_format=torch.channels_last)
opt = torch.optim.Adam(net.parameters(), a.lr)
steps = -(-len(train) // a.batch)
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, a.lr, total_steps=steps * a.epochs)
t0 = time.perf_counter()
losses = []
for _ in range(a.epochs):
    order = rng.permutation(len(train))
    seen = 0.0
    net.train()
    for k in range(0, len(order), a.batch):
        xs, ys = [], []
        for i in order[k : k + a.batch]:
            x, y = train[i]
            x = (x - mean) / std
            q, flip = rng.integers(4), rng.integers(2)
            x, y = np.rot90(x, q, (1, 2)), np.rot90(y, q)
            if flip:
                x, y = x[:, :, ::-1], y[:, ::-1]
            xs.append(x)
            ys.append(y)
        x = torch.from_numpy(np.stack(xs).copy()).to(memory_format=torch.channels_last)
        y = torch.from_numpy(np.stack(ys).copy())
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        schedule.step()
        seen += loss.item() * len(x)
    losses.append(round(seen / len(train), 5))
seconds = time.perf_counter() - t0
net.eval()
table = np.zeros((a.classes, a.classes), "i8")
with torch.no_grad():
    for x, y in test:
        z = net(torch.from_numpy((x - mean) / std)[None]).argmax(1)[0].numpy()
        table += np.bincount(y.ravel() * a.classes + z.ravel(), minlength=a.classes**2).reshape(a.classes, a.classes)
iou = [round(float(table[c, c] / max(table[c].sum() + table[:, c].sum() - table[c, c], 1)), 4) for c in range(a.classes)]
print(
    json.dumps(
        {"peer": f"torch {torch.__version__}", "train": len(train), "valid": len(test), "losses": losses, "iou": iou, "seconds": round(seconds, 2)}
    )
)
