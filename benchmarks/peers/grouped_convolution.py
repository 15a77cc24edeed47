"""PyTorch's side of the figures of convolutions in groups: the chain of layers of grouped-convolution-program.ts. Prints one JSON line.

Usage: grouped_convolution.py '{"cases": [...], "layers": 4, "steps": 8, "threads": 2}'
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])


def timed(run):
    times = []
    for step in range(settings["steps"] + 2):
        start = time.perf_counter()
        run()
        if step >= 2:
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def measure(batch, size, channels, out, groups, kernel, **_):
    x = torch.randn(batch, channels, size, size, requires_grad=True)
    dy = torch.randn(batch, channels, size, size)
    weights = [(torch.randn(out, channels // groups, kernel, kernel) * 0.1).requires_grad_() for _ in range(settings["layers"])]

    def chain():
        y = x
        for weight in weights:
            y = F.conv2d(y, weight, None, 1, kernel // 2, 1, groups)[:, :channels]
        return y

    def step():
        torch.autograd.grad(chain(), [x, *weights], dy)

    with torch.no_grad():
        forward = timed(chain)
    return {"forward": forward, "step": timed(step)}


print(json.dumps({case["name"]: measure(**case) for case in settings["cases"]}))
