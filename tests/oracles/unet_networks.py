"""The U-Nets of packages/models in PyTorch, with the same names, so that weight files fit both sides."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def norm_of(channels, norm, groups):
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    divisor = min(channels, groups)
    while channels % divisor:
        divisor -= 1
    return nn.GroupNorm(divisor, channels)


class DoubleConv(nn.Module):
    def __init__(self, inputs, outputs, norm, groups):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = norm_of(outputs, norm, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = norm_of(outputs, norm, groups)

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class UNet(nn.Module):
    def __init__(self, bands, classes, widths=None, base=16, depth=4, backbone=None, decoderWidths=(256, 128, 64, 32, 16), skips="concat",
                 margin=0, norm="batch", groups=8, normalization=None, **_):
        super().__init__()
        self.skips, self.margin, self.backbone = skips, margin, backbone
        mean, std = (normalization["mean"], normalization["std"]) if normalization else ([0.0] * bands, [1.0] * bands)
        self.mean = torch.tensor(mean, dtype=torch.float64)[:, None, None]
        self.std = torch.tensor([s or 1.0 for s in std], dtype=torch.float64)[:, None, None]
        more = (norm, groups)
        if backbone:
            self.encoder = Encoder(bands, {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[backbone], *more)
            skip_widths, before, outputs = (256, 128, 64, 64), [512, *decoderWidths], decoderWidths
            joined = [s if skips == "add" else b + s for b, s in zip(before, skip_widths)] + [before[4]]
            if skips == "add":
                self.reduce = nn.ModuleList(nn.Conv2d(b, s, 1) for b, s in zip(before, skip_widths))
            self.up = nn.ModuleList(DoubleConv(j, o, *more) for j, o in zip(joined, outputs))
            self.head = nn.Conv2d(decoderWidths[-1], classes, 3, padding=1)
            return
        widths = widths or [base << d for d in range(depth + 1)]
        levels, middle = widths[:-1], widths[-1]
        self.down = nn.ModuleList(DoubleConv(i, o, *more) for i, o in zip([bands, *levels[:-1]], levels))
        self.middle = DoubleConv(levels[-1], middle, *more)
        turned = levels[::-1]
        self.reduce = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in zip([middle, *turned[:-1]], turned))
        self.up = nn.ModuleList(DoubleConv(2 * w if skips == "concat" else w, w, *more) for w in turned)
        self.head = nn.Conv2d(levels[0], classes, 1)

    def forward(self, x):
        x = (x - self.mean.to(x.dtype)) / self.std.to(x.dtype)
        y = self.residual(x) if self.backbone else self.plain(x)
        m = self.margin
        return y[:, :, m:-m, m:-m] if m else y

    def plain(self, x):
        maps = []
        for level in self.down:
            x = level(x)
            maps.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for reduce, up, skip in zip(self.reduce, self.up, reversed(maps)):
            x = reduce(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = up(torch.cat([skip, x], 1) if self.skips == "concat" else skip + x)
        return self.head(x)

    def residual(self, x):
        maps = self.encoder(x)
        x = maps.pop()
        for i, up in enumerate(self.up):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            if maps and self.skips == "add":
                x = maps.pop() + self.reduce[i](x)
            elif maps:
                x = torch.cat([x, maps.pop()], 1)
            x = up(x)
        return self.head(x)


class Encoder(nn.Module):
    def __init__(self, bands, blocks, norm, groups):
        super().__init__()
        self.conv1 = nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
        self.bn1 = norm_of(64, norm, groups)
        inputs = 64
        for s, (count, outputs) in enumerate(zip(blocks, (64, 128, 256, 512))):
            stage = []
            for b in range(count):
                stage.append(Basic(inputs, outputs, 2 if b == 0 and s > 0 else 1, norm, groups))
                inputs = outputs
            setattr(self, f"layer{s + 1}", nn.Sequential(*stage))

    def forward(self, x):
        maps = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(maps[0], 3, 2, 1)
        for s in range(1, 5):
            x = getattr(self, f"layer{s}")(x)
            maps.append(x)
        return maps


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride, norm, groups):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm_of(outputs, norm, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm_of(outputs, norm, groups)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm_of(outputs, norm, groups))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))
