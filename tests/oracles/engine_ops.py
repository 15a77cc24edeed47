"""Forward and gradient fixtures of the engine's operations, from PyTorch in float64. Writes packages/engine/src/fixtures/*.json.

    python tests/oracles/engine_ops.py
"""
import base64
import json
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
OUT = Path(__file__).resolve().parents[2] / "packages" / "engine" / "src" / "fixtures"
OUT.mkdir(exist_ok=True)


def single(t):
    """Values as float32 holds them, so that both sides start from the same numbers."""
    return t.float().double()


def rand(*shape, scale=1.0, shift=0.0):
    return single(torch.randn(shape) * scale + shift)


def pack(t):
    kind = "int32" if t.dtype in (torch.int64, torch.int32) else "float32"
    values = t.detach().reshape(-1).tolist()
    return {"shape": list(t.shape), "dtype": kind, "data": [int(v) if kind == "int32" else float(f"{v:.8g}") for v in values]}


nhwc = lambda t: t.permute(0, 2, 3, 1).contiguous()
nchw = lambda t: t.permute(0, 3, 1, 2)


def case(name, op, inputs, options, forward, grads, extra=None):
    """forward: dict of tensors -> tensor. grads: names of differentiable inputs."""
    tensors = {k: (v.clone().requires_grad_(k in grads)) for k, v in inputs.items()}
    out = forward(**tensors)
    dy = rand(*out.shape)
    (out * dy).sum().backward()
    row = {"name": name, "op": op, "options": options, "inputs": {k: pack(v) for k, v in inputs.items()}, "output": pack(out), "dy": pack(dy),
           "gradients": {k: pack(tensors[k].grad) for k in grads}}
    row.update(extra() if extra else {})
    return row


def write(name, rows):
    (OUT / f"{name}.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")
    print(name, len(rows), (OUT / f"{name}.json").stat().st_size // 1024, "KiB")


def same_pads(side, k, s, d):
    total = max(0, (-(-side // s) - 1) * s + (k - 1) * d + 1 - side)
    return total // 2, total - total // 2


def convolution():
    rows = []
    for n, h, w, ci, co, k, s, d, pad, bias in [
        (1, 7, 9, 3, 4, (3, 3), 1, 1, "same", False),
        (3, 8, 6, 2, 5, (3, 3), 1, 1, 1, True),
        (2, 9, 7, 3, 2, (3, 3), 2, 1, "same", True),
        (2, 10, 8, 3, 4, (3, 3), 2, 1, 1, False),
        (1, 11, 13, 2, 3, (7, 7), 2, 1, 3, False),
        (3, 9, 8, 2, 3, (3, 3), 1, 2, "same", True),
        (2, 11, 10, 2, 3, (3, 3), 2, 2, 2, False),
        (2, 6, 7, 5, 3, (1, 1), 1, 1, "valid", True),
        (2, 7, 9, 4, 3, (1, 1), 2, 1, 0, False),
        (2, 8, 9, 2, 3, (1, 3), (1, 2), 1, "valid", False),
        (2, 8, 9, 2, 3, (5, 2), (3, 1), (1, 3), "same", True),
        (1, 9, 8, 2, 2, (3, 3), 1, 1, [2, 0, 1, 3], False),
        (2, 7, 6, 2, 2, (2, 2), 1, 1, [3, 2, 2, 3], True),
        (1, 5, 5, 1, 1, (5, 5), 1, 1, "valid", False),
        (2, 12, 9, 3, 2, (3, 3), 3, 1, "valid", False),
        (2, 3, 4, 9, 7, (3, 3), 1, 1, 1, True),
        (2, 3, 5, 16, 20, (3, 3), 1, 1, 1, False),
    ]:
        two = lambda v: v if isinstance(v, tuple) else (v, v)
        sh, sw = two(s); dh, dw = two(d)
        if pad == "same":
            (t, b), (l, r) = same_pads(h, k[0], sh, dh), same_pads(w, k[1], sw, dw)
        elif pad == "valid":
            t = l = b = r = 0
        elif isinstance(pad, int):
            t = l = b = r = pad
        else:
            t, l, b, r = pad
        inputs = {"x": rand(n, h, w, ci), "filter": rand(*k, ci, co, scale=0.5)}
        if bias:
            inputs["bias"] = rand(co)

        def forward(x, filter, bias=None):
            return nhwc(F.conv2d(F.pad(nchw(x), (l, r, t, b)), filter.permute(3, 2, 0, 1), bias, (sh, sw), 0, (dh, dw)))

        rows.append(case(f"{n}x{h}x{w}x{ci} to {co}, kernel {k}, stride {s}, dilation {d}, pad {pad}", "conv2d", inputs,
                         {"strides": [sh, sw], "dilations": [dh, dw], "pad": pad}, forward, list(inputs)))
    write("conv2d", rows)


def pooling():
    rows = []
    for n, h, w, c, k, s, p in [(2, 6, 8, 3, 2, 2, 0), (3, 7, 9, 2, 2, 2, 0), (2, 9, 7, 3, 3, 2, 1), (1, 6, 9, 2, 3, 3, 0), (2, 5, 6, 2, 3, 1, 1), (2, 4, 4, 1, 2, 1, 0)]:
        for flat in (False, True):
            x = rand(n, h, w, c)
            if flat:  # ties everywhere, negative too
                x = torch.randint(-2, 1, (n, h, w, c)).double()
            rows.append(case(f"max {n}x{h}x{w}x{c} window {k} stride {s} pad {p}{' ties' if flat else ''}", "maxPool", {"x": x}, {"size": k, "strides": s, "pad": p},
                             lambda x: nhwc(F.max_pool2d(nchw(x), k, s, p)), ["x"]))
        rows.append(case(f"avg {n}x{h}x{w}x{c} window {k} stride {s} pad {p}", "avgPool", {"x": rand(n, h, w, c)}, {"size": k, "strides": s, "pad": p},
                         lambda x: nhwc(F.avg_pool2d(nchw(x), k, s, p, count_include_pad=False)), ["x"]))
    write("pool", rows)


def norms():
    rows = []
    for name, n, h, w, c, scale, shift, relu in [("plain", 2, 5, 7, 3, 1, 0, False), ("relu", 3, 6, 4, 5, 2, 0.3, True), ("mean 1000 sd 1", 2, 8, 8, 2, 1, 1000, False), ("single image", 1, 9, 5, 4, 1, 0, True),
                                                 ("wide map", 2, 3, 48, 2, 1, 3, True)]:
        inputs = {"x": rand(n, h, w, c, scale=scale, shift=shift), "scale": rand(c, shift=1, scale=0.2), "offset": rand(c, scale=0.3)}
        mean, variance = rand(c), single(torch.rand(c) + 0.5)
        after = {}

        def forward(x, scale, offset):
            m, v = mean.clone(), variance.clone()
            y = F.batch_norm(nchw(x), m, v, scale, offset, True, 0.1, 1e-5)
            after["m"], after["v"] = m, v
            return nhwc(F.relu(y) if relu else y)

        rows.append(case(name, "batchNorm", inputs, {"activation": "relu" if relu else "none", "training": True}, forward, list(inputs),
                         lambda: {"mean": pack(mean), "variance": pack(variance), "nextMean": pack(after["m"]), "nextVariance": pack(after["v"])}))
        rows.append(case(name + ", running statistics", "batchNorm", inputs, {"activation": "relu" if relu else "none", "training": False},
                         lambda x, scale, offset: nhwc((F.relu if relu else (lambda v: v))(F.batch_norm(nchw(x), mean, variance, scale, offset, False, 0.1, 1e-5))), list(inputs),
                         lambda: {"mean": pack(mean), "variance": pack(variance), "nextMean": pack(mean), "nextVariance": pack(variance)}))
    for n, h, w, c, g, relu, shift in [(1, 5, 7, 6, 3, False, 0), (3, 4, 6, 8, 2, True, 5), (2, 6, 5, 4, 4, False, 1000), (2, 3, 3, 4, 1, True, 0)]:
        inputs = {"x": rand(n, h, w, c, shift=shift), "scale": rand(c, shift=1, scale=0.2), "offset": rand(c, scale=0.3)}
        rows.append(case(f"group {n}x{h}x{w}x{c} in {g}", "groupNorm", inputs, {"groups": g, "activation": "relu" if relu else "none"},
                         lambda x, scale, offset: nhwc((F.relu if relu else (lambda v: v))(F.group_norm(nchw(x), g, scale, offset, 1e-5))), list(inputs)))
    write("norm", rows)


def resizing():
    rows = []
    for n, h, w, c, f in [(1, 3, 5, 2, 2), (3, 4, 3, 2, 3), (2, 1, 4, 3, 2), (2, 3, 3, 1, 1)]:
        rows.append(case(f"nearest {n}x{h}x{w}x{c} by {f}", "upsampleNearest", {"x": rand(n, h, w, c)}, {"factor": f}, lambda x: nhwc(F.interpolate(nchw(x), scale_factor=f, mode="nearest")), ["x"]))
    for n, h, w, c, size in [(1, 3, 5, 2, (6, 10)), (3, 4, 3, 2, (7, 5)), (2, 7, 6, 1, (3, 4)), (2, 1, 1, 3, (4, 2)), (2, 5, 4, 2, (5, 4)), (1, 8, 8, 2, (1, 1))]:
        rows.append(case(f"bilinear {n}x{h}x{w}x{c} to {size}", "resizeBilinear", {"x": rand(n, h, w, c)}, {"size": size}, lambda x: nhwc(F.interpolate(nchw(x), size=size, mode="bilinear", align_corners=False)), ["x"]))
    write("resize", rows)


def losses():
    rows = []
    for name, shape, classes, weighted, ignore, reduction, scale in [
        ("plain", (2, 5, 4), 3, False, None, "mean", 1), ("weights", (3, 4, 7), 4, True, None, "mean", 1), ("ignored", (2, 6, 5), 3, True, 255, "mean", 1), ("negative ignore", (2, 6, 5), 3, False, -1, "mean", 1),
        ("ignored class", (2, 6, 5), 3, True, 1, "mean", 1), ("sum", (2, 3, 4), 5, True, None, "sum", 1), ("each", (2, 3, 4), 2, True, 255, "none", 1), ("large logits", (1, 4, 4), 3, False, None, "mean", 300), ("vectors", (11,), 4, False, None, "mean", 1)]:
        targets = torch.randint(0, classes, shape)
        if ignore is not None and (ignore < 0 or ignore >= classes):
            targets[torch.rand(*shape) < 0.3] = ignore
        weights = single(torch.rand(classes) + 0.2) if weighted else None
        forward = lambda logits: F.cross_entropy(logits.movedim(-1, 1), targets, weights, ignore_index=-100 if ignore is None else ignore, reduction=reduction)
        rows.append(case(name, "crossEntropy", {"logits": rand(*shape, classes, scale=scale)}, {"ignoreIndex": ignore, "reduction": reduction}, forward, ["logits"],
                         lambda: {"targets": pack(targets), "weights": pack(weights) if weighted else None}))
    rows.append(case("log softmax", "logSoftmax", {"logits": rand(2, 3, 4, 5, scale=40)}, {}, lambda logits: F.log_softmax(logits, -1), ["logits"]))
    write("loss", rows)


def optimizers():
    rows = []
    for name, options, make in [
        ("adam", {"type": "adam"}, lambda p: torch.optim.Adam(p, 1e-2)),
        ("adam with decay", {"type": "adam", "weightDecay": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}, lambda p: torch.optim.Adam(p, 1e-2, (0.8, 0.95), 1e-6, 0.1)),
        ("adamw", {"type": "adamw", "weightDecay": 0.05}, lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.05)),
        ("sgd", {"type": "sgd"}, lambda p: torch.optim.SGD(p, 1e-2)),
        ("sgd with momentum and decay", {"type": "sgd", "momentum": 0.9, "weightDecay": 0.01}, lambda p: torch.optim.SGD(p, 1e-2, 0.9, weight_decay=0.01)),
    ]:
        start = [rand(3, 4), rand(5), rand(2, 2, 1)]
        steps = [[rand(*p.shape, scale=s) for p in start] for s in (1, 0.1, 3, 1, 1e-3)]
        rates = [1e-2, 2e-2, 1e-2, 5e-3, 1e-3]
        params = [p.clone().requires_grad_() for p in start]
        optimizer = make(params)
        after = []
        for gradients, rate in zip(steps, rates):
            for group in optimizer.param_groups:
                group["lr"] = rate
            for p, g in zip(params, gradients):
                p.grad = g.clone()
            optimizer.step()
            after.append([pack(p) for p in params])
        rows.append({"name": name, "options": options, "start": [pack(p) for p in start], "gradients": [[pack(g) for g in gs] for gs in steps], "rates": rates, "after": after})
    write("optimizer", rows)


def encode(t):
    """Like pack, in base64: holds numbers that are none, and large arrays in little room."""
    kind = "int32" if t.dtype in (torch.int64, torch.int32) else "float32"
    return {"shape": list(t.shape), "dtype": kind, "base64": base64.b64encode(t.detach().to(getattr(torch, kind)).numpy().tobytes()).decode()}


def hard_norms():
    """A constant of 200.7 (variance 0), numbers of mean 1000 and deviation 1, and easy ones."""
    rows = []
    for kind in ["constant", "far", "easy"]:
        numbers = lambda *shape: single(torch.full(shape, 200.7) if kind == "constant" else torch.randn(shape) + (1000 if kind == "far" else 0))
        affine = lambda width: {"scale": rand(width, shift=1, scale=0.2), "offset": rand(width, scale=0.3)}
        for n, h, w in [(2, 12, 10), (3, 7, 11), (1, 24, 17)]:
            inputs = {"x": numbers(n, h, w, 2), **affine(2)}
            rows.append(case(f"{kind} {n}x{h}x{w}", "batchNorm", inputs, {"kind": kind}, lambda x, scale, offset: nhwc(F.batch_norm(nchw(x), None, None, scale, offset, True, 0, 1e-5)), list(inputs)))
            inputs = {"x": numbers(n, h, w, 4), **affine(4)}
            for groups in (2, 4):
                rows.append(case(f"{kind} {n}x{h}x{w}x4 in {groups}", "groupNorm", inputs, {"kind": kind, "groups": groups}, lambda x, scale, offset: nhwc(F.group_norm(nchw(x), groups, scale, offset, 1e-5)), list(inputs)))
        for shape in [(2, 3, 48), (3, 300), (2, 3, 2, 20)]:
            inputs = {"x": numbers(*shape), **affine(shape[-1])}
            rows.append(case(f"{kind} {'x'.join(map(str, shape))}", "layerNorm", inputs, {"kind": kind}, lambda x, scale, offset: F.layer_norm(x, shape[-1:], scale, offset, 1e-5), list(inputs)))
    for row in rows:
        for part in [row["inputs"], row["gradients"], row]:
            for name in list(part):
                if isinstance(part[name], dict) and "data" in part[name]:
                    values = part[name]
                    part[name] = encode(torch.tensor(values["data"]).reshape(values["shape"]))
    write("hard-norm", rows)


def not_numbers():
    """Where the maximum is when some numbers are none or infinite, and what maxima of windows are."""
    nan, inf = float("nan"), float("inf")
    rows = []
    x = torch.tensor([[1, nan, 3, 2], [nan, 0, 1, 2], [1, 2, 3, nan], [nan, nan, nan, nan], [inf, nan, 1, 1], [1, -inf, nan, nan], [inf, 1, inf, 0], [-inf, -inf, 1, 1], [1, 2, 2, 0]])
    image = rand(2, 3, 4, 5)
    image[0, 1, 2, 3] = nan
    image[1, 0, 3, 0] = -inf
    image[1, 2, 1, 4] = nan
    image[1, 2, 1, 2] = inf
    for name, values, axis in [("rows", x, 1), ("columns", x, 0), ("channels", image, 3), ("height", image, 1)]:
        for op in ("argMax", "argMin"):
            rows.append({"name": name, "op": op, "options": {"axis": axis}, "x": encode(values), "output": encode(getattr(values, op.lower())(axis))})
    for h, w, c, k, s, p in [(8, 8, 2, 2, 2, 0), (9, 7, 3, 3, 2, 1), (7, 9, 2, 2, 2, 0), (6, 6, 1, 3, 1, 1)]:
        x = rand(2, h, w, c)
        x[0, 2, 3, 0], x[0, h - 1, w - 1, 0], x[1, 0, 0, c - 1], x[1, 4, 4, 0], x[1, 1, 3, c - 1] = nan, nan, nan, inf, -inf
        x[0, 4:7, 2:5, c - 1] = -inf
        rows.append({"name": f"{h}x{w}x{c} window {k} stride {s} pad {p}", "op": "maxPool", "options": {"size": k, "strides": s, "pad": p}, "x": encode(x), "output": encode(nhwc(F.max_pool2d(nchw(x), k, s, p)))})
    x = rand(1, 4, 6, 4, 2)
    x[0, 1, 2, 3, 0], x[0, 3, 5, 0, 1] = nan, inf
    rows.append({"name": "volume", "op": "maxPool3d", "options": {"size": 2, "strides": 2}, "x": encode(x), "output": encode(F.max_pool3d(x.permute(0, 4, 1, 2, 3), 2, 2).permute(0, 2, 3, 4, 1).contiguous())})
    write("not-numbers", rows)


def pixel_networks():
    """What atrous pyramids and pyramid pooling need: windows wider than the image, means over grids, corners on corners."""
    rows = []
    for n, h, w, ci, co, k, d, groups in [(2, 9, 11, 3, 4, 3, 2, 1), (1, 8, 10, 16, 16, 3, 4, 1), (2, 8, 8, 16, 16, 3, 6, 1), (2, 7, 9, 5, 3, 3, 12, 1), (1, 8, 9, 3, 16, 3, 18, 1),
                                          (2, 9, 7, 6, 6, 3, 2, 6), (2, 8, 9, 16, 16, 3, 6, 16), (1, 8, 8, 20, 20, 3, 12, 20), (2, 7, 8, 16, 16, 3, 18, 16), (2, 9, 8, 16, 16, 5, 4, 16), (2, 9, 10, 8, 12, 3, 2, 4)]:
        pad = (k // 2) * d
        inputs = {"x": rand(n, h, w, ci), "filter": rand(k, k, ci // groups, co, scale=0.5)}
        rows.append(case(f"{n}x{h}x{w}x{ci} to {co}, kernel {k}, dilation {d}, {groups} groups", "conv2d", inputs, {"strides": 1, "dilations": d, "pad": pad, "groups": groups},
                         lambda x, filter: nhwc(F.conv2d(nchw(x), filter.permute(3, 2, 0, 1), None, 1, pad, d, groups)), list(inputs)))
    for n, h, w, c, size in [(2, 12, 6, 3, (2, 3)), (1, 7, 9, 2, (3, 6)), (2, 5, 4, 2, (6, 6)), (3, 8, 8, 1, (1, 1)), (2, 16, 10, 4, (6, 6)), (1, 3, 3, 2, (3, 3))]:
        rows.append(case(f"mean {n}x{h}x{w}x{c} to {size}", "adaptiveAvgPool", {"x": rand(n, h, w, c)}, {"size": size}, lambda x: nhwc(F.adaptive_avg_pool2d(nchw(x), size)), ["x"]))
    for n, h, w, c, size in [(1, 3, 5, 2, (12, 20)), (3, 4, 3, 2, (7, 5)), (2, 7, 6, 1, (3, 4)), (2, 1, 1, 3, (4, 2)), (2, 6, 6, 2, (8, 12)), (1, 8, 8, 2, (1, 1))]:
        rows.append(case(f"corners {n}x{h}x{w}x{c} to {size}", "resizeBilinear", {"x": rand(n, h, w, c)}, {"size": size}, lambda x: nhwc(F.interpolate(nchw(x), size=size, mode="bilinear", align_corners=True)), ["x"]))
    for row in rows:
        for part in [row["inputs"], row["gradients"], row]:
            for name in list(part):
                if isinstance(part[name], dict) and "data" in part[name]:
                    part[name] = encode(torch.tensor(part[name]["data"]).reshape(part[name]["shape"]))
    write("pixel-networks", rows)


convolution(); pooling(); norms(); resizing(); losses(); optimizers(); hard_norms(); not_numbers(); pixel_networks()
