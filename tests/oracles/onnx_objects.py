"""Small detectors and classifiers as PyTorch writes them, and what PyTorch computes with them.

    python tests/oracles/onnx_objects.py

Writes packages/inference/src/onnx/fixtures/objects.json. Pixels come from a hash that the tests compute as well.
"""
import base64, io, json, pathlib, warnings
import numpy as np, torch
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "inference" / "src" / "onnx" / "fixtures" / "objects.json"
H, W, BANDS, IMAGES = 24, 40, 3, 3


def pixels():
    """[3, 24, 40, 3], every number another one, so that no two are equally bright."""
    key = np.arange(1, IMAGES * H * W * BANDS + 1, dtype=np.uint32) * np.uint32(2654435761)
    return (key >> np.uint32(8)).astype("f4").reshape(IMAGES, H, W, BANDS)


class Finder(nn.Module):
    """The three brightest pixels of an image [3, H, W], in the outputs of torchvision's detectors; the label is the brightest band from 1."""

    def forward(self, image):
        scores, at = image.amax(0).flatten().topk(3)
        x, y = (at % W).float(), torch.div(at, W, rounding_mode="floor").float()
        boxes = torch.stack([x - 2, y - 1, x + 3, y + 2], 1)
        return boxes, image.flatten(1).argmax(0)[at] + 1, scores


class Outliner(Finder):
    """The same with masks as torchvision's, [3, 1, H, W]: of pixels of whole images how near they are to the brightest one, inside its box."""

    def forward(self, image):
        boxes, labels, scores = super().forward(image)
        row, column = torch.arange(H).float()[None, :, None] + 0.5, torch.arange(W).float()[None, None, :] + 0.5
        x0, y0, x1, y1 = (boxes[:, k, None, None] for k in range(4))
        far = (column - (x0 + x1) / 2).abs() / 4 + (row - (y0 + y1) / 2).abs() / 4
        inside = (column > x0) & (column < x1) & (row > y0) & (row < y1)
        return boxes, labels, scores, ((1 - far).clamp(0, 1) * inside)[:, None]


class FinderOfMany(nn.Module):
    """The same for a batch, as centres and sizes in fractions of the image."""

    def forward(self, images):
        scores, at = images.amax(1).flatten(1).topk(3)
        x, y = (at % W).float(), torch.div(at, W, rounding_mode="floor").float()
        boxes = torch.stack([(x + 0.5) / W, (y + 0.5) / H, torch.full_like(x, 5 / W), torch.full_like(x, 3 / H)], 2)
        return boxes, images.flatten(2).argmax(1).gather(1, at), scores


class Classifier(nn.Module):
    def __init__(self, classes, end):
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.head, self.end = nn.Conv2d(BANDS, 6, 3, stride=2), nn.Linear(6, classes), end

    def forward(self, x):
        return self.end(self.head(torch.relu(self.conv(x)).mean((2, 3)) * 8))


def crops(boxes, _labels, _scores, masks):
    """The pixels of each box, 3 by 5; beyond the image its border goes on."""
    at = lambda low, count, side: (int(low) + torch.arange(count)).clamp(0, side - 1)
    return [mask[0][at(box[1], 3, H)][:, at(box[0], 5, W)].double().flatten().tolist() for box, mask in zip(boxes, masks)]


def export(net, example, names):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (example,), buffer, dynamo=False, opset_version=17, input_names=["images"], output_names=names)
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    # 2^24 possible values of the pixels become numbers from 0 to 1.
    x = torch.from_numpy(pixels() / np.float32(2**24)).permute(0, 3, 1, 2).contiguous()
    names = ["boxes", "labels", "scores"]
    pack = lambda results, names=names: [{n: v.double().flatten().tolist() for n, v in zip(names, r)} for r in results]
    single, many, outliner = Finder(), FinderOfMany(), Outliner()
    out = {
        "torchvision": {"file": export(single, x[0], names), "images": pack([single(i) for i in x])},
        "batch": {"file": export(many, x[:2], names), "images": pack([[v[i] for v in many(x)] for i in range(IMAGES)])},
    }
    out["masks"] = {"file": export(outliner, x[0], [*names, "masks"]), "masks": [crops(*outliner(i)) for i in x]}
    for name, classes, end in [("logits", 4, lambda y: y), ("softmax", 4, lambda y: y.softmax(1)), ("single", 1, lambda y: y)]:
        net = Classifier(classes, end)
        with torch.no_grad():
            y = net.eval()(x).double()
        scores = torch.cat([1 - y.sigmoid(), y.sigmoid()], 1) if name == "single" else y if name == "softmax" else y.softmax(1)
        out[name] = {"file": export(net, x[:1], ["out"]), "scores": scores.flatten().tolist()}
    OUT.write_text(json.dumps(out) + "\n")
