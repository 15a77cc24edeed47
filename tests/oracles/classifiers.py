"""torchvision's own classifiers: logits, losses and short training runs.

    scripts/setup-peers.sh --zoo
    python tests/oracles/classifiers.py

Writes packages/models/src/classifier/fixtures/classifiers.json. Weights and pixels come from the hash of pattern.py by torchvision's names, whose
lists encoders.json has, so that the fixture holds results only.
"""
import json, pathlib
import numpy as np, torch
import torch.nn.functional as F
from encoders import OURS, fill, torchvision
from pattern import image, pack, pattern

torch.set_num_threads(1)

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "classifier" / "fixtures" / "classifiers.json"
NAMES = ["resnet18", "resnet34", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0"]
SIZES = [[2, 64, 96], [1, 65, 49]]
CLASSES, SIDE, BATCH, CHIPS = 5, 32, 8, 24


def network(name, bands=3, classes=1000):
    """As torchvision builds it; the first layer for other bands."""
    net = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    if bands != 3:
        first = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
        other = torch.nn.Conv2d(bands, first.out_channels, first.kernel_size, first.stride, first.padding, bias=False)
        if name.startswith("resnet"):
            net.conv1 = other
        else:
            net.features[0][0] = other
    return net


def logits():
    for name in NAMES:
        for size in SIZES[: 1 if name in ("resnet34", "resnet50") else 2]:
            yield name, 3, 1000, size
    for name, bands in ("resnet18", 12), ("resnet18", 1), ("mobilenet_v3_small", 13), ("efficientnet_b0", 1):
        yield name, bands, 10, [2, 64, 64]


def cases():
    for name, bands, classes, size in logits():
        net = fill(network(name, bands, classes))
        with torch.no_grad():
            y = net(image((*size, bands)) / 50 - 2).flatten()
        step = max(1, len(y) // 301)
        yield {"name": name, "backbone": OURS.get(name, name), "bands": bands, "classes": classes, "size": size, "step": step, "logits": pack(y[::step])}
        print(name, bands, size, "logits up to %.2f" % y.abs().max(), flush=True)


TRUTH = [0, 3, -1, 2, 4, 1]
WEIGHTS = [0.5, 1.0, 2.0, 0.25, 1.5]


def losses():
    x = torch.from_numpy(4 * pattern("logits", 30)).reshape(6, CLASSES)
    t, w = torch.tensor(TRUTH), torch.tensor(WEIGHTS, dtype=torch.float64)
    many = torch.from_numpy((pattern("many", 30) > 0).astype("f8")).reshape(6, CLASSES)
    ways = [
        ("plain", {"type": "crossEntropy"}, lambda y: F.cross_entropy(y, t, ignore_index=-1)),
        ("weights", {"type": "crossEntropy", "classWeights": WEIGHTS}, lambda y: F.cross_entropy(y, t, w, ignore_index=-1)),
        ("smoothing", {"type": "crossEntropy", "labelSmoothing": 0.1}, lambda y: F.cross_entropy(y, t, ignore_index=-1, label_smoothing=0.1)),
        ("both", {"type": "crossEntropy", "classWeights": WEIGHTS, "labelSmoothing": 0.2}, lambda y: F.cross_entropy(y, t, w, ignore_index=-1, label_smoothing=0.2)),
        ("several", {"type": "binaryCrossEntropy"}, lambda y: F.binary_cross_entropy_with_logits(y, many)),
        ("several with weights", {"type": "binaryCrossEntropy", "classWeights": WEIGHTS}, lambda y: F.binary_cross_entropy_with_logits(y, many, w)),
    ]
    for name, spec, loss in ways:
        y = x.clone().requires_grad_()
        value = loss(y)
        value.backward()
        yield {"name": name, "spec": spec, "loss": value.item(), "gradient": pack(y.grad.flatten())}


def chip(number):
    """A noisy chip whose stripes tell its class."""
    k = number % CLASSES
    x = 0.3 * pattern(f"noise {number}", SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)
    row, column = np.mgrid[:SIDE, :SIDE]
    x += 0.5 * (((row * k + column * (CLASSES - k)) // 8) % 2)[:, :, None]
    return x.astype("f4")


def training(name, steps, rate, dtype, several):
    net = network(name, classes=CLASSES)
    fill(net)
    net.to(dtype).train()
    for m in net.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0.0
    optimizer = torch.optim.Adam(net.parameters(), rate)
    curve, norms = [], {}
    for step in range(steps):
        numbers = [(step * BATCH + i) % CHIPS for i in range(BATCH)]
        x = torch.from_numpy(np.stack([chip(i) for i in numbers])).permute(0, 3, 1, 2).to(dtype)
        t = torch.tensor([i % CLASSES for i in numbers])
        y = net(x)
        # with several classes a chip has its own and the next
        hot = F.one_hot(t, CLASSES) + F.one_hot((t + 1) % CLASSES, CLASSES)
        loss = F.binary_cross_entropy_with_logits(y, hot.to(dtype)) if several else F.cross_entropy(y, t, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            norms = {k: float(p.grad.norm()) for k, p in net.named_parameters()}
        optimizer.step()
        curve.append(loss.item())
    return curve, norms


def runs():
    for name, steps, rate, several in ("resnet18", 20, 1e-4, True), ("mobilenet_v3_small", 100, 3e-4, False):
        curve, _ = training(name, steps, rate, torch.float32, several)
        exact, norms = training(name, steps, rate, torch.float64, several)
        apart = [abs(a - b) / b for a, b in zip(curve, exact)]
        print(name, "float32 and float64 part by", max(apart[:20]), "in twenty steps,", max(apart), "in all; losses from", exact[0], "to", exact[-1], flush=True)
        yield {"name": name, "backbone": OURS.get(name, name), "several": several, "rate": rate, "losses": exact, "norms": norms}


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({
        "torchvision": torchvision.__version__, "cases": list(cases()), "losses": list(losses()), "truth": TRUTH,
        "classes": CLASSES, "side": SIDE, "batch": BATCH, "chips": CHIPS, "runs": list(runs()),
    }) + "\n")
    print(OUT, OUT.stat().st_size)
