"""scikit-learn's figures of classified chips.

    python tests/oracles/tile_metrics.py

Writes packages/core/src/metrics/fixtures/tile-metrics.json. Scores have two decimals, so that some are equal.
"""
import json, pathlib
import numpy as np
from sklearn.metrics import (accuracy_score, average_precision_score, cohen_kappa_score, confusion_matrix, precision_recall_fscore_support,
                             top_k_accuracy_score)

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "core" / "src" / "metrics" / "fixtures" / "tile-metrics.json"
rng = np.random.default_rng(5)
CHIPS, CLASSES = 90, 7


def one_class():
    truth = rng.integers(0, CLASSES - 1, CHIPS)  # no chip has the last class
    scores = rng.random((CHIPS, CLASSES))
    scores[np.arange(CHIPS), truth] += 0.35
    scores = np.round(scores / scores.sum(1, keepdims=True), 2)
    predicted = scores.argmax(1)
    p, r, f, n = precision_recall_fscore_support(truth, predicted, labels=range(CLASSES), zero_division=np.nan)
    # of equal scores the earlier class counts first: nudged, as scikit-learn takes the later one
    nudged = scores - np.arange(CLASSES) * 1e-9
    return {"scores": scores.flatten().tolist(), "truth": truth.tolist(), "accuracy": accuracy_score(truth, predicted),
            "top5": top_k_accuracy_score(truth, nudged, k=5, labels=range(CLASSES)), "kappa": cohen_kappa_score(truth, predicted),
            "confusion": confusion_matrix(truth, predicted, labels=range(CLASSES)).flatten().tolist(),
            "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "truthChips": n.tolist()}


def several():
    truth = (rng.random((CHIPS, CLASSES)) < 0.3).astype(int)
    scores = np.round(np.clip(0.35 * truth + 0.65 * rng.random((CHIPS, CLASSES)), 0, 1), 2)
    thresholds = [0.5, 0.5, 0.4, 0.6, 0.5, 0.45, 0.5]
    predicted = (scores >= np.array(thresholds)).astype(int)
    p, r, f, n = precision_recall_fscore_support(truth, predicted, zero_division=np.nan)
    ap = average_precision_score(truth, scores, average=None)
    return {"scores": scores.flatten().tolist(), "truth": truth.flatten().tolist(), "thresholds": thresholds, "exactMatch": accuracy_score(truth, predicted),
            "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "truthChips": n.tolist(), "averagePrecision": ap.tolist(), "meanAp": float(ap.mean())}


if __name__ == "__main__":
    text = json.dumps({"one": one_class(), "several": several()}).replace("NaN", "null")
    OUT.write_text(text + "\n")
    print(OUT, OUT.stat().st_size)
