"""Suppression and fusion of boxes by others.

PyPI's torchvision does not load beside PyTorch for CPUs, so its rule (csrc/ops/cpu/nms_kernel.cpp: stable sort, boxes go
where inter / (area + area - inter) > threshold) stands here in NumPy, and ONNX Runtime's NonMaxSuppression, a program of other
people, must agree wherever float32 holds the boxes exactly. ensemble-boxes is called itself.

python tests/oracles/boxes.py > packages/core/src/boxes/fixtures/boxes.json
Needs the environment of scripts/setup-peers.sh --zoo.
"""
import json
import os
import sys
import types

sys.path.append(os.path.join(sys.prefix, "zoo"))
# ensemble-boxes imports numba, only to compile a function that is not called here.
numba = types.ModuleType("numba")
numba.jit = lambda *args, **kwargs: args[0] if args and callable(args[0]) else (lambda f: f)
sys.modules.setdefault("numba", numba)

import numpy as np
import onnx
import onnxruntime
from ensemble_boxes import weighted_boxes_fusion

rng = np.random.default_rng(31)


def random_boxes(n, extent, side, grid=1 / 64):
    corner = rng.random((n, 2)) * extent
    size = rng.random((n, 2)) * side + side / 10
    boxes = np.hstack([corner, corner + size])
    return np.round(boxes / grid) * grid


def suppress(boxes, scores, threshold):
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    gone = np.zeros(len(boxes), bool)
    kept = []
    for at, i in enumerate(order):
        if gone[i]:
            continue
        kept.append(int(i))
        rest = order[at + 1 :]
        w = np.maximum(0, np.minimum(boxes[i, 2], boxes[rest, 2]) - np.maximum(boxes[i, 0], boxes[rest, 0]))
        h = np.maximum(0, np.minimum(boxes[i, 3], boxes[rest, 3]) - np.maximum(boxes[i, 1], boxes[rest, 1]))
        with np.errstate(invalid="ignore"):
            gone[rest[w * h / (areas[i] + areas[rest] - w * h) > threshold]] = True
    return kept


def onnx_session():
    inputs = ["boxes", "scores", "most", "iou"]
    types_ = [onnx.TensorProto.FLOAT] * 2 + [onnx.TensorProto.INT64, onnx.TensorProto.FLOAT]
    shapes = [[1, None, 4], [1, 1, None], [1], [1]]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("NonMaxSuppression", inputs, ["kept"])], "nms",
        [onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in zip(inputs, types_, shapes)],
        [onnx.helper.make_tensor_value_info("kept", onnx.TensorProto.INT64, [None, 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


session = onnx_session()
agreed = 0


def nms_case(boxes, scores, threshold, labels=None):
    global agreed
    scores = np.asarray(scores, float)
    groups = np.zeros(len(boxes), int) if labels is None else np.asarray(labels)
    kept = []
    for label in np.unique(groups):
        members = np.flatnonzero(groups == label)
        ours = suppress(boxes[members], scores[members], threshold)
        if np.all(boxes == boxes.astype("float32")) and len(np.unique(scores.astype("float32"))) == len(np.unique(scores)):
            feed = {
                "boxes": boxes[members][None].astype("float32"), "scores": scores[members][None, None].astype("float32"),
                "most": np.array([len(members)]), "iou": np.array([threshold], "float32"),
            }
            assert session.run(None, feed)[0][:, 2].tolist() == ours, (threshold, label)
            agreed += 1
        kept += members[ours].tolist()
    return {
        "boxes": boxes.ravel().tolist(),
        "scores": scores.tolist(),
        "maxOverlap": threshold,
        "labels": None if labels is None else groups.tolist(),
        "kept": sorted(kept, key=lambda i: (-scores[i], i)),
    }


cases = {}
for n, extent, side in ((10, 30, 10), (300, 100, 20), (60, 1000, 5)):
    boxes = random_boxes(n, extent, side)
    for threshold in (0.0, 0.1, 0.5, 1.0):
        cases[f"{n} boxes, {threshold}"] = nms_case(boxes, np.round(rng.random(n), 3), threshold)
# whole-numbered boxes: many an IoU lies exactly on a threshold
boxes = random_boxes(300, 24, 8, grid=1)
cases["ties in score"] = nms_case(boxes, rng.integers(0, 4, 300) / 4, 0.5)
cases["all scores equal"] = nms_case(boxes, np.full(300, 0.5), 0.25)
cases["IoU exactly at the threshold"] = nms_case(np.array([[0, 0, 2, 1], [1, 0, 2, 1], [0, 0, 4, 1]], float), [0.9, 0.8, 0.7], 0.5)
cases["the same box"] = nms_case(np.tile([[1.0, 2, 3, 4]], (5, 1)), [0.1, 0.5, 0.5, 0.2, 0.5], 0.9)
cases["boxes without area"] = nms_case(np.array([[0, 0, 0, 5], [0, 0, 0, 5], [1, 1, 1, 1], [0, 0, 5, 5.0]]), [0.9, 0.8, 0.7, 0.6], 0.1)
boxes = random_boxes(400, 60, 15, grid=0.5)
cases["classes"] = nms_case(boxes, np.round(rng.random(400), 2), 0.3, rng.integers(0, 5, 400))
cases["one class of many boxes among others"] = nms_case(boxes, np.round(rng.random(400), 3), 0.4, (rng.random(400) < 0.05).astype(int))
cases["huge among small"] = nms_case(np.vstack([random_boxes(150, 50, 3), random_boxes(5, 5, 400)]), np.round(rng.random(155), 3), 0.001)


def fusion_case(sources, **options):
    """Coordinates are those of a scene 512 wide; ensemble-boxes wants them from 0 to 1."""
    names = {"minIou": "iou_thr", "minScore": "skip_box_thr", "weights": "weights"}
    kwargs = {names[k]: v for k, v in options.items() if k in names}
    boxes, scores, labels = weighted_boxes_fusion(
        [s["boxes"] / 512 for s in sources], [s["scores"] for s in sources], [s["labels"] for s in sources],
        conf_type={"mean": "avg", "max": "max"}[options.get("score", "mean")], **kwargs,
    )
    return {
        "sources": [{"boxes": s["boxes"].ravel().tolist(), "scores": s["scores"].tolist(), "labels": s["labels"].tolist()} for s in sources],
        "options": options,
        "boxes": np.round(boxes * 512, 6).ravel().tolist(),
        "scores": np.round(scores, 9).tolist(),
        "labels": [int(l) for l in labels],
    }


def sources_of(k, objects, jitter, classes):
    truth = random_boxes(objects, 400, 60)
    labels = rng.integers(0, classes, objects)
    sources = []
    for _ in range(k):
        seen = rng.random(objects) < 0.8
        boxes = np.sort((truth + np.round(rng.normal(0, jitter, truth.shape) * 64) / 64)[seen].reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        boxes = np.clip(boxes, 0, 512)
        keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        sources.append({"boxes": boxes[keep], "scores": np.round(rng.random(keep.sum()), 6), "labels": labels[seen][keep]})
    return sources


fusions = {
    "two sources": fusion_case(sources_of(2, 20, 3, 1)),
    "four sources, three classes": fusion_case(sources_of(4, 40, 4, 3), minIou=0.4, minScore=0.1),
    "weights": fusion_case(sources_of(3, 30, 4, 2), weights=[2, 1, 0.5]),
    "weights, max": fusion_case(sources_of(3, 30, 4, 2), weights=[2, 1, 0.5], score="max"),
    "one source": fusion_case(sources_of(1, 30, 4, 2), minIou=0.2),
    "nothing left": fusion_case(sources_of(2, 5, 4, 1), minScore=1.5),
}
assert agreed >= 10, agreed
peers = f"onnxruntime {onnxruntime.__version__}, ensemble-boxes 1.0.9"
json.dump({"peers": peers, "nms": cases, "fusion": fusions}, sys.stdout)
