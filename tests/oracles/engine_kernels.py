"""Fixtures of the engine's kernels: random cases with results and gradients by PyTorch in float64. Values are float32 in base64, so files stay small.

    python tests/oracles/engine_kernels.py
"""
import base64
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(21)
torch.set_default_dtype(torch.float64)
OUT = Path(__file__).resolve().parents[2] / "packages" / "engine" / "src" / "fixtures"


def rand(*shape, scale=1.0, shift=0.0):
    """Normal values as float32 holds them, so that both sides start from the same numbers."""
    return (torch.randn(shape) * scale + shift).float().double()


def pack(t):
    kind = "float32" if t.is_floating_point() else "int32"
    values = t.detach().contiguous().numpy().astype("<f4" if kind == "float32" else "<i4")
    return {"shape": list(t.shape), "dtype": kind, "base64": base64.b64encode(values.tobytes()).decode()}


nhwc = lambda t: t.permute(0, 2, 3, 1).contiguous()
nchw = lambda t: t.permute(0, 3, 1, 2)


def case(name, op, inputs, options, forward):
    """Floating-point inputs get gradients, for a random cotangent of the output."""
    tensors = {k: v.clone().requires_grad_(v.is_floating_point()) for k, v in inputs.items()}
    out = forward(**tensors)
    dy = rand(*out.shape)
    (out * dy).sum().backward()
    return {"name": name, "op": op, "options": options, "inputs": {k: pack(v) for k, v in inputs.items()}, "output": pack(out), "dy": pack(dy),
            "gradients": {k: pack(v.grad) for k, v in tensors.items() if v.requires_grad}}


def write(name, rows):
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    print(name, len(rows), path.stat().st_size // 1024, "KiB")


def same_pads(side, k, s, d):
    total = max(0, (-(-side // s) - 1) * s + (k - 1) * d + 1 - side)
    return total // 2, total - total // 2


def grouped():
    rows = []
    for n, h, w, ci, co, g, k, s, d, pad, bias in [
        (2, 7, 9, 4, 6, 2, (3, 3), 1, 1, "same", False),
        (3, 8, 6, 6, 3, 3, (3, 3), 1, 1, 1, True),
        (2, 9, 7, 4, 8, 4, (3, 3), 2, 1, "same", True),
        (2, 10, 11, 6, 6, 2, (5, 3), (2, 1), 1, [1, 0, 2, 2], False),
        (2, 9, 8, 4, 4, 2, (3, 3), 1, 2, 2, False),
        (2, 6, 7, 8, 4, 4, (1, 1), 1, 1, 0, True),
        (2, 7, 9, 5, 5, 5, (3, 3), 1, 1, "same", True),
        (3, 9, 8, 3, 6, 3, (3, 3), 2, 1, "same", False),
        (2, 11, 10, 4, 4, 4, (5, 5), 2, 1, 2, False),
        (2, 8, 9, 2, 2, 2, (3, 3), 1, 2, "same", False),
        (2, 9, 9, 3, 3, 3, (3, 3), 2, 2, 1, True),
        (2, 5, 6, 20, 20, 20, (3, 3), 2, 1, "same", False),
        (2, 5, 4, 16, 16, 16, (5, 5), 1, 1, "same", True),
        (2, 4, 4, 16, 16, 16, (3, 3), 1, 1, [3, 0, 2, 3], False),
        (2, 6, 7, 8, 8, 8, (3, 2), 2, 1, 0, True),
        (2, 9, 8, 12, 12, 12, (2, 3), (3, 2), 1, 0, True),
    ]:
        two = lambda v: v if isinstance(v, tuple) else (v, v)
        sh, sw = two(s); dh, dw = two(d)
        if pad == "same":
            (t, b), (l, r) = same_pads(h, k[0], sh, dh), same_pads(w, k[1], sw, dw)
        elif isinstance(pad, int):
            t = l = b = r = pad
        else:
            t, l, b, r = pad
        inputs = {"x": rand(n, h, w, ci), "filter": rand(*k, ci // g, co, scale=0.5)}
        if bias:
            inputs["bias"] = rand(co)

        def forward(x, filter, bias=None):
            return nhwc(F.conv2d(F.pad(nchw(x), (l, r, t, b)), filter.permute(3, 2, 0, 1), bias, (sh, sw), 0, (dh, dw), g))

        rows.append(case(f"{n}x{h}x{w}x{ci} to {co} in {g} groups, kernel {k}, stride {s}, dilation {d}, pad {pad}", "conv2d", inputs,
                         {"strides": [sh, sw], "dilations": [dh, dw], "pad": pad, "groups": g}, forward))
    write("grouped", rows)


def activations():
    rows = []
    for name, f, shift in [("relu6", F.relu6, 2), ("silu", F.silu, 0), ("hardSwish", F.hardswish, 0), ("hardSigmoid", F.hardsigmoid, 0), ("sigmoid", torch.sigmoid, 0), ("mish", F.mish, 0), ("gelu", F.gelu, 0)]:
        for shape in [(2, 5, 4, 3), (3, 7)]:
            rows.append(case(f"{name} {shape}", name, {"x": rand(*shape, scale=4, shift=shift)}, {}, lambda x: f(x)))
    write("activation", rows)


if __name__ == "__main__":
    grouped(); activations()
