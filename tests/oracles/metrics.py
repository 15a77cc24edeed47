"""Pixel metrics of scikit-learn for random and awkward maps.

python tests/oracles/metrics.py > packages/core/src/metrics/fixtures/pixel-metrics.json
"""
import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")
rng = np.random.default_rng(20)


def figures(truth, predicted, n):
    labels = list(range(n))
    out = {"truth": truth.tolist(), "predicted": predicted.tolist(), "size": n}
    keep = truth >= 0
    t, p = truth[keep], predicted[keep]
    out["matrix"] = m.confusion_matrix(t, p, labels=labels).tolist()
    out["pixelAccuracy"] = float(m.accuracy_score(t, p))
    kappa = float(m.cohen_kappa_score(t, p, labels=sorted(set(labels) | set(np.unique(p).tolist()))))
    out["kappa"] = None if np.isnan(kappa) else kappa
    per = {
        "iou": m.jaccard_score(t, p, labels=labels, average=None, zero_division=0),
        "precision": m.precision_score(t, p, labels=labels, average=None, zero_division=0),
        "recall": m.recall_score(t, p, labels=labels, average=None, zero_division=0),
        "f1": m.f1_score(t, p, labels=labels, average=None, zero_division=0),
    }
    in_truth, in_predicted = np.isin(labels, t), np.isin(labels, p)
    known = {"iou": in_truth | in_predicted, "precision": in_predicted, "recall": in_truth, "f1": in_truth | in_predicted}
    for name, values in per.items():
        out[name] = [float(v) if ok else None for v, ok in zip(values, known[name])]
    ious = [v for v in out["iou"] if v is not None]
    out["meanIou"] = float(np.mean(ious)) if ious else None
    return out


cases = {}
for n in (2, 3, 7):
    truth = rng.integers(0, n, 400)
    predicted = np.where(rng.random(400) < 0.7, truth, rng.integers(0, n, 400))
    cases[f"{n} classes"] = figures(truth, predicted, n)
truth = rng.integers(0, 3, 300)
cases["ignored pixels"] = figures(np.where(rng.random(300) < 0.2, -1, truth), rng.integers(0, 3, 300), 3)
cases["a class in neither"] = figures(rng.integers(0, 2, 100), rng.integers(0, 2, 100), 4)
cases["a class only predicted"] = figures(rng.integers(0, 2, 100), rng.integers(0, 3, 100), 3)
cases["a class only in the truth"] = figures(rng.integers(0, 3, 100), rng.integers(0, 2, 100), 3)
cases["all right"] = figures(np.array([0, 1, 2, 1]), np.array([0, 1, 2, 1]), 3)
cases["all wrong"] = figures(np.array([0, 0, 1]), np.array([1, 1, 0]), 2)
cases["one class, all right"] = figures(np.zeros(5, int), np.zeros(5, int), 2)
cases["rare class"] = figures((rng.random(5000) < 0.002).astype(int), (rng.random(5000) < 0.002).astype(int), 2)
cases["no prediction"] = figures(rng.integers(0, 3, 200), np.where(rng.random(200) < 0.1, -1, rng.integers(0, 3, 200)), 3)
json.dump({"peer": f"scikit-learn {sklearn.__version__}", "cases": cases}, sys.stdout)
