/** Which detections are which true objects. */

/** A detection and a true object of its class that share an area. */
export interface Candidate {
  readonly predicted: number;
  readonly truth: number;
  /** Intersection over union. */
  readonly iou: number;
}

/** What becomes of the objects at one IoU. */
export interface Matching {
  /** For each detection: the true object it found, `"wrong"`, or `"ignored"` when it is neither right nor wrong. */
  readonly predicted: readonly (Candidate | "wrong" | "ignored")[];
  /** For each true object, whether it was found. */
  readonly found: readonly boolean[];
}

/** What matching goes by. */
export interface MatchObjectsInput {
  /** Pairs that share an area; others never match. */
  readonly candidates: readonly Candidate[];
  /** Of each detection: its score, or null when none has one. */
  readonly scores: readonly number[] | null;
  /** True for objects that need not be found, and for detections that are not wrong when they find nothing. */
  readonly truthIgnored: readonly boolean[];
  readonly predictedIgnored: readonly boolean[];
}

/**
 * Joins detections to true objects one to one. With scores, detections take their turn from the best score down (of equal scores the
 * earlier one first), each with the free object of greatest IoU (of equal ones the earlier). Without scores, pairs are joined from the
 * greatest IoU down. In both cases objects that count come before ignored ones; a detection of an ignored object is ignored, however many there are.
 */
export function matchObjects({ candidates, scores, truthIgnored, predictedIgnored }: MatchObjectsInput, minIou: number): Matching {
  const order = candidates.filter(({ iou }) => iou >= minIou);
  order.sort(
    (one, other) =>
      (scores === null ? 0 : scores[other.predicted]! - scores[one.predicted]! || one.predicted - other.predicted) ||
      other.iou - one.iou ||
      one.predicted - other.predicted ||
      one.truth - other.truth,
  );
  const predicted: (Candidate | "wrong" | "ignored")[] = predictedIgnored.map((ignored) => (ignored ? "ignored" : "wrong"));
  const found = truthIgnored.map(() => false);
  const matched = new Set<number>();
  for (const candidate of order) {
    if (truthIgnored[candidate.truth]! || matched.has(candidate.predicted) || found[candidate.truth]!) continue;
    matched.add(candidate.predicted);
    found[candidate.truth] = true;
    predicted[candidate.predicted] = candidate;
  }
  for (const { predicted: detection, truth } of order) {
    if (truthIgnored[truth]! && !matched.has(detection)) predicted[detection] = "ignored";
  }
  return { predicted, found };
}
