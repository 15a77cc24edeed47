import { expect, test } from "vitest";

import { showValue } from "./show-value.ts";

test.each([
  ["1e-3", '"1e-3"'],
  [-1, "-1"],
  [Number.NaN, "NaN"],
  [undefined, "undefined"],
  [null, "null"],
  [{ sizes: [1, 2] }, '{"sizes":[1,2]}'],
  ["a".repeat(78), `"${"a".repeat(78)}"`],
])("%o is shown as %s", (value, text) => {
  expect(showValue(value)).toBe(text);
});

test("a long value is cut, ends in dots, and never in a comma", () => {
  for (let length = 60; length < 100; length++) {
    const text = showValue(["b".repeat(length), 1.25, 2.5, 3.75, 4.125]);
    expect(text.length).toBeLessThanOrEqual(80);
    expect(text).toMatch(/[^,]\.\.\.$|\]$/);
  }
});
