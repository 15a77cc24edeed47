"""The pycocotools side of the COCO benchmark: coco_metrics.py FILE prints {seconds, figures, predicted}.

The time is that of evaluate() and accumulate(), without making the annotations and their index.
"""

import contextlib
import io
import json
import sys
import time

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def annotations(images, side):
    entries = []
    for image, objects in enumerate(images):
        for i, label in enumerate(objects[side]["labels"]):
            x0, y0, x1, y1 = objects[side]["boxes"][4 * i : 4 * i + 4]
            entry = {"id": len(entries) + 1, "image_id": image, "category_id": label, "iscrowd": 0}
            entry |= {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
            if side == "predicted":
                entry["score"] = objects[side]["scores"][i]
            entries.append(entry)
    return entries


def coco(entries, images):
    data = COCO()
    data.dataset = {"images": [{"id": n} for n in range(images)], "categories": [{"id": k} for k in range(10)], "annotations": entries}
    data.createIndex()
    return data


def main():
    with open(sys.argv[1]) as file:
        images = json.load(file)
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = (coco(annotations(images, side), len(images)) for side in ("truth", "predicted"))
        evaluation = COCOeval(truth, found, "bbox")
        started = time.perf_counter()
        evaluation.evaluate()
        evaluation.accumulate()
        seconds = time.perf_counter() - started
        evaluation.summarize()
    figures = [None if value == -1 else float(value) for value in evaluation.stats]
    print(json.dumps({"seconds": seconds, "figures": figures, "predicted": len(found.dataset["annotations"])}))


main()
