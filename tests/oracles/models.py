"""Expected values for packages/models from PyTorch, computed in float64.

    python tests/oracles/models.py [path of the benchmark networks.py]

Weights and pixels come from a hash that the tests compute as well, so the fixtures hold results only. Given the
benchmark's networks.py, the networks here are first compared with it.
"""
import importlib.util, json, pathlib, sys
import numpy as np, torch
import torch.nn.functional as F
from pattern import image, pack, pattern, targets
from unet_networks import UNet

ROOT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src"


def parameter(name, shape):
    p = pattern(name, int(np.prod(shape)))
    if len(shape) == 4:
        p = p * np.sqrt(6 / (shape[1] * shape[2] * shape[3]))
    elif name.endswith("running_mean"):
        p = 0.1 * p
    elif name.endswith("running_var"):
        p = 1 + 0.3 * p
    elif name.endswith("bn2.weight"):
        p = 0.3 + 0.1 * p  # residual branches stay small, so that activations do not double at each of them
    elif ".norm" in name or ".bn" in name or "downsample.1" in name:
        p = 1 + 0.2 * p if name.endswith("weight") else 0.2 * p
    else:
        p = 0.1 * p
    return torch.from_numpy(p.astype("f4").astype("f8").reshape(shape))


def fill(net):
    net.double()
    state = {k: parameter(k, tuple(v.shape)) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    net.load_state_dict(state, strict=False)
    return net


def nhwc(y):
    return y.permute(0, 2, 3, 1).contiguous()


def ramp(bands):
    return {"mean": [90 + 2 * b for b in range(bands)], "std": [20 + b for b in range(bands)]}


NETWORKS = [
    ("plain", [2, 24, 40], dict(bands=3, classes=2, base=4, depth=2, normalization=ramp(3)), True),
    ("plain-add-group", [2, 24, 16], dict(bands=1, classes=3, base=3, depth=3, skips="add", norm="group", groups=2, normalization=ramp(1)), True),
    ("plain-margin-widths", [2, 24, 32], dict(bands=12, classes=4, widths=[8, 4, 4], margin=6, skips="add", normalization=ramp(12)), True),
    ("plain-no-normalization", [1, 8, 12], dict(bands=2, classes=2, base=3, depth=2, norm="group", groups=2), False),
    ("resnet18", [2, 64, 96], dict(bands=3, classes=2, backbone="resnet18", normalization=ramp(3)), False),
    ("resnet34-12-bands", [1, 64, 96], dict(bands=12, classes=3, backbone="resnet34", normalization=ramp(12)), False),
    ("resnet18-add-group", [1, 32, 32], dict(bands=1, classes=2, backbone="resnet18", skips="add", norm="group", decoderWidths=[64, 32, 32, 16, 8], normalization=ramp(1)), False),
]


def networks():
    cases = []
    for name, (n, h, w), config, gradients in NETWORKS:
        net = fill(UNet(**config))
        x = image((n, h, w, config["bands"]))
        case = {"name": name, "size": [n, h, w], "config": config, "trainable": sum(p.numel() for p in net.parameters())}
        net.eval()
        with torch.no_grad():
            case["every"] = 13 if config.get("backbone") else 1
            case["eval"] = pack(nhwc(net(x)).flatten()[:: case["every"]])
        net.train()
        y = net(x)
        case["train"] = pack(nhwc(y).flatten()[:: case["every"]])
        case["running"] = {k: pack(v) for k, v in list(net.state_dict().items()) if "running" in k and not config.get("backbone")}
        if gradients or name == "resnet18":
            loss = F.cross_entropy(y, targets((n, y.shape[2], y.shape[3]), config["classes"]), ignore_index=-1)
            loss.backward()
            case["loss"] = loss.item()
            if gradients:
                case["gradients"] = {k: pack(p.grad) for k, p in net.named_parameters()}
            else:  # millions of numbers: their length and one projection each
                case["gradientPrints"] = {k: [p.grad.norm().item(), (p.grad.flatten() * torch.from_numpy(pattern("print", p.numel()))).sum().item()] for k, p in net.named_parameters()}
        cases.append(case)
    counts = {}
    for backbone in (None, "resnet18", "resnet34"):
        counts[backbone or "plain"] = sum(p.numel() for p in UNet(3, 2, backbone=backbone).parameters())
    return {"cases": cases, "trainableParameters": counts}


def dice(z, t, weights, ignored, average):
    classes = z.shape[1]
    counts_ = ~torch.isin(t, torch.tensor(sorted(ignored))) & (t >= 0)
    onehot = (F.one_hot(t.clamp(0), classes) * counts_[..., None]).permute(0, 3, 1, 2).to(z.dtype)
    p = z.softmax(1) * counts_[:, None]
    w = torch.tensor([0.0 if c in ignored else (weights[c] if weights else 1.0) for c in range(classes)], dtype=z.dtype)
    inter, size, present = (p * onehot).sum((0, 2, 3)), (p + onehot).sum((0, 2, 3)), onehot.sum((0, 2, 3)) > 0
    if average == "micro":
        return 1 - 2 * (w * inter).sum() / (w * size).sum()
    w = w * present
    return (w * (1 - 2 * inter / size.clamp(min=1e-30))).sum() / w.sum()


def focal(z, t, weights, ignored, gamma):
    w = torch.tensor(weights or [1.0] * z.shape[1], dtype=z.dtype)
    keep = ~torch.isin(t, torch.tensor(sorted(ignored))) & (t >= 0)
    logs = z.log_softmax(1)
    right = F.one_hot(t.clamp(0), z.shape[1]).permute(0, 3, 1, 2).bool()
    logp = logs.masked_fill(~right, 0).sum(1)
    log_others = logs.masked_fill(right, float("-inf")).logsumexp(1)  # log(1 - p) without cancellation
    wt = w[t.clamp(0)] * keep
    return -(wt * (gamma * log_others).exp() * logp).sum() / wt.sum()


def entropy(z, t, weights, ignored):
    t = torch.where(torch.isin(t, torch.tensor(sorted(ignored))), -100, t)
    return F.cross_entropy(z, t, weight=torch.tensor(weights, dtype=z.dtype) if weights else None, ignore_index=-100)


LOSSES = [
    {"type": "crossEntropy"},
    {"type": "crossEntropy", "classWeights": [0.5, 2, 1, 7]},
    {"type": "crossEntropy", "classWeights": [0, 1, 1, 1], "ignoredClasses": [2]},
    {"type": "crossEntropy", "ignoreIndex": 3},
    {"type": "focal"},
    {"type": "focal", "gamma": 0},
    {"type": "focal", "gamma": 1, "classWeights": [0.5, 2, 1, 7]},
    {"type": "focal", "gamma": 0.5},
    {"type": "focal", "gamma": 3.5, "ignoredClasses": [0]},
    {"type": "dice"},
    {"type": "dice", "average": "micro"},
    {"type": "dice", "classWeights": [1, 2, 3, 4], "ignoredClasses": [1]},
    {"type": "dice", "average": "micro", "classWeights": [1, 2, 3, 4]},
    {"type": "mix"},
    {"type": "mix", "diceFraction": 0.3, "base": "focal", "gamma": 2, "classWeights": [0.5, 2, 1, 7], "average": "micro"},
]


def losses():
    cases = []
    for spec in LOSSES:
        for scale in (4, 60):
            n, h, w, c = 2, 5, 7, 4
            z = torch.from_numpy((scale * pattern("logits", n * h * w * c)).astype("f4").astype("f8").reshape(n, h, w, c)).requires_grad_()
            t = targets((n, h, w), c)
            x = z.permute(0, 3, 1, 2)
            weights, ignored = spec.get("classWeights"), {-1, spec.get("ignoreIndex", -1), *spec.get("ignoredClasses", [])}
            parts = {
                "crossEntropy": lambda: entropy(x, t, weights, ignored),
                "focal": lambda: focal(x, t, weights, ignored, spec.get("gamma", 2)),
                "dice": lambda: dice(x, t, weights, ignored, spec.get("average", "macro")),
            }
            share = spec.get("diceFraction", 0.5)
            value = parts[spec["type"]]() if spec["type"] != "mix" else (1 - share) * parts[spec.get("base", "crossEntropy")]() + share * parts["dice"]()
            value.backward()
            cases.append({"spec": spec, "scale": scale, "shape": [n, h, w, c], "loss": value.item(), "gradient": pack(z.grad)})
    return {"cases": cases}


def compare_with(path):
    spec = importlib.util.spec_from_file_location("networks", path)
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    for ours, other, size in ((UNet(3, 2), theirs.PlainUNet(), 48), (UNet(3, 2, backbone="resnet18"), theirs.ResNet18UNet(), 64)):
        ours, other = ours.eval(), other.eval()
        values = list(ours.state_dict().values())
        other.load_state_dict(dict(zip(other.state_dict(), values, strict=True)))
        x = torch.randn(2, 3, size, size + 32)
        with torch.no_grad():
            difference = (ours(x) - other(x)).abs().max().item()
        assert difference < 1e-5, difference
        print(type(other).__name__, "differs by", difference)


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
    print(path, path.stat().st_size)


if len(sys.argv) > 1:
    compare_with(sys.argv[1])
write(ROOT / "unet" / "fixtures" / "unet.json", networks())
write(ROOT / "losses" / "fixtures" / "losses.json", losses())
