import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { createSchedule } from "./schedules.ts";

interface Peer {
  total: number;
  max: number;
  lr: number[];
  beta1: number[];
  options?: { pct_start?: number; div_factor?: number; final_div_factor?: number; cycle_momentum?: boolean };
}

const peers = JSON.parse(readFileSync(new URL("fixtures/schedules.json", import.meta.url), "utf8")) as {
  oneCycle: Peer[];
  cosine: Peer[];
};

describe("schedules equal PyTorch's, step by step", () => {
  test.each(peers.oneCycle)("OneCycleLR over $total steps, $options", ({ total, max, lr, beta1, options = {} }) => {
    const schedule = createSchedule("oneCycle", {
      total,
      lr: max,
      ...(options.pct_start && { warmUp: options.pct_start }),
      ...(options.div_factor && { div: options.div_factor }),
      ...(options.final_div_factor && { finalDiv: options.final_div_factor }),
      ...(options.cycle_momentum === false && { cycleMomentum: false }),
    });
    for (let step = 0; step < total; step++) {
      const ours = schedule(step);
      expect(Math.abs(ours.lr - lr[step]!)).toBeLessThanOrEqual(1e-12 * max);
      if (options.cycle_momentum === false) expect(ours.beta1).toBeNull();
      else expect(Math.abs(ours.beta1! - beta1[step]!)).toBeLessThanOrEqual(1e-12);
    }
  });

  test.each(peers.cosine)("CosineAnnealingLR over $total steps", ({ total, max, lr }) => {
    const schedule = createSchedule("cosine", { total, lr: max });
    // PyTorch's recursive form drifts by some units in the last place.
    lr.forEach((rate, step) => expect(Math.abs(schedule(step).lr - rate)).toBeLessThanOrEqual(1e-12 * max));
  });
});

describe("createSchedule", () => {
  test("constant stays constant", () => {
    const schedule = createSchedule("constant", { total: 3, lr: 0.5 });
    expect([0, 1, 2].map((step) => schedule(step))).toEqual([0, 1, 2].map(() => ({ lr: 0.5, beta1: null })));
  });

  test("one cycle is finite however few steps there are", () => {
    for (let total = 1; total < 12; total++) {
      for (const warmUp of [0.1, 0.3, 0.5, 1]) {
        const schedule = createSchedule("oneCycle", { total, lr: 1, warmUp });
        for (let step = 0; step < total; step++) expect(schedule(step).lr).toSatisfy((lr: number) => lr > 0 && lr <= 1);
      }
    }
  });

  test("refuses rates and lengths that are not positive", () => {
    for (const lr of [0, -1, NaN, Infinity]) {
      expect(() => createSchedule("constant", { total: 1, lr })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
    expect(() => createSchedule("oneCycle", { total: 0, lr: 1 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
