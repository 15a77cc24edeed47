"""Random cases of the engine's operations with results and gradients by PyTorch in float64. Values travel as float32 in base64.

    python tests/oracles/engine_kernels.py                       writes the fixture, a few cases of each operation
    python tests/oracles/engine_kernels.py --count 200 --seed 5 --out cases.json [OPERATION...]
"""
import argparse
import base64
import json
import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
FIXTURE = Path(__file__).resolve().parents[2] / "packages" / "engine" / "src" / "fixtures" / "kernels.json"

CASES = {}


def operation(maker):
    """Registers a maker of random cases: maker(r) gives inputs, options and the function that computes the result from the inputs."""
    CASES[maker.__name__] = maker
    return maker


def single(t):
    """As float32 holds it, so that both sides start from the same numbers."""
    return t.float().double()


def rand(*shape, scale=1.0, shift=0.0):
    return single(torch.randn(shape) * scale + shift)


def uniform(low, high, *shape):
    return single(torch.rand(shape) * (high - low) + low)


def ints(low, high, *shape):
    return torch.randint(low, high, shape).int()


nhwc = lambda t: t.permute(0, 2, 3, 1)
nchw = lambda t: t.permute(0, 3, 1, 2)
ndhwc = lambda t: t.permute(0, 2, 3, 4, 1)
ncdhw = lambda t: t.permute(0, 4, 1, 2, 3)


def shape_of(r, rank=None, most=6):
    return [r.randint(1, most) for _ in range(r.randint(1, 5) if rank is None else rank)]


def image_of(r, least=3, most=9, channels=5):
    return r.randint(1, 3), r.randint(least, most), r.randint(least, most), r.randint(1, channels)


# --- elementwise -----------------------------------------------------------------------------------------------------------------------

UNARY = {
    "abs": (torch.abs, -3, 3), "acos": (torch.acos, -0.95, 0.95), "acosh": (torch.acosh, 1.1, 5), "asin": (torch.asin, -0.95, 0.95), "asinh": (torch.asinh, -3, 3),
    "atan": (torch.atan, -3, 3), "atanh": (torch.atanh, -0.9, 0.9), "ceil": (torch.ceil, -3, 3), "cos": (torch.cos, -3, 3), "cosh": (torch.cosh, -3, 3),
    "elu": (F.elu, -3, 3), "erf": (torch.erf, -2.5, 2.5), "exp": (torch.exp, -3, 3), "expm1": (torch.expm1, -2, 2), "floor": (torch.floor, -3, 3),
    "gelu": (F.gelu, -3, 3), "leakyRelu": (lambda x: F.leaky_relu(x, 0.1), -3, 3), "log": (torch.log, 0.1, 5), "log1p": (torch.log1p, -0.8, 5), "logSigmoid": (F.logsigmoid, -5, 5),
    "neg": (torch.neg, -3, 3), "reciprocal": (torch.reciprocal, 0.3, 3), "relu": (F.relu, -3, 3), "relu6": (F.relu6, -3, 9), "rsqrt": (torch.rsqrt, 0.2, 3),
    "selu": (F.selu, -3, 3), "sigmoid": (torch.sigmoid, -5, 5), "silu": (F.silu, -5, 5), "hardSwish": (F.hardswish, -5, 5), "hardSigmoid": (F.hardsigmoid, -5, 5), "mish": (F.mish, -5, 5),
    "sign": (torch.sign, -3, 3), "sin": (torch.sin, -3, 3), "sinh": (torch.sinh, -3, 3), "softplus": (F.softplus, -5, 5), "sqrt": (torch.sqrt, 0.2, 5),
    "square": (torch.square, -3, 3), "tan": (torch.tan, -1, 1), "tanh": (torch.tanh, -3, 3), "clip": (lambda x: torch.clamp(x, -1, 2), -3, 3),
}


@operation
def unary(r):
    name = r.choice(sorted(UNARY))
    f, low, high = UNARY[name]
    return {"x": uniform(low, high, *shape_of(r))}, {"name": name}, lambda x: f(x)


BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum, "squaredDifference": lambda a, b: (a - b) ** 2,
    "atan2": torch.atan2, "mod": lambda a, b: a - torch.floor(a.detach() / b.detach()) * b, "pow": torch.pow, "prelu": lambda a, b: torch.where(a > 0, a, a * b),
}


@operation
def binary(r):
    name = r.choice(sorted(BINARY))
    shape = shape_of(r)
    second = [1 if r.random() < 0.3 else side for side in shape][r.randint(0, len(shape) - 1) if r.random() < 0.3 else 0:]
    first = [1 if r.random() < 0.2 and name != "prelu" else side for side in shape]
    a = uniform(0.2, 3, *first) if name == "pow" else rand(*first, scale=2)
    b = rand(*second, scale=2)
    if name in ("div", "mod"):
        b = b.sign() * (b.abs() + 0.5)
    return {"a": single(a), "b": single(b)}, {"name": name}, lambda a, b: BINARY[name](a, b)


@operation
def where(r):
    shape = shape_of(r)
    return {"condition": ints(0, 2, *shape), "a": rand(*shape), "b": rand(*shape)}, {}, lambda condition, a, b: torch.where(condition > 0, a, b)


@operation
def smoothL1(r):
    """Written with a comparison, whose operand is trained."""
    shape = shape_of(r)
    return {"x": rand(*shape, scale=2)}, {}, lambda x: torch.where(x.abs() < 1, 0.5 * x * x, x.abs() - 0.5)


# --- reductions ------------------------------------------------------------------------------------------------------------------------

REDUCE = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "logSumExp": torch.logsumexp, "euclidean": lambda x, a, k: torch.linalg.vector_norm(x, 2, a, k)}


@operation
def reduce(r):
    name = r.choice([*sorted(REDUCE), "prod", "variance"])
    shape = shape_of(r, r.randint(1, 5), 5)
    axes = sorted(r.sample(range(len(shape)), r.randint(1, len(shape))))
    keep = r.random() < 0.5
    x = rand(*shape)
    if name in ("max", "min") and r.random() < 0.5:
        x = torch.randint(-2, 2, shape).double()  # ties
    if name == "prod" and r.random() < 0.5:
        x = x * (torch.rand(shape) > 0.2)  # zeros

    def forward(x):
        if name == "prod":
            for axis in reversed(axes):
                x = torch.prod(x, axis, keep)
            return x
        if name == "variance":
            return torch.var(x, axes, unbiased=False, keepdim=keep)
        return REDUCE[name](x, axes, keep)

    return {"x": x}, {"name": name, "axes": axes, "keepDims": keep}, forward


@operation
def softmax(r):
    name = r.choice(["softmax", "logSoftmax"])
    shape = shape_of(r, r.randint(1, 4))
    return {"x": rand(*shape, scale=r.choice([1, 30]))}, {"name": name}, lambda x: F.softmax(x, -1) if name == "softmax" else F.log_softmax(x, -1)


@operation
def running(r):
    name = r.choice(["cumsum", "cumprod"])
    shape = shape_of(r, r.randint(1, 4), 7)
    axis, exclusive, reverse = r.randrange(len(shape)), r.random() < 0.5, r.random() < 0.5
    x = rand(*shape)
    if name == "cumprod" and r.random() < 0.3:
        x = x * (torch.rand(shape) > 0.2)

    def forward(x):
        v = x.flip(axis) if reverse else x
        if exclusive:
            first = torch.zeros_like(v.narrow(axis, 0, 1)) + (name == "cumprod")
            v = torch.cat([first, v.narrow(axis, 0, v.shape[axis] - 1)], axis)
        v = torch.cumsum(v, axis) if name == "cumsum" else torch.cumprod(v, axis)
        return v.flip(axis) if reverse else v

    return {"x": x}, {"name": name, "axis": axis, "exclusive": exclusive, "reverse": reverse}, forward


# --- moving elements -------------------------------------------------------------------------------------------------------------------


@operation
def transpose(r):
    shape = shape_of(r)
    perm = r.sample(range(len(shape)), len(shape))
    return {"x": rand(*shape)}, {"perm": perm}, lambda x: x.permute(perm)


@operation
def concat(r):
    shape = shape_of(r, r.randint(1, 4))
    axis = r.randrange(len(shape))
    other = [r.randint(1, 5) if i == axis else side for i, side in enumerate(shape)]
    return {"a": rand(*shape), "b": rand(*other)}, {"axis": axis}, lambda a, b: torch.cat([a, b, a], axis)


@operation
def slices(r):
    shape = shape_of(r)
    begin = [r.randrange(side) for side in shape]
    size = [r.randint(1, side - first) for side, first in zip(shape, begin)]

    def forward(x):
        for axis, (first, length) in enumerate(zip(begin, size)):
            x = x.narrow(axis, first, length)
        return x

    return {"x": rand(*shape)}, {"begin": begin, "size": size}, forward


@operation
def stridedSlice(r):
    shape = shape_of(r, r.randint(1, 4), 8)
    begin, end, strides = [], [], []
    for side in shape:
        step = r.choice([1, 1, 2, 3, -1, -2])
        a, b = sorted([r.randrange(side), r.randrange(side)])
        begin.append(a if step > 0 else b)
        end.append(b + 1 if step > 0 else (a - 1 if a > 0 else -side - 1))
        strides.append(step)

    def forward(x):
        for axis, (a, b, s) in enumerate(zip(begin, end, strides)):
            x = x.index_select(axis, torch.tensor(list(range(x.shape[axis]))[a:(None if b < 0 and s < 0 else b):s]))
        return x

    return {"x": rand(*shape)}, {"begin": begin, "end": end, "strides": strides}, forward


@operation
def pad(r):
    shape = shape_of(r, r.randint(1, 5), 5)
    pads = [[r.randint(0, 3), r.randint(0, 3)] for _ in shape]
    value = r.choice([0, 1.5])
    return {"x": rand(*shape)}, {"paddings": pads, "value": value}, lambda x: F.pad(x, [p for pair in reversed(pads) for p in pair], value=value)


@operation
def mirrorPad(r):
    mode = r.choice(["reflect", "symmetric"])
    shape = [r.randint(3, 6) for _ in range(r.randint(1, 4))]
    pads = [[r.randint(0, 2), r.randint(0, 2)] for _ in shape]

    def forward(x):
        for axis, (before, after) in enumerate(pads):
            places = np.pad(np.arange(x.shape[axis]), (before, after), mode=mode)
            x = x.index_select(axis, torch.from_numpy(places))
        return x

    return {"x": rand(*shape)}, {"paddings": pads, "mode": mode}, forward


@operation
def tile(r):
    shape = shape_of(r, None, 3)
    reps = [r.randint(1, 3) for _ in shape]
    return {"x": rand(*shape)}, {"reps": reps}, lambda x: x.repeat(reps)


@operation
def reverse(r):
    shape = shape_of(r)
    axes = r.sample(range(len(shape)), r.randint(1, len(shape)))
    return {"x": rand(*shape)}, {"axes": axes}, lambda x: x.flip(axes)


@operation
def stack(r):
    shape = shape_of(r, r.randint(1, 4), 4)
    axis = r.randint(0, len(shape))
    return {"a": rand(*shape), "b": rand(*shape)}, {"axis": axis}, lambda a, b: torch.stack([a, b, b], axis)


@operation
def unstack(r):
    shape = shape_of(r, r.randint(1, 4), 4)
    axis = r.randrange(len(shape))
    at = r.randrange(shape[axis])
    return {"x": rand(*shape)}, {"axis": axis, "at": at}, lambda x: x.select(axis, at)


@operation
def broadcastTo(r):
    shape = shape_of(r, r.randint(1, 4), 4)
    small = [1 if r.random() < 0.5 else side for side in shape]
    return {"x": rand(*small)}, {"shape": shape}, lambda x: x.expand(shape)


@operation
def depthToSpace(r):
    n, h, w, c = image_of(r, 1, 4, 3)
    b = r.randint(2, 3)
    return {"x": rand(n, h, w, c * b * b)}, {"block": b}, lambda x: x.reshape(n, h, w, b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c)


@operation
def spaceToBatch(r):
    n, h, w, c = image_of(r, 2, 6, 3)
    block = [r.randint(1, 3), r.randint(1, 3)]
    pads = []
    for side, b in zip((h, w), block):
        before = r.randint(0, 2)
        pads.append([before, (-(side + before)) % b])

    def forward(x):
        x = F.pad(x, (0, 0, *pads[1], *pads[0]))
        n, h, w, c = x.shape
        return x.reshape(n, h // block[0], block[0], w // block[1], block[1], c).permute(2, 4, 0, 1, 3, 5).reshape(-1, h // block[0], w // block[1], c)

    return {"x": rand(n, h, w, c)}, {"block": block, "paddings": pads}, forward


@operation
def batchToSpace(r):
    block = [r.randint(1, 3), r.randint(1, 3)]
    n, h, w, c = image_of(r, 2, 4, 3)
    crops = [[r.randint(0, b - 1), r.randint(0, b - 1)] for b in block]

    def forward(x):
        y = x.reshape(*block, n, h, w, c).permute(2, 3, 0, 4, 1, 5).reshape(n, h * block[0], w * block[1], c)
        return y[:, crops[0][0]:y.shape[1] - crops[0][1], crops[1][0]:y.shape[2] - crops[1][1]]

    return {"x": rand(n * block[0] * block[1], h, w, c)}, {"block": block, "crops": crops}, forward


@operation
def diag(r):
    shape = shape_of(r, r.randint(1, 2), 5)
    return {"x": rand(*shape)}, {}, lambda x: torch.diag(x.reshape(-1)).reshape(*shape, *shape)


# --- picking and placing ---------------------------------------------------------------------------------------------------------------


@operation
def gather(r):
    shape = shape_of(r, r.randint(1, 4), 5)
    batch = r.randint(0, len(shape) - 1) if r.random() < 0.5 else 0
    axis = r.randint(batch, len(shape) - 1)
    indices = ints(0, shape[axis], *shape[:batch], *shape_of(r, r.randint(1, 2), 4))

    def forward(x, indices):
        outer, inner, m = shape[batch:axis], shape[axis + 1:], list(indices.shape[batch:])
        where = indices.long().reshape(*shape[:batch], *[1] * len(outer), -1, *[1] * len(inner)).expand(*shape[:batch], *outer, -1, *inner)
        return torch.gather(x, axis, where).reshape(*shape[:batch], *outer, *m, *inner)

    return {"x": rand(*shape), "indices": indices}, {"axis": axis, "batchDims": batch}, forward


@operation
def gatherNd(r):
    shape = shape_of(r, r.randint(1, 4), 5)
    depth = r.randint(1, len(shape))
    m = shape_of(r, r.randint(1, 2), 4)
    indices = torch.stack([ints(0, shape[i], *m) for i in range(depth)], -1)
    return {"x": rand(*shape), "indices": indices}, {}, lambda x, indices: x[tuple(indices.long().unbind(-1))]


@operation
def scatterNd(r):
    shape = shape_of(r, r.randint(1, 3), 5)
    depth = r.randint(1, len(shape))
    m = shape_of(r, 1, 6)
    indices = torch.stack([ints(0, shape[i], *m) for i in range(depth)], -1)
    return ({"indices": indices, "updates": rand(*m, *shape[depth:])}, {"shape": shape},
            lambda indices, updates: torch.zeros(shape).index_put(tuple(indices.long().unbind(-1)), updates, accumulate=True))


@operation
def tensorScatterUpdate(r):
    shape = shape_of(r, r.randint(1, 3), 6)
    count = r.randint(1, shape[0])
    indices = torch.tensor(r.sample(range(shape[0]), count)).int().reshape(-1, 1)
    return ({"tensor": rand(*shape), "indices": indices, "updates": rand(count, *shape[1:])}, {},
            lambda tensor, indices, updates: tensor.index_put((indices.long()[:, 0],), updates))


@operation
def sparseToDense(r):
    size = r.randint(3, 9)
    count = r.randint(1, size)
    indices = torch.tensor(sorted(r.sample(range(size), count))).int()
    default = r.choice([0, 2.5])
    return {"indices": indices, "values": rand(count).detach()}, {"shape": [size], "default": default, "forwardOnly": True}, lambda indices, values: torch.full((size,), float(default)).index_put((indices.long(),), values)


@operation
def unsortedSegmentSum(r):
    shape = shape_of(r, r.randint(1, 3), 6)
    segments = r.randint(1, 5)
    ids = ints(-1, segments, shape[0])

    def forward(x, ids):
        hot = (ids.long()[:, None] == torch.arange(segments)).double()
        return torch.einsum("ns,n...->s...", hot, x)

    return {"x": rand(*shape), "ids": ids}, {"segments": segments}, forward


@operation
def topk(r):
    shape = shape_of(r, r.randint(1, 3), 8)
    k = r.randint(1, shape[-1])
    return {"x": rand(*shape)}, {"k": k}, lambda x: torch.topk(x, k).values


@operation
def bincount(r):
    rows = r.choice([None, r.randint(1, 4)])
    size, n = r.randint(1, 6), r.randint(1, 12)
    shape = [n] if rows is None else [rows, n]
    weighted = r.random() < 0.5
    inputs = {"x": ints(0, size + 2, *shape)}
    if weighted:
        inputs["weights"] = rand(*shape)

    def forward(x, weights=None):
        hot = (x.long()[..., None] == torch.arange(size)).double()
        return (hot * (1 if weights is None else weights[..., None])).sum(-2)

    return inputs, {"size": size, "forwardOnly": True}, forward


@operation
def searchSorted(r):
    rows, n, m = r.randint(1, 3), r.randint(1, 9), r.randint(1, 7)
    side = r.choice(["left", "right"])
    row = torch.randint(0, 8, (rows, n)).double().sort(-1).values
    return {"row": row, "values": torch.randint(-1, 9, (rows, m)).double()}, {"side": side, "forwardOnly": True}, lambda row, values: torch.searchsorted(row, values, side=side).int()


@operation
def matMul(r):
    a, b = r.random() < 0.5, r.random() < 0.5
    batch = shape_of(r, r.randint(0, 2), 3)
    m, k, n = r.randint(1, 7), r.randint(1, 7), r.randint(1, 7)
    other = [1 if r.random() < 0.4 else side for side in batch]
    x = rand(*batch, *((k, m) if a else (m, k)))
    y = rand(*other, *((n, k) if b else (k, n)))
    t = lambda v, flip: v.transpose(-1, -2) if flip else v
    return {"a": x, "b": y}, {"transposeA": a, "transposeB": b}, lambda a_, b_: t(a_, a) @ t(b_, b)


@operation
def einsum(r):
    equation = r.choice(["ij,jk->ik", "ij->ji", "ij->i", "i,j->ij", "bij,bjk->bik", "bhwc,cd->bhwd", "ij,ij->", "bqhd,bkhd->bhqk", "ijk->j", "ij,k->k", "ab,cb->ac", "i,i->i"])
    sides = {letter: r.randint(1, 5) for letter in sorted(set(equation) - set(",->"))}
    terms = equation.split("->")[0].split(",")
    return {"abc"[i]: rand(*[sides[letter] for letter in term]) for i, term in enumerate(terms)}, {"equation": equation}, lambda **t: torch.einsum(equation, *t.values())


# --- convolution and pooling -----------------------------------------------------------------------------------------------------------


def same_pads(side, k, s, d):
    total = max(0, (-(-side // s) - 1) * s + (k - 1) * d + 1 - side)
    return total // 2, total - total // 2


def padding(r, sides, kernel, strides, dilations, names=("same", "valid", "number", "each")):
    """What is asked for, and rows and columns in front and behind."""
    kind = r.choice(names)
    if kind == "same":
        return kind, [same_pads(*z) for z in zip(sides, kernel, strides, dilations)]
    if kind == "number":
        p = r.randint(0, 2)
        return p, [(p, p) for _ in sides]
    if kind == "each":
        pads = [(r.randint(0, 2), r.randint(0, 2)) for _ in sides]
        return [pads[0][0], pads[1][0], pads[0][1], pads[1][1]], pads
    return "valid", [(0, 0) for _ in sides]


def fits(sides, pads, kernel, dilations):
    return all(side + a + b >= (k - 1) * d + 1 for side, (a, b), k, d in zip(sides, pads, kernel, dilations))


def around(pads):
    return [p for pair in reversed(pads) for p in pair]


@operation
def conv2d(r):
    """The engine's: any stride, dilation, padding and groups."""
    while True:
        n, h, w, _ = image_of(r)
        kind = r.choice(["plain", "plain", "groups", "depthwise", "depthwise", "blocked"])
        groups = 1 if kind == "plain" else r.choice([2, 3]) if kind == "groups" else r.choice([1, 3, 4, 8, 12, 16]) if kind == "depthwise" else r.choice([1, 8, 16])
        each, out = (1, groups) if kind == "depthwise" else (r.randint(1, 4), groups * r.randint(1, 3))
        if kind == "blocked":
            each, out = 16 // groups, 16
        k = [r.randint(1, 4), r.randint(1, 4)]
        s = [r.randint(1, 3), r.randint(1, 3)]
        d = [r.randint(1, 2), r.randint(1, 2)]
        pad, pads = padding(r, (h, w), k, s, d)
        if fits((h, w), pads, k, d):
            break
    return ({"x": rand(n, h, w, each * groups), "filter": rand(*k, each, out, scale=0.5)}, {"strides": s, "dilations": d, "pad": pad, "groups": groups},
            lambda x, filter: nhwc(F.conv2d(F.pad(nchw(x), around(pads)), filter.permute(3, 2, 0, 1).contiguous(), None, s, 0, d, groups)))


@operation
def tfConv2d(r):
    """tfjs's own, by name: rectangular strides or dilations, both formats, depthwise, separable, with fused bias and activation."""
    while True:
        n, h, w, c = image_of(r)
        kind = r.choice(["conv2d", "conv2d", "depthwise", "separable", "fused", "nchw", "conv1d"])
        m, out = r.randint(1, 2), r.randint(1, 4)
        k = [r.randint(1, 3), r.randint(1, 3)] if kind != "conv1d" else [1, r.randint(1, 3)]
        s = r.choice([1, 1, 2, 3])
        d = r.choice([1, 2]) if s == 1 and kind != "fused" else 1
        h = 1 if kind == "conv1d" else h
        s2, d2 = ([1, s] if kind == "conv1d" else [s, s]), ([1, d] if kind == "conv1d" else [d, d])
        pad, pads = padding(r, (h, w), k, s2, d2, ("same", "valid"))
        if fits((h, w), pads, k, d2):
            break
    go = lambda x, f, groups=1: nhwc(F.conv2d(F.pad(nchw(x), around(pads)), f, None, s2, 0, d2, groups))
    deep = lambda f: f.reshape(*k, 1, c * m).permute(3, 2, 0, 1).contiguous()
    options = {"kind": kind, "strides": s, "dilations": d, "pad": pad}
    if kind == "depthwise":
        return {"x": rand(n, h, w, c), "filter": rand(*k, c, m)}, options, lambda x, filter: go(x, deep(filter), c)
    if kind == "separable":
        return ({"x": rand(n, h, w, c), "filter": rand(*k, c, m), "point": rand(1, 1, c * m, out)}, options,
                lambda x, filter, point: torch.einsum("nhwc,cd->nhwd", go(x, deep(filter), c), point[0, 0]))
    if kind == "nchw":
        return {"x": rand(n, c, h, w), "filter": rand(*k, c, out)}, options, lambda x, filter: nchw(go(nhwc(x), filter.permute(3, 2, 0, 1).contiguous()))
    if kind == "conv1d":
        return {"x": rand(n, w, c), "filter": rand(k[1], c, out)}, options, lambda x, filter: go(x[:, None], filter[None].permute(3, 2, 0, 1).contiguous())[:, 0]
    if kind == "fused":
        options["activation"] = r.choice(["relu", "linear", "elu", "sigmoid", "relu6"])
        act = {"relu": F.relu, "linear": lambda v: v, "elu": F.elu, "sigmoid": torch.sigmoid, "relu6": F.relu6}[options["activation"]]
        return ({"x": rand(n, h, w, c), "filter": rand(*k, c, out), "bias": rand(out)}, options, lambda x, filter, bias: act(go(x, filter.permute(3, 2, 0, 1).contiguous()) + bias))
    return {"x": rand(n, h, w, c), "filter": rand(*k, c, out)}, options, lambda x, filter: go(x, filter.permute(3, 2, 0, 1).contiguous())


@operation
def conv2dTranspose(r):
    while True:
        n, h, w, ci = image_of(r, 1, 6)
        co = r.randint(1, 4)
        k, s, d = [r.randint(1, 4), r.randint(1, 4)], [r.randint(1, 3), r.randint(1, 3)], [r.randint(1, 2), r.randint(1, 2)]
        p = [r.randint(0, 2), r.randint(0, 2)]
        more = [r.randrange(s[i]) for i in (0, 1)]
        if all((side - 1) * s[i] + (k[i] - 1) * d[i] + 1 + more[i] - 2 * p[i] >= 1 for i, side in enumerate((h, w))):
            break
    return ({"x": rand(n, h, w, ci), "filter": rand(*k, co, ci, scale=0.5), "bias": rand(co)}, {"strides": s, "dilations": d, "pad": [p[0], p[1], p[0], p[1]], "outputPadding": more},
            lambda x, filter, bias: nhwc(F.conv_transpose2d(nchw(x), filter.permute(3, 2, 0, 1).contiguous(), bias, s, p, more, 1, d)))


@operation
def tfConv2dTranspose(r):
    n, h, w, ci = image_of(r, 1, 6)
    co, k, s = r.randint(1, 4), r.randint(1, 4), r.randint(1, 3)
    valid = r.random() < 0.5 or k < s
    # "same": an output of h * s, of which "same" padding of the forward convolution gives h
    out = [(side - 1) * s + k if valid else side * s for side in (h, w)]
    pads = [(0, 0) if valid else same_pads(side, k, s, 1) for side in out]

    def forward(x, filter):
        y = F.conv_transpose2d(nchw(x), filter.permute(3, 2, 0, 1).contiguous(), None, s)
        y = F.pad(y, (0, max(0, out[1] + sum(pads[1]) - y.shape[3]), 0, max(0, out[0] + sum(pads[0]) - y.shape[2])))
        return nhwc(y[:, :, pads[0][0]:pads[0][0] + out[0], pads[1][0]:pads[1][0] + out[1]])

    return {"x": rand(n, h, w, ci), "filter": rand(k, k, co, ci, scale=0.5)}, {"strides": s, "pad": "valid" if valid else "same", "shape": [n, *out, co]}, forward


@operation
def conv3d(r):
    while True:
        n, sides, ci, co = r.randint(1, 2), [r.randint(2, 5) for _ in range(3)], r.randint(1, 3), r.randint(1, 3)
        k, s = [r.randint(1, 3) for _ in range(3)], [r.randint(1, 2) for _ in range(3)]
        d = [r.randint(1, 2) for _ in range(3)] if s == [1, 1, 1] else [1, 1, 1]
        pad, pads = padding(r, sides, k, s, d, ("same", "valid"))
        if fits(sides, pads, k, d):
            break
    return ({"x": rand(n, *sides, ci), "filter": rand(*k, ci, co, scale=0.5)}, {"strides": s, "dilations": d, "pad": pad},
            lambda x, filter: ndhwc(F.conv3d(F.pad(ncdhw(x), around(pads)), filter.permute(4, 3, 0, 1, 2).contiguous(), None, s, 0, d)))


@operation
def conv3dTranspose(r):
    n, sides, ci, co = r.randint(1, 2), [r.randint(1, 3) for _ in range(3)], r.randint(1, 3), r.randint(1, 3)
    k, s = r.randint(1, 3), r.randint(1, 2)
    out = [(side - 1) * s + k for side in sides]
    return ({"x": rand(n, *sides, ci), "filter": rand(k, k, k, co, ci, scale=0.5)}, {"strides": s, "shape": [n, *out, co]},
            lambda x, filter: ndhwc(F.conv_transpose3d(ncdhw(x), filter.permute(4, 3, 0, 1, 2).contiguous(), None, s)))


def pooled(x, kind, k, s, pads):
    """Max, or the mean of what lies inside, by windows written out."""
    dims = len(k)
    low = -math.inf if kind == "max" else 0.0
    wide = F.pad(x, around(pads), value=low)
    for axis in range(dims):
        wide = wide.unfold(2 + axis, k[axis], s[axis])
    windows = wide.flatten(2 + dims)
    if kind == "max":
        return windows.max(-1).values
    ones = F.pad(torch.ones_like(x), around(pads))
    for axis in range(dims):
        ones = ones.unfold(2 + axis, k[axis], s[axis])
    return windows.sum(-1) / ones.flatten(2 + dims).sum(-1)


@operation
def pool2d(r):
    kind = r.choice(["max", "avg"])
    while True:
        n, h, w, c = image_of(r)
        k, s = [r.randint(1, 4), r.randint(1, 4)], [r.randint(1, 3), r.randint(1, 3)]
        pad, pads = padding(r, (h, w), k, s, (1, 1))
        if fits((h, w), pads, k, (1, 1)) and all(max(p) < size for p, size in zip(pads, k)):
            break
    x = rand(n, h, w, c)
    ties = kind == "max" and r.random() < 0.5
    if ties:
        x = torch.randint(-2, 2, (n, h, w, c)).double()
    return {"x": x}, {"kind": kind, "size": k, "strides": s, "pad": pad}, lambda x: nhwc(pooled(nchw(x), kind, k, s, pads))


@operation
def tfPool2d(r):
    """tfjs's own: rounding up as well."""
    kind = r.choice(["max", "avg", "argmax"])
    while True:
        n, h, w, c = image_of(r)
        k, s = r.randint(1, 3), r.randint(1, 3)
        mode = r.choice(["floor", "ceil", "same"])
        if mode == "same":
            pad, pads = "same", [same_pads(side, k, s, 1) for side in (h, w)]
        else:
            pad = r.randint(0, k - 1)
            size = lambda side: (side + 2 * pad - k + (s - 1 if mode == "ceil" else 0)) // s + 1
            pads = [(pad, max(pad, (size(side) - 1) * s + k - side - pad)) for side in (h, w)]
        starts = [((side + a + b - k) // s) * s - a for side, (a, b) in zip((h, w), pads)]
        if fits((h, w), pads, (k, k), (1, 1)) and all(start < side for start, side in zip(starts, (h, w))) and (kind != "argmax" or mode == "same"):
            break
    return {"x": rand(n, h, w, c)}, {"kind": kind, "size": k, "strides": s, "pad": pad, "rounding": mode}, lambda x: nhwc(pooled(nchw(x), "avg" if kind == "avg" else "max", [k, k], [s, s], pads))


@operation
def pool3d(r):
    kind = r.choice(["max", "avg"])
    while True:
        n, sides, c = r.randint(1, 2), [r.randint(2, 5) for _ in range(3)], r.randint(1, 3)
        k, s = [r.randint(1, 3) for _ in range(3)], [r.randint(1, 2) for _ in range(3)]
        pad, pads = padding(r, sides, k, s, (1, 1, 1), ("same", "valid"))
        if fits(sides, pads, k, (1, 1, 1)):
            break
    x = rand(n, *sides, c)
    if kind == "max" and r.random() < 0.3:
        x = torch.randint(-1, 2, x.shape).double()
    return {"x": x}, {"kind": kind, "size": k, "strides": s, "pad": pad}, lambda x: ndhwc(pooled(ncdhw(x), kind, k, s, pads))


@operation
def dilation2d(r):
    while True:
        n, h, w, c = image_of(r)
        k, s, d = [r.randint(1, 3), r.randint(1, 3)], r.randint(1, 2), r.randint(1, 2)
        s = s if d == 1 else 1
        pad, pads = padding(r, (h, w), k, (s, s), (d, d), ("same", "valid"))
        if fits((h, w), pads, k, (d, d)):
            break
    x = rand(n, h, w, c)
    element = rand(*k, c)
    if r.random() < 0.3:
        x, element = torch.randint(-1, 2, x.shape).double(), torch.randint(0, 2, element.shape).double()

    def forward(x, filter):
        wide = F.pad(nchw(x), around(pads), value=-math.inf)
        oh, ow = [(wide.shape[2 + i] - (k[i] - 1) * d - 1) // s + 1 for i in (0, 1)]
        each = [wide[:, :, i * d:i * d + (oh - 1) * s + 1:s, j * d:j * d + (ow - 1) * s + 1:s] + filter[i, j][:, None, None] for i in range(k[0]) for j in range(k[1])]
        return nhwc(torch.stack(each, -1).max(-1).values)

    return {"x": x, "filter": element}, {"strides": s, "dilations": d, "pad": pad}, forward


@operation
def localResponse(r):
    n, h, w, c = image_of(r, 2, 5, 9)
    radius, bias, alpha, beta = r.randint(0, 4), r.uniform(0.5, 2), r.uniform(0.1, 2), r.uniform(0.3, 1.2)

    def forward(x):
        squares = F.pad(x * x, (radius, radius)).unfold(3, 2 * radius + 1, 1).sum(-1)
        return x * (bias + alpha * squares) ** -beta

    return {"x": rand(n, h, w, c)}, {"radius": radius, "bias": bias, "alpha": alpha, "beta": beta}, forward


# --- reading images at computed places -------------------------------------------------------------------------------------------------


@operation
def resize(r):
    n, h, w, c = image_of(r, 1, 7)
    size = [r.randint(1, 12), r.randint(1, 12)]
    if r.random() < 0.3:
        f = r.randint(1, 3)
        size = [h * f, w * f]
    kind = r.choice(["bilinear", "nearest"])
    convention = r.choice(["corners", "half", "legacy"])

    def weights(a, b):
        """[b, a] by the definitions of TensorFlow's resize operations."""
        m = np.zeros((b, a))
        for i in range(b):
            scale = (a - 1) / (b - 1) if convention == "corners" and b > 1 else a / b
            if kind == "nearest":
                at = (i + 0.5) * np.float32(a / b) if convention == "half" else i * scale
                at = math.floor(at + 0.5) if convention == "corners" else math.floor(at)
                m[i, min(a - 1, max(0, at))] = 1
                continue
            at = (0 if b == 1 else i * scale) if convention == "corners" else (i + 0.5) * scale - 0.5 if convention == "half" else i * scale
            at = min(max(at, 0), a - 1)
            low = math.floor(at)
            m[i, low] += 1 - (at - low)
            m[i, min(low + 1, a - 1)] += at - low
        return torch.from_numpy(m)

    rows, columns = weights(h, size[0]), weights(w, size[1])
    return {"x": rand(n, h, w, c)}, {"kind": kind, "convention": convention, "size": size}, lambda x: torch.einsum("yh,xw,nhwc->nyxc", rows, columns, x)


def read(image, n, y, x):
    return image[n.long(), y.long(), x.long()]


@operation
def cropAndResize(r):
    n, h, w, c = image_of(r, 2, 7, 3)
    count, ch, cw = r.randint(1, 5), r.randint(1, 5), r.randint(1, 5)
    method = r.choice(["bilinear", "bilinear", "nearest"])
    fill = r.choice([0, 1.5])
    corners = uniform(-0.2, 1.2, count, 4)
    owners = ints(0, n, count)

    def forward(image, boxes, owners):
        def along(low, high, side, length):
            if side == 1:
                return (0.5 * (low + high) * (length - 1))[:, None]
            return low[:, None] * (length - 1) + torch.arange(side) * ((high - low) * (length - 1) / (side - 1))[:, None]

        ys = along(boxes[:, 0], boxes[:, 2], ch, h)[:, :, None].expand(count, ch, cw)
        xs = along(boxes[:, 1], boxes[:, 3], cw, w)[:, None, :].expand(count, ch, cw)
        inside = (ys >= 0) & (ys <= h - 1) & (xs >= 0) & (xs <= w - 1)
        y, x = torch.where(inside, ys, 0), torch.where(inside, xs, 0)
        owner = owners[:, None, None].expand(count, ch, cw)
        if method == "nearest":
            out = read(image, owner, (y + 0.5).floor(), (x + 0.5).floor())
        else:
            top, left = y.detach().floor(), x.detach().floor()
            bottom, right = (top + 1).clamp(max=h - 1), (left + 1).clamp(max=w - 1)
            v, u = (y - top)[..., None], (x - left)[..., None]
            out = (read(image, owner, top, left) * (1 - v) * (1 - u) + read(image, owner, top, right) * (1 - v) * u
                   + read(image, owner, bottom, left) * v * (1 - u) + read(image, owner, bottom, right) * v * u)
        return torch.where(inside[..., None], out, float(fill))

    return {"image": rand(n, h, w, c), "boxes": corners, "owners": owners}, {"size": [ch, cw], "method": method, "fill": fill}, forward


def cut_out(image, box, scale, size, samples, aligned):
    """RoIAlign of one box, torchvision's arithmetic written out; `samples` None for as many as a bin has pixels."""
    h, w, _ = image.shape
    x1, y1, x2, y2 = [float(v) * scale - (0.5 if aligned else 0) for v in box]
    bw, bh = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
    down, across = [samples or math.ceil(side / bins) for side, bins in ((bh, size[0]), (bw, size[1]))]
    line = lambda at, length: torch.tensor([[max(0, 1 - abs(min(max(v, 0), length - 1) - k)) * (-1 <= v <= length) for k in range(length)] for v in at], dtype=torch.float64)
    total = 0
    for i in range(down):
        for j in range(across):
            rows = [y1 + (p + (i + 0.5) / down) * bh / size[0] for p in range(size[0])]
            columns = [x1 + (q + (j + 0.5) / across) * bw / size[1] for q in range(size[1])]
            total = total + torch.einsum("yh,xw,hwc->yxc", line(rows, h), line(columns, w), image)
    return total / (down * across)


@operation
def roiAlign(r):
    n, h, w, c = image_of(r, 3, 9, 3)
    count = r.randint(1, 5) if r.random() < 0.9 else 70
    size, samples, aligned, scale = [r.randint(1, 4), r.randint(1, 4)], r.randint(1, 3), r.random() < 0.7, r.choice([1, 0.5, 0.25])
    a, b = uniform(-3, 10, count, 2) / scale, uniform(-3, 10, count, 2) / scale
    boxes = single(torch.cat([torch.minimum(a, b), torch.maximum(a, b)], 1))
    owners = ints(0, n, count)

    def forward(x, boxes, owners):
        return torch.stack([cut_out(x[int(owner)], box, scale, size, samples, aligned) for box, owner in zip(boxes.detach(), owners)])

    return {"x": rand(n, h, w, c), "boxes": boxes, "owners": owners}, {"size": size, "samplingRatio": samples, "aligned": aligned, "scale": scale, "without": ["boxes"]}, forward


@operation
def roiAlignAdaptive(r):
    n, h, w, c = image_of(r, 6, 20, 2)
    count, size, aligned = r.randint(1, 4), [r.randint(1, 5), r.randint(1, 5)], r.random() < 0.3
    a = uniform(-2, 12, count, 2)
    boxes = single(torch.cat([a, a + uniform(0.2, 14, count, 2)], 1))
    owners = ints(0, n, count)

    def forward(x, boxes, owners):
        return torch.stack([cut_out(x[int(owner)], box, 1, size, None, aligned) for box, owner in zip(boxes, owners)])

    return {"x": rand(n, h, w, c), "boxes": boxes, "owners": owners}, {"size": size, "samplingRatio": "adaptive", "aligned": aligned, "forwardOnly": True}, forward


@operation
def pyramidRoiAlign(r):
    """Boxes outside, without area, of the whole image; maps without a box."""
    n, h, w, c = image_of(r, 6, 16, 3)
    count, levels, each = r.randint(1, 5), r.randint(1, 3), r.choice([1, 2])
    size, samples, aligned = [r.randint(1, 4), r.randint(1, 4)], r.randint(1, 3), r.random() < 0.3
    sides = [(max(1, h // 2**k), max(1, w // 2**k)) for k in range(levels)]
    scales = [0.5 ** (k + each) for k in range(levels)]
    a, b = uniform(-4, h / scales[0], n, count, 2), uniform(-4, h / scales[0] + 8, n, count, 2)
    boxes = torch.cat([torch.minimum(a, b), torch.maximum(a, b)], 2)
    boxes[0, 0] = torch.tensor(r.choice([[0, 0, w / scales[0], h / scales[0]], [3, 4, 3, 4], [-90, -90, -80, -80]]), dtype=boxes.dtype)
    boxes, owners = single(boxes), ints(0, levels if r.random() < 0.7 else 1, n, count)

    def forward(boxes, levels, **maps):
        out = [cut_out(maps[f"map{int(k)}"][i], box, scales[int(k)], size, samples, aligned) for i in range(n) for box, k in zip(boxes.detach()[i], levels[i])]
        return torch.stack(out)

    maps = {f"map{k}": rand(n, *side, c) for k, side in enumerate(sides)}
    return {"boxes": boxes, "levels": owners, **maps}, {"size": size, "samplingRatio": samples, "aligned": aligned, "scales": scales, "without": ["boxes"]}, forward


@operation
def transform(r):
    n, h, w, c = image_of(r, 2, 7, 3)
    size = [r.randint(2, 7), r.randint(2, 7)]
    many = r.choice([1, n])
    kind, mode, fill = r.choice(["nearest", "bilinear"]), r.choice(["constant", "reflect", "nearest"]), r.choice([0, 1.5])
    matrix = single(torch.tensor([1, 0, 0, 0, 1, 0, 0, 0.0]) + torch.randn(many, 8) * torch.tensor([0.3, 0.3, 1.5, 0.3, 0.3, 1.5, 0.02, 0.02]))

    def fold(at, length):
        if mode == "nearest":
            return at.clamp(0, length - 1)
        if mode == "reflect":
            inside = torch.where(at < 0, -at - 1, at) % (2 * length)
            return torch.where(inside >= length, 2 * length - 1 - inside, inside).clamp(0, length - 1)
        return at

    def forward(x, matrix):
        m = matrix.expand(n, 8)[:, :, None, None]
        ys, xs = torch.arange(size[0]).double()[:, None], torch.arange(size[1]).double()
        k = m[:, 6] * xs + m[:, 7] * ys + 1
        u = fold((m[:, 0] * xs + m[:, 1] * ys + m[:, 2]) / k, w)
        v = fold((m[:, 3] * xs + m[:, 4] * ys + m[:, 5]) / k, h)
        owner = torch.arange(n)[:, None, None].expand_as(u)

        def pixel(y, x_):
            inside = (y >= 0) & (y < h) & (x_ >= 0) & (x_ < w)
            return torch.where(inside[..., None], read(x, owner, torch.where(inside, y, 0), torch.where(inside, x_, 0)), float(fill))

        if kind == "nearest":
            return pixel((v + 0.5).floor(), (u + 0.5).floor())
        top, left = v.floor(), u.floor()
        a, b = (v - top)[..., None], (u - left)[..., None]
        return pixel(top, left) * (1 - a) * (1 - b) + pixel(top, left + 1) * (1 - a) * b + pixel(top + 1, left) * a * (1 - b) + pixel(top + 1, left + 1) * a * b

    return {"x": rand(n, h, w, c), "matrix": matrix}, {"kind": kind, "mode": mode, "fill": fill, "size": size, "without": ["matrix"]}, forward


@operation
def rotate(r):
    n, h, w, c = image_of(r, 2, 7, 3)
    angle, fill = r.uniform(-3, 3), r.choice([0, 1.5])

    def forward(x):
        ys, xs = torch.meshgrid(torch.arange(h).double(), torch.arange(w).double(), indexing="ij")
        cy, cx = 0.5 * h, 0.5 * w
        u = ((xs - cx) * math.cos(angle) - (ys - cy) * math.sin(angle) + cx + 0.5).floor()
        v = ((xs - cx) * math.sin(angle) + (ys - cy) * math.cos(angle) + cy + 0.5).floor()
        inside = (u >= 0) & (u < w) & (v >= 0) & (v < h)
        return torch.where(inside[None, :, :, None], x[:, torch.where(inside, v, 0).long(), torch.where(inside, u, 0).long()], float(fill))

    return {"x": rand(n, h, w, c)}, {"radians": angle, "fill": fill}, forward


@operation
def nonMaxSuppression(r):
    count = r.randint(1, 20)
    most = r.randint(1, min(count, 12))
    limit, least = r.uniform(0.1, 0.9), r.choice([-math.inf, 0.3])
    a = torch.rand(count, 2)
    boxes, scores = single(torch.cat([a, a + torch.rand(count, 2) * 0.6], 1)), single(torch.rand(count))

    def forward(boxes, scores):
        kept = []
        for i in torch.argsort(scores, descending=True, stable=True).tolist():
            if len(kept) == most or not scores[i] > least:
                break
            overlaps = []
            for j in kept:
                tl, br = torch.maximum(boxes[i, :2], boxes[j, :2]), torch.minimum(boxes[i, 2:], boxes[j, 2:])
                shared = (br - tl).clamp(min=0).prod()
                area = lambda b: (b[2:] - b[:2]).prod()
                overlaps.append(float(shared / (area(boxes[i]) + area(boxes[j]) - shared)))
            if all(v <= limit for v in overlaps):
                kept.append(i)
        return torch.tensor([*kept, *[0] * (most - len(kept)), len(kept)]).int()

    return {"boxes": boxes, "scores": scores}, {"max": most, "iou": limit, "score": None if least == -math.inf else least, "forwardOnly": True}, forward


# --- writing ---------------------------------------------------------------------------------------------------------------------------


def pack(t):
    kind = "float32" if t.is_floating_point() else "int32"
    values = t.detach().contiguous().numpy().astype("<f4" if kind == "float32" else "<i4")
    return {"shape": list(t.shape), "dtype": kind, "base64": base64.b64encode(values.tobytes()).decode()}


def case(name, seed, number):
    r = random.Random(f"{seed} {name} {number}")
    torch.manual_seed(r.randrange(2**31))
    inputs, options, forward = CASES[name](r)
    forward_only = options.pop("forwardOnly", False)
    without = options.pop("without", [])
    tensors = {k: v.detach().clone().requires_grad_(v.is_floating_point() and not forward_only and k not in without) for k, v in inputs.items()}
    out = forward(**tensors) if name != "matMul" else forward(*tensors.values())
    row = {"op": name, "options": options, "inputs": {k: pack(v) for k, v in inputs.items()}, "output": pack(out), "dy": None, "gradients": {}}
    if not forward_only:
        dy = rand(*out.shape)
        if out.requires_grad:
            (out * dy).sum().backward()
        row["dy"] = pack(dy)
        row["gradients"] = {k: pack(torch.zeros_like(v) if v.grad is None else v.grad) for k, v in tensors.items() if v.requires_grad}
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("operations", nargs="*")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=FIXTURE)
    a = parser.parse_args()
    rows = [case(name, a.seed, number) for name in a.operations or CASES for number in range(a.count)]
    a.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(len(rows), "cases,", a.out.stat().st_size // 1024, "KiB")


if __name__ == "__main__":
    main()
