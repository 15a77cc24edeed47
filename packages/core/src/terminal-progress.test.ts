import { expect, test } from "vitest";

import { progressText, terminalProgress } from "./terminal-progress.ts";

function recorder(
  isTTY: boolean,
  columns = 100,
): { stream: { write(text: string): void; isTTY: boolean; columns: number }; text: () => string } {
  const written: string[] = [];
  return { stream: { write: (text) => void written.push(text), isTTY, columns }, text: () => written.join("") };
}

test("in a terminal the line is drawn again in place and ended once", () => {
  const { stream, text } = recorder(true);
  let time = 0;
  const bar = terminalProgress({ stream, now: () => time });
  for (const done of [0, 1, 2, 3, 4]) {
    bar.onProgress({ stage: "train", done, total: 4, unit: "steps", values: { loss: 0.5 } });
    time += 1000;
  }
  bar.end();
  const lines = text().split("\r");
  expect(lines).toHaveLength(6);
  expect(lines[3]).toContain(" 50 %");
  expect(lines[3]).toContain("2/4 steps");
  expect(lines[3]).toContain("0:02 left");
  expect(lines[3]).toContain("1 steps/s");
  expect(lines[3]).toContain("loss 0.5");
  expect(text().endsWith("\n")).toBe(true);
  expect(text().match(/\n/g)).toHaveLength(1);
});

test("reports that come too fast are not drawn, the last one is", () => {
  const { stream, text } = recorder(true);
  const bar = terminalProgress({ stream, now: () => 0 });
  for (let done = 0; done <= 1000; done++) bar.onProgress({ stage: "read", done, total: 1000, unit: "windows" });
  expect(text().split("\r")).toHaveLength(3);
  expect(text()).toContain("1000/1000 windows");
});

test("where there is no terminal, whole lines without control characters", () => {
  const { stream, text } = recorder(false);
  let time = 0;
  const bar = terminalProgress({ stream, now: () => time });
  for (let done = 0; done <= 30; done++) {
    bar.onProgress({ stage: "export", done, total: 30, unit: "chips" });
    time += 1000;
  }
  expect(text().split("\n")).toHaveLength(5);
  // oxlint-disable-next-line no-control-regex
  expect(text()).not.toMatch(/[\r\u001b█]/);
});

test("without a known total: no share, lines as rare as any, the last report at the end", () => {
  const { stream, text } = recorder(false);
  let time = 0;
  const bar = terminalProgress({ stream, now: () => time });
  bar.onProgress({ stage: "classify-objects", done: 0, total: 0, unit: "features" });
  for (let done = 4; done <= 108; done += 4) {
    time += (4 * 25_000) / 108;
    bar.onProgress({ stage: "classify-objects", done, total: 0, unit: "features" });
  }
  bar.end();
  const lines = text().trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  expect(text()).not.toMatch(/%|\/\d/);
  expect(lines.at(-1)).toBe("classify-objects: 108 features, 4.32 features/s");
});

test("the same stage again, from its start, is new work", () => {
  const { stream, text } = recorder(false);
  const bar = terminalProgress({ stream, now: () => 0 });
  for (const total of [2, 5]) for (const done of [0, total]) bar.onProgress({ stage: "evaluate", done, total, unit: "chips" });
  expect(text().match(/100 %/g)).toHaveLength(2);
  expect(text()).toContain("5/5 chips");
});

test("a new stage begins a new line", () => {
  const { stream, text } = recorder(true);
  const bar = terminalProgress({ stream });
  bar.onProgress({ stage: "a", done: 0, total: 2, unit: "x" });
  bar.onProgress({ stage: "b", done: 0, total: 2, unit: "x" });
  bar.end();
  bar.end();
  expect(text().match(/\n/g)).toHaveLength(2);
});

test("speed and time left of the report come first, and the line keeps to its width", () => {
  const progress = {
    stage: "train",
    done: 30,
    total: 80,
    unit: "steps",
    values: { imagesPerSecond: 12.345, secondsLeft: 3725, epoch: 3, validLoss: 0.12345 },
  };
  const text = progressText(progress, { rate: 1, elapsed: 1, width: 200 });
  expect(text).toContain("12.3 images/s");
  expect(text).toContain("1:02:05 left");
  expect(text).toContain("valid loss 0.123");
  for (let width = 20; width < 120; width++)
    expect(progressText(progress, { rate: 1, elapsed: 1, width }).length).toBeLessThanOrEqual(width);
});
