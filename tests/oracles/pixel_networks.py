"""Scores, losses, gradients and sizes of segmentation_models_pytorch's DeepLabV3Plus and PSPNet, and of a siamese U-Net in plain layers, computed in float64.

    scripts/setup-peers.sh --zoo
    python tests/oracles/pixel_networks.py

Weights and pixels come from the hash of models.py, by geolearn's names, which are those of the library but for EfficientNets. Where the library has no encoder
with torchvision's details (MobileNetV3, EfficientNets of the "torch" convention), its own decoders stand on torchvision's layers, dilated by its own function.
"""
import base64, json, pathlib, re
import numpy as np, torch
import torch.nn as nn
import torch.nn.functional as F
from pattern import image, pack, pattern, targets
from unet_networks import DoubleConv, Encoder
from zoo import use_zoo

torch.set_num_threads(1)
keep = use_zoo()
import segmentation_models_pytorch as smp, torchvision  # noqa: E402
from segmentation_models_pytorch.base import SegmentationHead  # noqa: E402
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder  # noqa: E402
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder  # noqa: E402
from segmentation_models_pytorch.encoders._utils import replace_strides_with_dilation  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src"
#: Positions of the maps in torchvision's `features`.
MAPS = {"mobilenet_v3_large": [1, 3, 6, 12, 16], "mobilenet_v3_small": [0, 1, 3, 8, 12], "efficientnet_b0": [0, 2, 3, 5, 7], "efficientnet_b1": [0, 2, 3, 5, 7]}
SMP = {"mobilenetv2": "mobilenet_v2"}


class TorchvisionEncoder(nn.Module):
    """The maps of a torchvision network, with an output stride as segmentation_models_pytorch makes it."""

    def __init__(self, name, bands, depth, stride):
        super().__init__()
        net = getattr(torchvision.models, name)(weights=None)
        self.taken = MAPS[name][:depth]
        self.features = net.features[: self.taken[-1] + 1]
        first = self.features[0][0]
        self.features[0][0] = nn.Conv2d(bands, first.out_channels, 3, 2, 1, bias=False)
        for level in (4, 5):
            if level <= depth and 2**level > stride:
                replace_strides_with_dilation(self.features[self.taken[level - 2] + 1 : self.taken[level - 1] + 1], 2**level // stride)
        with torch.no_grad():
            self.out_channels = [bands, *(m.shape[1] for m in self.eval()(torch.zeros(1, bands, 64, 64))[1:])]

    def forward(self, x):
        maps = [x]
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.taken:
                maps.append(x)
        return maps


class Net(nn.Module):
    """Normalization and one of the two networks."""

    def __init__(self, kind, config):
        super().__init__()
        bands, classes, backbone = config["bands"], config["classes"], config["backbone"]
        stride = config.get("outputStride", 16 if kind == "deeplab" else 8)
        depth = 5 if kind == "deeplab" else config.get("depth", 3)
        mean, std = config["normalization"]["mean"], config["normalization"]["std"]
        self.mean, self.std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (mean, std))
        rates = config.get("atrousRates", [6 * 16 // stride, 12 * 16 // stride, 18 * 16 // stride])
        torchvision_name = backbone.replace("mobilenetv3-", "mobilenet_v3_").replace("-", "_")
        if torchvision_name in MAPS and config.get("convention", "torch") == "torch":
            self.encoder = TorchvisionEncoder(torchvision_name, bands, depth, stride)
            if kind == "deeplab":
                self.decoder = DeepLabV3PlusDecoder(self.encoder.out_channels, 5, config.get("decoderWidth", 256), rates, stride, True, 0)
                self.segmentation_head = SegmentationHead(config.get("decoderWidth", 256), classes, 1, upsampling=4)
            else:
                self.decoder = PSPDecoder(self.encoder.out_channels, out_channels=config.get("decoderWidth", 512), dropout=0)
                self.segmentation_head = SegmentationHead(config.get("decoderWidth", 512), classes, 3, upsampling=stride)
            return
        name = SMP.get(backbone, backbone)
        common = dict(encoder_weights=None, in_channels=bands, classes=classes)
        if kind == "deeplab":
            net = smp.DeepLabV3Plus(name, encoder_output_stride=stride, decoder_atrous_rates=rates, decoder_aspp_dropout=0, decoder_channels=config.get("decoderWidth", 256), **common)
        else:
            net = smp.PSPNet(name, encoder_depth=depth, psp_dropout=0, psp_out_channels=config.get("decoderWidth", 512), upsampling=min(stride, 2**depth), output_stride=stride, **common)
        self.encoder, self.decoder, self.segmentation_head = net.encoder, net.decoder, net.segmentation_head
        for unused in range(depth, 5) if backbone.startswith("resnet") else ():
            setattr(self.encoder, f"layer{unused}", nn.Identity())
        if hasattr(self.encoder, "_drop_connect_rate"):
            self.encoder._drop_connect_rate = 0

    def forward(self, x):
        maps = self.encoder((x - self.mean.to(x.dtype)) / self.std.to(x.dtype))
        return self.segmentation_head(self.decoder(maps))


class ChangeDetector(nn.Module):
    """geolearn's siamese U-Net in plain layers: the U-Net of unet_networks.py with an encoder that sees both dates."""

    def __init__(self, config):
        super().__init__()
        bands, classes, backbone = config["bands"] // 2, config["classes"], config.get("backbone")
        self.bands, self.fusion, self.backbone = bands, config.get("fusion", "difference"), backbone
        more = (config.get("norm", "batch"), config.get("groups", 8))
        mean, std = config["normalization"]["mean"], config["normalization"]["std"]
        self.mean, self.std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (mean, std))
        both = 2 if self.fusion == "concat" else 1
        if backbone:
            decoder = config.get("decoderWidths") or [256, 128, 64, 32, 16]
            self.encoder = Encoder(bands, {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[backbone], *more)
            met = [256, 128, 64, 64, 0]
            self.up = nn.ModuleList(DoubleConv(b + both * s, o, *more) for b, s, o in zip([both * 512, *decoder], met, decoder))
            self.head = nn.Conv2d(decoder[-1], classes, 3, padding=1)
            return
        widths = config.get("widths") or [config.get("base", 16) << d for d in range(config.get("depth", 4) + 1)]
        levels, middle, turned = widths[:-1], widths[-1], widths[-2::-1]
        self.down = nn.ModuleList(DoubleConv(i, o, *more) for i, o in zip([bands, *levels[:-1]], levels))
        self.middle = DoubleConv(levels[-1], middle, *more)
        self.reduce = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in zip([both * middle, *turned[:-1]], turned))
        self.up = nn.ModuleList(DoubleConv((both + 1) * w, w, *more) for w in turned)
        self.head = nn.Conv2d(levels[0], classes, 1)

    def maps(self, x):
        if self.backbone:
            return self.encoder(x)
        found = []
        for level in self.down:
            x = level(x)
            found.append(x)
            x = F.max_pool2d(x, 2)
        return [*found, self.middle(x)]

    def forward(self, x):
        x = (x - self.mean.to(x.dtype)) / self.std.to(x.dtype)
        earlier, later = self.maps(x[:, : self.bands]), self.maps(x[:, self.bands :])
        maps = [torch.cat(pair, 1) if self.fusion == "concat" else (pair[0] - pair[1]).abs() for pair in zip(earlier, later)]
        x = maps.pop()
        for i, up in enumerate(self.up):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            if not self.backbone:
                x = self.reduce[i](x)
            x = up(torch.cat(([maps.pop(), x] if not self.backbone else [x, maps.pop()]) if maps else [x], 1))
        return self.head(x)


def stages_of(backbone):
    counts = {"efficientnet-b0": (1, 2, 2, 3, 3, 4, 1), "efficientnet-b1": (2, 3, 3, 4, 4, 5, 2), "efficientnet-b2": (2, 3, 3, 4, 4, 5, 2), "efficientnet-b3": (2, 3, 3, 5, 5, 6, 2)}[backbone]
    return [(stage, index) for stage, count in enumerate(counts) for index in range(count)]


def our_name(name, backbone):
    """geolearn's name of a parameter; EfficientNets carry torchvision's."""
    if "._conv_stem." in name or "._bn0." in name and "_blocks" not in name:
        return name.replace("_conv_stem", "features.0.0").replace("_bn0", "features.0.1")
    found = re.match(r"encoder\._blocks\.(\d+)\._(\w+)\.(\w+)$", name)
    if not found:
        return name
    stage, index = stages_of(backbone)[int(found[1])]
    at = 0 if stage == 0 else 1
    layers = {"expand_conv": "0.0", "bn0": "0.1", "depthwise_conv": f"{at}.0", "bn1": f"{at}.1", "se_reduce": f"{at + 1}.fc1", "se_expand": f"{at + 1}.fc2", "project_conv": f"{at + 2}.0", "bn2": f"{at + 2}.1"}
    return f"encoder.features.{stage + 1}.{index}.block.{layers[found[2]]}.{found[3]}"


def parameter(name, shape, norm):
    p = pattern(name, int(np.prod(shape)))
    if len(shape) == 4:
        p = p * np.sqrt(6 / (shape[1] * shape[2] * shape[3]))
    elif name.endswith("running_mean"):
        p = 0.1 * p
    elif name.endswith("running_var"):
        p = 1 + 0.3 * p
    elif norm and name.endswith("weight"):
        p = 0.3 + 0.1 * p if name.endswith("bn2.weight") else 1 + 0.2 * p
    else:
        p = (0.2 if norm else 0.1) * p
    return torch.from_numpy(p.astype("f4").astype("f8").reshape(shape))


def fill(net, backbone):
    net.double()
    state = net.state_dict()
    norms = {name for name, module in net.named_modules() if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm))}
    names = {k: our_name(k, backbone) for k in state}
    net.load_state_dict({k: parameter(names[k], tuple(v.shape), k.rsplit(".", 1)[0] in norms) for k, v in state.items() if not k.endswith("num_batches_tracked")}, strict=False)
    return names


def ramp(bands):
    return {"mean": [90 + 2 * b for b in range(bands)], "std": [20 + b for b in range(bands)]}


def case(kind, name, size, trained=False, **config):
    n, h, w = size
    config = {"bands": 3, "classes": 2, **config}
    config["normalization"] = ramp(config["bands"])
    net = ChangeDetector(config) if kind == "changedetector" else Net(kind, config)
    names = fill(net, config.get("backbone"))
    # Images of one batch differ in brightness: their means are what a pyramid sees as a whole.
    x = image((n, h, w, config["bands"])) + 20 * torch.arange(n, dtype=torch.float64)[:, None, None, None]
    every = 13 if h * w * n < 20000 else 61
    row = {"name": name, "size": size, "config": config, "every": every}
    flat = lambda y: y.permute(0, 2, 3, 1).flatten()
    net.eval()
    with torch.no_grad():
        y = net(x)
        row["eval"] = pack(flat(y)[::every])
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    y = net(x)
    loss = F.cross_entropy(y, targets((n, h, w), config["classes"]), ignore_index=-1)
    loss.backward()
    used = {k: p for k, p in net.named_parameters() if p.grad is not None}
    row["trainable"] = sum(p.numel() for p in used.values())
    if trained:
        row["train"] = pack(flat(y)[::every])
        row["loss"] = loss.item()
        print_of = lambda p: [p.norm().item(), (p.flatten() * torch.from_numpy(pattern("print", p.numel()))).sum().item()]
        row["gradientPrints"] = {names[k]: print_of(p.grad) for k, p in used.items()}
        after = net.state_dict()
        row["running"] = {names[k]: pack(after[k]) for k in after if "running" in k and not k.startswith("encoder") and not torch.equal(before[k], after[k])}
        net.float().zero_grad()
        F.cross_entropy(net(x.float()), targets((n, h, w), config["classes"]), ignore_index=-1).backward()
        # How far rounding alone moves a gradient: what PyTorch itself gives in float32.
        exact = row["gradientPrints"]
        for k, p in used.items():
            single = print_of(p.grad.double())
            exact[names[k]].append(max(abs(single[i] - exact[names[k]][i]) for i in (0, 1)) / max(exact[names[k]][0], 1e-30))
        worst = sorted(exact, key=lambda k: exact[k][2])[-3:]
        print("  float32 moves gradients by", [(k, "%.2g" % exact[k][2]) for k in worst], "median %.2g" % np.median([v[2] for v in exact.values()]))
    print(kind, name, row["trainable"], "scores to %.3g" % np.abs(np.frombuffer(base64.b64decode(row["eval"]), "<f4")).max(), "loss %.4f" % loss.item(), flush=True)
    return row


ALL = ["resnet18", "resnet34", "resnet50", "mobilenetv2", "mobilenetv3-large", "mobilenetv3-small", "efficientnet-b0", "efficientnet-b1"]
TENSORFLOW = ["efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3"]

if __name__ == "__main__":
    deeplab = [
        case("deeplab", "resnet18", [3, 64, 96], True, backbone="resnet18"),
        case("deeplab", "resnet18, output stride 8, 12 bands", [2, 48, 56], backbone="resnet18", outputStride=8, bands=12, classes=4),
        case("deeplab", "resnet34, one band, other rates", [2, 48, 80], backbone="resnet34", bands=1, atrousRates=[2, 4, 7], decoderWidth=64),
        *(case("deeplab", f"{b}", [2, 48, 32], backbone=b) for b in ALL[2:]),
        case("deeplab", "mobilenetv2, output stride 8", [2, 40, 32], backbone="mobilenetv2", outputStride=8),
        *(case("deeplab", f"{b}, tensorflow", [2, 48, 32], backbone=b, convention="tensorflow") for b in TENSORFLOW),
        case("deeplab", "efficientnet-b0, tensorflow, output stride 8", [2, 40, 32], backbone="efficientnet-b0", convention="tensorflow", outputStride=8),
    ]
    pspnet = [
        case("pspnet", "resnet18", [3, 72, 56], True, backbone="resnet18"),
        case("pspnet", "resnet34, whole encoder, 12 bands", [2, 56, 40], backbone="resnet34", depth=5, bands=12, classes=4),
        case("pspnet", "resnet50, one band", [2, 48, 80], backbone="resnet50", bands=1),
        case("pspnet", "mobilenetv2, four maps, output stride 16", [2, 96, 64], backbone="mobilenetv2", depth=4, outputStride=16, decoderWidth=64),
        case("pspnet", "resnet18, not dilated", [2, 96, 64], backbone="resnet18", depth=5, outputStride=32),
        *(case("pspnet", f"{b}", [2, 48, 32], backbone=b) for b in ALL[3:]),
        *(case("pspnet", f"{b}, tensorflow", [2, 48, 32], backbone=b, convention="tensorflow") for b in TENSORFLOW),
        case("pspnet", "efficientnet-b0, tensorflow, whole encoder", [2, 40, 32], backbone="efficientnet-b0", convention="tensorflow", depth=5),
    ]
    changedetector = [
        case("changedetector", "plain, differences", [3, 32, 48], True, bands=6, base=4, depth=3),
        case("changedetector", "plain, side by side, 24 bands", [2, 24, 16], True, bands=24, classes=4, base=3, depth=2, fusion="concat"),
        case("changedetector", "plain, one band, group norm", [1, 32, 48], bands=2, widths=[8, 4, 4], norm="group", groups=2),
        case("changedetector", "resnet18, differences", [3, 64, 96], True, bands=6, backbone="resnet18"),
        case("changedetector", "resnet34, side by side", [2, 64, 32], bands=8, classes=3, backbone="resnet34", fusion="concat", decoderWidths=[64, 32, 32, 16, 8]),
    ]
    for kind, cases in (("deeplab", deeplab), ("pspnet", pspnet), ("changedetector", changedetector)):
        path = OUT / kind / "fixtures" / f"{kind}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cases": cases}, indent=1) + "\n")
        print(path, path.stat().st_size)
