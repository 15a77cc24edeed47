import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { decode } from "fast-png";
import { afterEach, describe, expect, test } from "vitest";

import type { ClassDefinition } from "../classes.ts";
import { Figure } from "./figure.ts";
import { inNotebook, notebookOutput } from "./notebook.ts";
import { createImage, overlayClasses, pasteImage, renderClasses, scaleNearest, tileImages } from "./picture.ts";
import { encodePng } from "./png.ts";
import { bandRanges, renderBands } from "./render-bands.ts";

const classes: ClassDefinition[] = [
  { value: 0, name: "background", color: [0, 0, 0] },
  { value: 7, name: "water", color: [0, 100, 200] },
];

describe("encodePng", () => {
  test.each([1, 2, 3, 4] as const)("%d channels come back as they were", (channels) => {
    const data = Uint8Array.from({ length: 5 * 3 * channels }, (_, i) => (i * 37) % 256);
    const decoded = decode(encodePng({ width: 5, height: 3, channels, data }));
    expect(decoded).toMatchObject({ width: 5, height: 3, channels, depth: 8 });
    expect([...decoded.data]).toEqual([...data]);
  });

  test("refuses data of another length", () => {
    expect(() => encodePng({ width: 2, height: 2, channels: 3, data: new Uint8Array(11) })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("pictures", () => {
  test("class indices take the colours of their classes, others stay transparent", () => {
    const image = renderClasses([0, 1, -1, 1], 2, 2, classes);
    expect([...image.data]).toEqual([0, 0, 0, 255, 0, 100, 200, 255, 0, 0, 0, 0, 0, 100, 200, 255]);
  });

  test("an overlay mixes colours and leaves the skipped class alone", () => {
    const base = createImage(2, 1, [100, 100, 100]);
    const over = overlayClasses(base, [0, 1], classes, 0.5, { skip: 0 });
    expect([...over.data]).toEqual([100, 100, 100, 255, 50, 100, 150, 255]);
    expect([...base.data.slice(4, 7)]).toEqual([100, 100, 100]);
  });

  test("enlarging repeats pixels, also by factors that are not whole", () => {
    const image = renderClasses([0, 1], 2, 1, classes);
    expect([...scaleNearest(image, 4, 2).data].filter((_, i) => i % 4 === 2)).toEqual([0, 0, 200, 200, 0, 0, 200, 200]);
    expect([...scaleNearest(image, 3, 1).data].filter((_, i) => i % 4 === 2)).toEqual([0, 200, 200]);
  });

  test("pasting cuts what hangs over", () => {
    const target = createImage(2, 2);
    pasteImage(target, createImage(2, 2, [1, 2, 3]), 1, -1);
    expect([...target.data].filter((_, i) => i % 4 === 0)).toEqual([255, 1, 255, 255]);
  });

  test("a grid has a gap around every picture", () => {
    const grid = tileImages([createImage(2, 2, [9, 9, 9]), createImage(2, 2), createImage(2, 2)], 2, 1);
    expect([grid.width, grid.height]).toEqual([7, 7]);
    expect(grid.data[(1 * 7 + 1) * 4]).toBe(9);
  });
});

describe("renderBands", () => {
  test("stretches each band between its percentiles and hides missing pixels", () => {
    const array = { data: [0, 10, 5, 1000, 7, 7, 7, 7, 0, 50, 200, 300], bands: 3, width: 2, height: 2, mask: Uint8Array.of(1, 1, 1, 0) };
    const image = renderBands(array, { stretch: [0, 100] });
    expect([...image.data.slice(0, 12)]).toEqual([0, 128, 0, 255, 255, 128, 64, 255, 128, 128, 255, 255]);
    expect(image.data[15]).toBe(0);
  });

  test("reads interleaved samples alike", () => {
    const bands = { data: [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23], bands: 3, width: 2, height: 2 };
    const pixels = { ...bands, data: [0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23], layout: "pixels" as const };
    expect([...renderBands(pixels).data]).toEqual([...renderBands(bands).data]);
  });

  test("percentiles are NumPy's (linear interpolation) and skip values that are not finite", () => {
    const array = { data: [1, 2, 3, 4, NaN, Infinity], bands: 1, width: 6, height: 1 };
    expect(bandRanges(array, { stretch: [10, 90] })).toEqual([[1.3, 3.7]]);
  });

  test("refuses a band that is not there", () => {
    expect(() => renderBands({ data: [1], bands: 1, width: 1, height: 1 }, { bands: [0, 1, 2] })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("Figure", () => {
  const png = encodePng(createImage(1, 1));
  afterEach(() => {
    delete (globalThis as { __tslab__?: unknown }).__tslab__;
  });

  test("the extension chooses the format", async () => {
    const folder = await mkdtemp(join(tmpdir(), "figure-"));
    const figure = new Figure("curves", { svg: "<svg/>", png });
    await figure.save(join(folder, "a/b.png"));
    await figure.save(join(folder, "b.svg"));
    expect(new Uint8Array(await readFile(join(folder, "a/b.png")))).toEqual(png);
    expect(await readFile(join(folder, "b.svg"), "utf8")).toBe("<svg/>");
    await expect(figure.save(join(folder, "c.jpg"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await expect(new Figure("pixels", { png }).save(join(folder, "d.svg"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  test("shows itself in a tslab notebook, and nowhere else", () => {
    expect(inNotebook()).toBe(false);
    expect(notebookOutput()).toBeNull();
    const shown: unknown[] = [];
    const display = { svg: (s: string) => shown.push(s), png: (b: Uint8Array) => shown.push(b), html: (s: string) => shown.push(s) };
    (globalThis as { __tslab__?: unknown }).__tslab__ = {
      require: (id: string) => (id === "tslab" ? { newDisplay: () => display } : undefined),
    };
    new Figure("curves", { svg: "<svg/>", png }).show();
    new Figure("pixels", { png }).show();
    notebookOutput()?.html("<b>1</b>");
    expect(shown).toEqual(["<svg/>", png, "<b>1</b>"]);
  });
});
