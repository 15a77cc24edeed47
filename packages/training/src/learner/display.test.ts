import { afterEach, describe, expect, test, vi } from "vitest";

import { discData } from "../testing/memory-data.ts";
import { recordTable } from "./display.ts";
import { createLearner } from "./create-learner.ts";

afterEach(() => {
  delete (globalThis as { __tslab__?: unknown }).__tslab__;
  vi.restoreAllMocks();
});

describe("how a run is watched", () => {
  test("in a notebook: a table that grows in one place, and every figure inline", async () => {
    const outputs: { kind: string; content: unknown }[][] = [];
    const newDisplay = (): object => {
      const output: { kind: string; content: unknown }[] = [];
      outputs.push(output);
      const show = (kind: string) => (content: unknown) => void output.push({ kind, content });
      return { html: show("html"), svg: show("svg"), png: show("png") };
    };
    (globalThis as { __tslab__?: unknown }).__tslab__ = { require: () => ({ newDisplay }) };
    const learner = await createLearner(discData(), { base: 4, depth: 2, threads: 1 });
    await learner.fit({ epochs: 2, lr: 1e-2 });
    expect(outputs).toHaveLength(1);
    const last = String(outputs[0]!.at(-1)!.content);
    expect(last.match(/<tr>/g)).toHaveLength(3);
    expect(last).toContain("<th>iou disc</th>");
    expect(last).not.toContain("<p>");
    await learner.plotLosses();
    await learner.showResults();
    await learner.plotConfusionMatrix();
    await learner.lrFind({ steps: 12 });
    expect(outputs.slice(1).map((output) => output.at(-1)!.kind)).toEqual(["svg", "svg", "svg", "html", "svg"]);
    await learner.dispose();
  });

  test("in a terminal: a bar on stderr; elsewhere nothing; with onProgress only that", async () => {
    const written: string[] = [];
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    const learner = await createLearner(discData(), { base: 4, depth: 2, threads: 1 });
    const terminal = process.stderr.isTTY;
    try {
      process.stderr.isTTY = false;
      await learner.fit({ epochs: 1, lr: 1e-3 });
      expect(written).toEqual([]);
      process.stderr.isTTY = true;
      await learner.fit({ epochs: 1, lr: 1e-3, onProgress: () => undefined });
      expect(written).toEqual([]);
      await learner.fit({ epochs: 1, lr: 1e-3 });
      expect(written.join("")).toContain("4/4 steps");
      expect(written.join("")).toContain("images/s");
      expect(written.join("").endsWith("\n")).toBe(true);
    } finally {
      process.stderr.isTTY = terminal;
    }
    await learner.dispose();
  });

  test("names of classes are text, not markup", () => {
    const record = { epoch: 1, trainLoss: 1, validLoss: null, metrics: { "iou <b>": null }, seconds: 1 };
    expect(recordTable([record])).toContain("iou &#60;b&#62;");
  });
});
