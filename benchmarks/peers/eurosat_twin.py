"""torchvision's ResNet-18 trained in PyTorch from given first weights, on all EuroSAT chips but those of one fold.

Same loop as geolearn's (Adam, one cycle, cross entropy, flips and quarter turns, batches of full size); the order of chips and their turns come from another
generator. Prints one JSON line with how many chips of the fold are right after the last epoch.
"""
import argparse, json, pathlib, sys, time

import numpy as np
import torch
from safetensors.torch import load_file
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracles"))
from zoo import use_zoo  # noqa: E402

keep = use_zoo()
import torchvision  # noqa: E402

p = argparse.ArgumentParser()
for name in ("chips", "valid", "initial", "constants"):
    p.add_argument(f"--{name}", required=True)
p.add_argument("--lr", type=float, default=1e-3)
for name, value in dict(epochs=20, batch=8, seed=1, threads=2).items():
    p.add_argument(f"--{name}", type=int, default=value)
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
rng = np.random.default_rng(a.seed)
root = pathlib.Path(a.chips)
constants = json.loads(pathlib.Path(a.constants).read_text())
mean, std = (np.array(constants[k], "f4")[:, None, None] for k in ("mean", "std"))
classes = sorted(d.name for d in root.iterdir() if d.is_dir())
valid = pathlib.Path(a.valid).read_text().split()


def load(name):
    x = np.asarray(Image.open(root / f"{name}.jpg").convert("RGB"), "f4").transpose(2, 0, 1)
    return (x - mean) / std, classes.index(name.split("/")[0])


names = sorted(f"{c}/{f.stem}" for c in classes for f in (root / c).glob("*.jpg"))
train = [load(n) for n in names if n not in valid]
test = [load(n) for n in valid]
net = torchvision.models.resnet18(weights=None, num_classes=len(classes))
given = {k.removeprefix("encoder.").replace("head.", "fc."): v for k, v in load_file(a.initial).items()}
missing = net.load_state_dict(given, strict=False)
assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
opt = torch.optim.Adam(net.parameters(), a.lr)
steps = len(train) // a.batch
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, a.lr, total_steps=steps * a.epochs)
t0 = time.perf_counter()
net.train()
for _ in range(a.epochs):
    order = rng.permutation(len(train))
    for k in range(steps):
        xs, ys = [], []
        for i in order[k * a.batch : (k + 1) * a.batch]:
            x, y = train[i]
            x = np.rot90(x, rng.integers(4), (1, 2))
            xs.append(x[:, :, ::-1] if rng.integers(2) else x)
            ys.append(y)
        opt.zero_grad()
        loss = F.cross_entropy(net(torch.from_numpy(np.stack(xs).copy())), torch.tensor(ys))
        loss.backward()
        opt.step()
        schedule.step()
net.eval()
with torch.no_grad():
    found = net(torch.from_numpy(np.stack([x for x, _ in test]))).argmax(1).tolist()
right = sum(z == y for z, (_, y) in zip(found, test))
print(json.dumps({"peer": f"torch {torch.__version__}", "right": right, "seconds": round(time.perf_counter() - t0, 2)}))
