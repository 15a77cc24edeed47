import { expect, test } from "vitest";

import { bandsByDate } from "./bands-by-date.ts";

test("bands are told apart by date, and not where all are of one", () => {
  expect(bandsByDate(["later", "earlier", "later"])).toEqual({ earlier: [1], later: [0, 2] });
  expect(bandsByDate(["later", "later"])).toBeNull();
  expect(bandsByDate([])).toBeNull();
  expect(bandsByDate(undefined)).toBeNull();
});
