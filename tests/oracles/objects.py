"""Answers of others about objects, for tests that ask while they run: a request as JSON on stdin, the answer on stdout.

python tests/oracles/objects.py masks|coco|voc|confusion|topk|areas|scenes < request.json

masks and coco call pycocotools; voc and confusion follow the VOC development kit's Python version (without its "+ 1") and plain
loops; topk is NumPy; areas and scenes overlay polygons with
shapely.
"""
import base64
import contextlib
import io
import json
import sys

import numpy as np

FIGURES = ["AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge", "AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"]


def masks(request):
    from pycocotools import mask as api

    def decoded(entry):
        pixels = np.frombuffer(base64.b64decode(entry["pixels"]), "uint8").reshape(entry["height"], entry["width"])
        return api.encode(np.asfortranarray(pixels))

    runs = [decoded(entry) for entry in request["masks"]]
    answers = []
    for run in runs:
        others = [other for other in runs if other["size"] == run["size"]]
        answers.append({
            "counts": run["counts"].decode(),
            "area": int(api.area(run)),
            "bounds": [int(v) for v in api.toBbox(run)],
            "ious": api.iou([run], others, [0] * len(others))[0].tolist(),
        })
    return answers


def shapes_of(objects, image):
    """The annotations of one side of an image: xywh boxes, or the RLE of masks."""
    entries = []
    for i, label in enumerate(objects["labels"]):
        entry = {"image_id": image, "category_id": label}
        if "masks" in objects:
            mask = objects["masks"][i]
            entry["segmentation"] = {"size": [mask["height"], mask["width"]], "counts": mask["text"]}
        else:
            x0, y0, x1, y1 = objects["boxes"][4 * i : 4 * i + 4]
            entry["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        entries.append(entry)
    return entries


def coco_figures(classes, images, kind):
    from pycocotools import mask as api
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = [], []
    for number, (true, predicted) in enumerate(images):
        for i, entry in enumerate(shapes_of(true, number)):
            own = float(api.area(entry["segmentation"])) if kind == "segm" else entry["bbox"][2] * entry["bbox"][3]
            ignored = true["ignore"][i] if true.get("ignore") else 0
            area = true["areas"][i] if true.get("areas") else own
            truth.append({**entry, "id": len(truth) + 1, "iscrowd": ignored, "area": area})
        for i, entry in enumerate(shapes_of(predicted, number)):
            own = float(api.area(entry["segmentation"])) if kind == "segm" else entry["bbox"][2] * entry["bbox"][3]
            found.append({**entry, "id": len(found) + 1, "area": own, "iscrowd": 0, "score": predicted["scores"][i]})

    def coco(annotations):
        data = COCO()
        data.dataset = {
            "images": [{"id": n, "width": 560, "height": 520} for n in range(len(images))],
            "categories": [{"id": k} for k in range(classes)],
            "annotations": annotations,
        }
        data.createIndex()
        return data

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco(truth), coco(found), kind)
        evaluation.params.imgIds = list(range(len(images)))
        evaluation.params.catIds = list(range(classes))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = [None if v == -1 else float(v) for v in evaluation.stats]
    per_class = []
    for k in range(classes):
        precision = evaluation.eval["precision"][:, :, k, 0, 2]
        recall = evaluation.eval["recall"][:, k, 0, 2]
        per_class.append({
            "AP": None if precision.max() == -1 else float(precision[precision > -1].mean()),
            "AR100": None if recall.max() == -1 else float(recall[recall > -1].mean()),
            "curves": None if recall.max() == -1 else {
                str(iou): {"precision": evaluation.eval["precision"][t, :, k, 0, 2].tolist(), "scores": evaluation.eval["scores"][t, :, k, 0, 2].tolist()}
                for t, iou in ((0, 0.5), (5, 0.75))
            },
        })
    return {**dict(zip(FIGURES, stats)), "classes": per_class}


def coco(request):
    return [coco_figures(case["classes"], case["images"], case["kind"]) for case in request["cases"]]


def iou_matrix(a, b):
    a, b = np.reshape(a, (-1, 1, 4)), np.reshape(b, (1, -1, 4))
    side = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    shared = side.prod(-1)
    area = lambda boxes: (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return shared / (area(a) + area(b) - shared)


def voc_ap(recall, precision, eleven):
    if eleven:
        return sum(max(precision[recall >= t / 10], default=0) for t in range(11)) / 11
    recall = np.concatenate(([0.0], recall, [1.0]))
    precision = np.concatenate(([0.0], precision, [0.0]))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.where(recall[1:] != recall[:-1])[0]
    return float(np.sum((recall[steps + 1] - recall[steps]) * precision[steps + 1]))


def voc(request):
    answers = []
    for case in request["cases"]:
        aps = []
        for k in range(case["classes"]):
            detections, positives, taken = [], 0, {}
            for number, (true, predicted) in enumerate(case["images"]):
                easy = [not v for v in true.get("ignore") or [0] * len(true["labels"])]
                positives += sum(e for e, label in zip(easy, true["labels"]) if label == k)
                detections += [(s, number, i) for i, (s, label) in enumerate(zip(predicted["scores"], predicted["labels"])) if label == k]
            detections.sort(key=lambda d: -d[0])
            tp, fp = np.zeros(len(detections)), np.zeros(len(detections))
            for at, (_, number, i) in enumerate(detections):
                true, predicted = case["images"][number]
                members = [g for g, label in enumerate(true["labels"]) if label == k]
                best = -1.0
                if members:
                    ious = iou_matrix(predicted["boxes"][4 * i : 4 * i + 4], [true["boxes"][4 * g : 4 * g + 4] for g in members])[0]
                    best, g = ious.max(), members[int(ious.argmax())]
                if best >= case["minIou"]:
                    if true.get("ignore") and true["ignore"][g]:
                        continue
                    tp[at], fp[at] = (0, 1) if (number, g) in taken else (1, 0)
                    taken[number, g] = True
                else:
                    fp[at] = 1
            tp, fp = np.cumsum(tp), np.cumsum(fp)
            with np.errstate(all="ignore"):
                precision = tp / np.maximum(tp + fp, np.finfo(float).eps)
                aps.append(voc_ap(tp / positives, precision, case["eleven"]) if positives else None)
        answers.append(aps)
    return answers


def confusion(request):
    answers = []
    for case in request["cases"]:
        n = case["classes"]
        counts = np.zeros((n + 1, n + 1), int)
        for true, predicted in case["images"]:
            ignore = true.get("ignore") or [0] * len(true["labels"])
            ious = iou_matrix(predicted["boxes"], true["boxes"])
            free_d = {d for d, s in enumerate(predicted["scores"]) if s >= case["minScore"]}
            free_g = set(range(len(true["labels"])))
            while free_d and free_g:
                _, _, g, d = min((-ious[d, g], -predicted["scores"][d], g, d) for d in free_d for g in free_g)
                if ious[d, g] < case["minIou"]:
                    break
                free_d.remove(d)
                free_g.remove(g)
                if not ignore[g]:
                    counts[true["labels"][g], predicted["labels"][d]] += 1
            for g in free_g:
                counts[true["labels"][g], n] += not ignore[g]
            for d in free_d:
                counts[n, predicted["labels"][d]] += 1
        answers.append(counts.ravel().tolist())
    return answers


def topk(request):
    scores = np.reshape(request["scores"], (len(request["truth"]), -1))
    order = np.argsort(-scores, axis=1, kind="stable")
    truth = np.asarray(request["truth"])[:, None]
    return [float((order[:, :k] == truth).any(1).mean()) for k in range(1, scores.shape[1] + 1)]


def areas(request):
    """Area of each geometry and of what each pair shares; invalid rings are made valid, even-odd."""
    import shapely
    from shapely.geometry import shape

    def repaired(geometry):
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        return shapely.union_all([shapely.make_valid(shape({"type": "Polygon", "coordinates": rings})) for rings in parts])

    pairs = [(repaired(a), repaired(b)) for a, b in request["pairs"]]
    return [[a.area, b.area, a.intersection(b).area] for a, b in pairs]


def scenes(request):
    """Brute force over all pairs of polygons: right, wrong and missed objects and the AP of each class."""
    from shapely.geometry import shape

    answers = []
    for case in request["cases"]:
        found, true = ([(shape(f["geometry"]), f["properties"]) for f in case[side]] for side in ("predicted", "truth"))
        scored = case["scored"]
        iou = np.zeros((len(found), len(true)))
        for d, (a, pa) in enumerate(found):
            for g, (b, pb) in enumerate(true):
                if pa.get("class") == pb.get("class"):
                    shared = a.intersection(b).area
                    iou[d, g] = shared / (a.area + b.area - shared)
        match, taken = {}, set()
        if scored:
            for d in sorted(range(len(found)), key=lambda d: -found[d][1]["score"]):
                free = [g for g in range(len(true)) if g not in taken and iou[d, g] >= case["minIou"]]
                if free:
                    match[d] = max(free, key=lambda g: (iou[d, g], -g))
                    taken.add(match[d])
        else:
            for _, d, g in sorted((-iou[d, g], d, g) for d in range(len(found)) for g in range(len(true)) if iou[d, g] >= case["minIou"]):
                if d not in match and g not in taken:
                    match[d] = g
                    taken.add(g)
        aps = {}
        for name in sorted({p.get("class") or "" for _, p in true}):
            order = [d for d in sorted(range(len(found)), key=lambda d: -found[d][1].get("score", 0)) if (found[d][1].get("class") or "") == name]
            hits = np.array([d in match for d in order], float)
            positives = sum((p.get("class") or "") == name for _, p in true)
            tp = np.cumsum(hits)
            aps[name] = voc_ap(tp / positives, tp / np.arange(1, len(order) + 1), False) if scored else None
        answers.append({"truePositives": len(match), "falsePositives": len(found) - len(match), "falseNegatives": len(true) - len(match), "aps": aps,
                        "matches": sorted([d, float(iou[d, g])] for d, g in match.items())})
    return answers


COMMANDS = {f.__name__: f for f in (masks, coco, voc, confusion, topk, areas, scenes)}
if __name__ == "__main__":
    json.dump(COMMANDS[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
