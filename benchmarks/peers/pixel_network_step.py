"""Times a training step and a forward pass of a DeepLab v3+, a PSPNet or a siamese U-Net on ResNet-18 in PyTorch eager: plain layers, the first two as
segmentation_models_pytorch has them.

Prints one JSON line (milliseconds per image). With --check FOLDER it instead loads FOLDER/weights.safetensors, scores FOLDER/pixels.bin and says how far the scores lie
from FOLDER/scores.bin, relative to the greatest: both sides measure the same network.
"""
import argparse, json, pathlib, statistics, struct, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

p = argparse.ArgumentParser()
for name, value in dict(base=16, depth=4, batch=4, size=256, threads=2, steps=8, bands=3, classes=2).items():
    p.add_argument(f"--{name}", type=int, default=value)
p.add_argument("--net", choices=["deeplab", "pspnet", "change"], default="deeplab")
p.add_argument("--check")
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(1)


def conv(inputs, outputs, size, stride=1, dilation=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, size, stride, (size // 2) * dilation, dilation, groups, bias)


def normed(*layers):
    return nn.Sequential(*layers, nn.BatchNorm2d(layers[-1].out_channels if isinstance(layers[-1], nn.Conv2d) else layers[-1][-1].out_channels), nn.ReLU(inplace=True))


def separable(inputs, outputs, dilation=1):
    return nn.Sequential(conv(inputs, inputs, 3, dilation=dilation, groups=inputs), conv(inputs, outputs, 1))


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride, dilation), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3, 1, dilation), nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)) if inputs != outputs else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet18(nn.Module):
    def __init__(self, bands, stages, dilated):
        super().__init__()
        self.conv1, self.bn1 = conv(bands, 64, 7, 2), nn.BatchNorm2d(64)
        inputs = 64
        for s, outputs in enumerate((64, 128, 256, 512)[:stages]):
            stride, dilation = (1, 2) if s == dilated else (1 if s == 0 else 2, 1)
            setattr(self, f"layer{s + 1}", nn.Sequential(Basic(inputs, outputs, stride, dilation), Basic(outputs, outputs, 1, dilation)))
            inputs = outputs
        self.stages = stages

    def forward(self, x):
        maps = [F.relu(self.bn1(self.conv1(x)), inplace=True)]
        x = F.max_pool2d(maps[0], 3, 2, 1)
        for s in range(1, self.stages + 1):
            x = getattr(self, f"layer{s}")(x)
            maps.append(x)
        return maps


class Pooling(nn.Sequential):
    def forward(self, x):
        return F.interpolate(super().forward(x), size=x.shape[-2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.convs = nn.ModuleList([normed(conv(inputs, outputs, 1)), *(normed(separable(inputs, outputs, rate)) for rate in (6, 12, 18)),
                                    Pooling(nn.AdaptiveAvgPool2d(1), conv(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))])
        self.project = nn.Sequential(*normed(conv(5 * outputs, outputs, 1)), nn.Dropout(0.5))

    def forward(self, x):
        return self.project(torch.cat([layer(x) for layer in self.convs], 1))


class DeepLabDecoder(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.aspp = nn.Sequential(ASPP(512, width), separable(width, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.block1 = normed(conv(64, 48, 1))
        self.block2 = normed(separable(width + 48, width))

    def forward(self, maps):
        around = F.interpolate(self.aspp(maps[-1]), scale_factor=4, mode="bilinear", align_corners=True)
        return self.block2(torch.cat([around, self.block1(maps[1])], 1))


class Cells(nn.Module):
    def __init__(self, inputs, outputs, size):
        super().__init__()
        narrow = nn.Sequential(conv(inputs, outputs, 1, bias=True), nn.Identity(), nn.ReLU(inplace=True)) if size == 1 else normed(conv(inputs, outputs, 1))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(size), narrow)

    def forward(self, x):
        return F.interpolate(self.pool(x), size=x.shape[-2:], mode="bilinear", align_corners=True)


class PSPDecoder(nn.Module):
    def __init__(self, inputs=128, width=512):
        super().__init__()
        self.psp = nn.ModuleDict({"blocks": nn.ModuleList(Cells(inputs, inputs // 4, size) for size in (1, 2, 3, 6))})
        self.conv = normed(conv(2 * inputs, width, 1))
        self.dropout = nn.Dropout2d(0.2)

    def forward(self, maps):
        x = maps[-1]
        return self.dropout(self.conv(torch.cat([block(x) for block in self.psp["blocks"]] + [x], 1)))


class DoubleConv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True))), inplace=True)


class SiameseUNet(nn.Module):
    """Two dates, one after another in the channels: where the maps of one encoder differ, a U-Net's decoder goes on."""

    def __init__(self, bands, classes):
        super().__init__()
        self.encoder = ResNet18(bands // 2, 4, None)
        widths = (256, 128, 64, 32, 16)
        self.up = nn.ModuleList(DoubleConv(below + met, width) for below, met, width in zip((512, *widths), (256, 128, 64, 64, 0), widths))
        self.head = conv(16, classes, 3, bias=True)

    def forward(self, x):
        maps = [(earlier - later).abs() for earlier, later in zip(*(self.encoder(date) for date in x.chunk(2, 1)))]
        x = maps.pop()
        for up in self.up:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = up(torch.cat([x, maps.pop()], 1) if maps else x)
        return self.head(x)


class Net(nn.Module):
    def __init__(self, kind, bands, classes):
        super().__init__()
        deep = kind == "deeplab"
        self.encoder = ResNet18(bands, 4, 3) if deep else ResNet18(bands, 2, None)
        self.decoder = DeepLabDecoder() if deep else PSPDecoder()
        self.segmentation_head = nn.Sequential(conv(256, classes, 1, bias=True) if deep else conv(512, classes, 3, bias=True), nn.Upsample(scale_factor=4 if deep else 8, mode="bilinear", align_corners=True))

    def forward(self, x):
        return self.segmentation_head(self.decoder(self.encoder(x)))


net = (SiameseUNet(a.bands, a.classes) if a.net == "change" else Net(a.net, a.bands, a.classes)).to(memory_format=torch.channels_last)
if a.check:
    folder = pathlib.Path(a.check)
    data = (folder / "weights.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = {k: v for k, v in json.loads(data[8 : 8 + size]).items() if k != "__metadata__"}
    state = {k: torch.from_numpy(np.frombuffer(data[8 + size :][slice(*v["data_offsets"])], "<f4").reshape(v["shape"]).copy()) for k, v in header.items()}
    missing = net.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
    read = lambda name, channels: torch.from_numpy(np.fromfile(folder / name, "<f4").reshape(a.batch, a.size, a.size, channels)).permute(0, 3, 1, 2)
    with torch.no_grad():
        scores = net.eval()(read("pixels.bin", a.bands).contiguous(memory_format=torch.channels_last))
    expected = read("scores.bin", a.classes)
    print(json.dumps({"difference": ((scores - expected).abs().max() / expected.abs().max()).item(), "params": sum(q.numel() for q in net.parameters())}))
    raise SystemExit
x = torch.randn(a.batch, a.bands, a.size, a.size).to(memory_format=torch.channels_last)
y = torch.randint(0, a.classes, (a.batch, a.size, a.size))
opt = torch.optim.Adam(net.parameters(), 1e-3)


def timed(f):
    f()
    out = []
    for _ in range(a.steps):
        t = time.perf_counter()
        f()
        out.append((time.perf_counter() - t) * 1e3 / a.batch)
    return {"median": round(statistics.median(out), 2), "min": round(min(out), 2)}


def step():
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()


train = timed(step)
net.eval()
with torch.no_grad():
    infer = timed(lambda: net(x))
print(json.dumps({"peer": f"torch {torch.__version__}", "net": a.net, "threads": a.threads, "params": sum(q.numel() for q in net.parameters()), "trainMsPerImage": train, "inferMsPerImage": infer}))
