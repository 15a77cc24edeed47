"""Small segmentation networks as PyTorch writes them, and what PyTorch computes with them.

    python tests/oracles/onnx_segmentation.py

Writes packages/inference/src/onnx/fixtures/segmentation.json. Pixels come from a hash that the tests compute as well.
"""
import base64, io, json, pathlib, warnings
import numpy as np, torch, onnx
from onnx import TensorProto, helper
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "inference" / "src" / "onnx" / "fixtures" / "segmentation.json"
SIDE, BANDS, CLASSES = 32, 3, 3
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def pixels():
    """The same uint8 scene as in the tests, [32, 32, 3]."""
    row, col, band = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(BANDS), indexing="ij")
    key = ((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709).astype(np.uint32)
    return (((key * np.uint32(2654435761)) >> np.uint32(24)) & np.uint32(255)).astype("f4")


class Net(nn.Module):
    """Three convolutions; `end` turns logits [N, C, H, W] into the output."""

    def __init__(self, end, classes=CLASSES, last=True, shrink=1, nhwc=False, pad=1):
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(nn.Conv2d(BANDS, 8, 3, padding=pad), nn.ReLU(), nn.Conv2d(8, classes, 3, padding=pad))
        self.end, self.nhwc, self.shrink = end, nhwc, shrink
        with torch.no_grad():
            self.body[2].weight *= 4

    def forward(self, x):
        if self.nhwc:
            x = x.permute(0, 3, 1, 2)
        y = self.body(x)
        if self.shrink > 1:
            y = torch.nn.functional.avg_pool2d(y, self.shrink)
        y = self.end(y)
        return y.permute(0, 2, 3, 1) if self.nhwc else y


def export(net, shape, **more):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.zeros(shape),), buffer, dynamo=False, opset_version=17, input_names=["image"], output_names=["out"], **more)
    return base64.b64encode(buffer.getvalue()).decode()


def case(name, net, spec, classes_of, free=False, half=False):
    x = pixels()
    normal = (x / 255 - np.array(MEAN, "f4")) / np.array(STD, "f4")
    given = torch.from_numpy(normal.astype("f4"))[None]
    if not net.nhwc:
        given = given.permute(0, 3, 1, 2)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 2: "h", 3: "w"}} if free else {}
    data = export(net, given.shape, dynamic_axes=axes) if free else export(net, given.shape)
    with torch.no_grad():
        scores = classes_of(net.eval()(given).double())
    return {"name": name, "file": data, "spec": spec, "scores": np.asarray(scores, "f8").round(7).ravel().tolist(), "shape": list(scores.shape)}


if __name__ == "__main__":
    last = lambda y: y.permute(0, 2, 3, 1)
    one_hot = lambda y: nn.functional.one_hot(y.long(), CLASSES).double()
    both = lambda p: torch.stack([1 - p, p], -1)
    cases = [
        case("logits, free sizes", Net(lambda y: y), {"chipSize": SIDE}, lambda y: last(y.softmax(1)), free=True),
        case("softmax", Net(lambda y: y.softmax(1)), {}, last),
        case("argmax", Net(lambda y: y.argmax(1)), {"classes": ["a", "b", "c"]}, one_hot),
        case("argmax with an axis for it", Net(lambda y: y.argmax(1, keepdim=True)), {"classes": ["a", "b", "c"]}, lambda y: one_hot(y[:, 0])),
        case("one channel, sigmoid", Net(lambda y: y.sigmoid(), classes=1), {}, lambda y: both(y[:, 0])),
        case("one channel, logits", Net(lambda y: y, classes=1), {}, lambda y: both(y[:, 0].sigmoid())),
        case("channels last, as TensorFlow has them", Net(lambda y: y.softmax(1), nhwc=True), {}, lambda y: y),
        case("a smaller result", Net(lambda y: y, shrink=4), {}, lambda y: last(nn.functional.interpolate(y, scale_factor=4, mode="bilinear").softmax(1))),
        case("a result without the border", Net(lambda y: y.softmax(1), pad=0), {}, last),
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"side": SIDE, "mean": MEAN, "std": STD, "cases": cases}) + "\n")
