"""Numbers that depend on a name and a position alone, which the tests compute as well: fixtures then hold results only."""
import base64
import numpy as np


def fnv(name):
    h = 0x811C9DC5
    for c in name.encode("ascii"):
        h = ((h ^ c) * 0x01000193) & 0xFFFFFFFF
    return h


def pattern(name, count):
    """Numbers in [-1, 1) that depend on the name and the position alone."""
    x = (np.arange(1, count + 1, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(fnv(name))).astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return x / 2147483648.0 - 1


def image(shape):
    """NHWC pixels around 100, as a tensor of NCHW."""
    import torch  # not where Keras is

    x = (100 + 50 * pattern("image", int(np.prod(shape)))).astype("f4").astype("f8").reshape(shape)
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def targets(shape, classes):
    """-1 to classes - 1."""
    import torch

    p = pattern("targets", int(np.prod(shape)))
    return torch.from_numpy(np.floor((p + 1) / 2 * (classes + 1)).astype("i8").reshape(shape) - 1)


def pack(tensor):
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()
