/** Figures and the report. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { discData } from "../testing/memory-data.ts";
import { squareData } from "../testing/memory-objects.ts";
import { stripeData } from "../testing/memory-tiles.ts";
import { SMALL, temporaryFolder } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";

const folder = temporaryFolder();

describe("figures and report", () => {
  test("every figure is saved, and the report asks nothing of the network", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, name: "discs <b>" });
    await learner.fit({ epochs: 3, lr: 1e-2 });
    await learner.lrFind({ steps: 12 });
    await learner.showResults(join(folder, "results.png"));
    await learner.plotLosses(join(folder, "losses.svg"));
    await learner.plotLr(join(folder, "lr.png"));
    await learner.plotConfusionMatrix(join(folder, "confusion.png"));
    await learner.report(join(folder, "report.html"));
    const html = await readFile(join(folder, "report.html"), "utf8");
    expect(html).toContain("discs &#60;b&#62;");
    expect(html).toContain("Confusion matrix");
    expect(html).toMatch(/<dt>learning-rate sweep<\/dt><dd>\d+\.\d s<\/dd>/);
    for (const [address] of html.matchAll(/(?:src|href)\s*=\s*"[^"]{0,30}/g)) expect(address).toMatch(/"(data:image\/png;base64|#)/);
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\/|@import|url\(/);
    expect((await readFile(join(folder, "losses.svg"), "utf8")).startsWith("<svg")).toBe(true);
    expect((await readFile(join(folder, "results.png"))).subarray(1, 4).toString()).toBe("PNG");
    await expect(learner.report(join(folder, "report.pdf"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await learner.dispose();
  });

  test("without validation chips results and report show training chips, and say so", async () => {
    const title = ">Training chips</text>";
    const pixels = await createLearner(discData({ valid: [] }), SMALL);
    expect((await pixels.showResults()).svg).toContain(title);
    await pixels.report(join(folder, "training-chips.html"));
    expect(await readFile(join(folder, "training-chips.html"), "utf8")).toContain('alt="Training chips with truth and prediction"');
    const objects = await createLearner(squareData({ train: 4, valid: 0 }), { threads: 1, fpnWidth: 8, headDepth: 0 });
    expect((await objects.showResults(undefined, { rows: 1 })).svg).toContain(title);
    const tiles = await createLearner(stripeData({ train: 10, valid: 0 }), { threads: 1 });
    expect((await tiles.showResults()).svg).toContain(title);
    const measured = await createLearner(discData(), SMALL);
    expect((await measured.showResults()).svg).toContain(">Validation chips</text>");
    for (const learner of [pixels, objects, tiles, measured]) await learner.dispose();
  });

  test("plots that have nothing to show say so", async () => {
    const learner = await createLearner(discData(), SMALL);
    await expect(learner.plotLosses()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(learner.plotLr()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });
});
