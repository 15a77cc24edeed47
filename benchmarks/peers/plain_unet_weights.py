"""Seeded weights of the plain U-Net, for both sides: a PyTorch state dict and a safetensors file with geolearn's names.

Usage: plain_unet_weights.py --networks FOLDER --raster scene.tif --state net.pt --safetensors net.safetensors

The running statistics of the batch norms are those of the raster, and the last bias is moved so that both classes
occur: an untrained network would call everything one class, and a comparison would prove nothing.
"""
import argparse
import json
import struct
import sys

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

parser = argparse.ArgumentParser()
parser.add_argument("--networks", required=True, help="folder of networks.py")
parser.add_argument("--raster", required=True)
parser.add_argument("--state", required=True)
parser.add_argument("--safetensors", required=True)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
sys.path.insert(0, args.networks)
from networks import PlainUNet  # noqa: E402

torch.manual_seed(args.seed)
network = PlainUNet(3, 2, 16, 4)
with rasterio.open(args.raster) as source, torch.no_grad():
    rng = np.random.default_rng(args.seed)
    chips = [
        source.read(window=Window(int(rng.integers(source.width - 255)), int(rng.integers(source.height - 255)), 256, 256))
        for _ in range(8)
    ]
    images = torch.from_numpy(np.stack(chips).astype("f4") / 255)
    network.train()
    for _ in range(40):
        network(images)
    network.eval()
    scores = network(images)
    network.head.bias[0] += (scores[:, 1] - scores[:, 0]).median()
torch.save(network.state_dict(), args.state)

layers = {"0": "conv1", "1": "norm1", "3": "conv2", "4": "norm2"}


def own_name(name):
    """down.0.3.weight -> down.0.conv2.weight"""
    parts = name.split(".")
    if parts[0] in ("down", "up", "middle"):
        parts[-2] = layers[parts[-2]]
    return ".".join(parts)


tensors = {own_name(name): value.numpy() for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
header, offset = {}, 0
for name, value in tensors.items():
    size = value.nbytes
    header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + size]}
    offset += size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(args.safetensors, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for value in tensors.values():
        file.write(np.ascontiguousarray(value, "<f4").tobytes())
print(json.dumps({"tensors": len(tensors)}))
