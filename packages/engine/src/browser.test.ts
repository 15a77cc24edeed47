import { expect, test } from "vitest";
import * as inBrowser from "./browser.ts";
import * as inNode from "./index.ts";

/** What needs files, and so a file system. */
const NODE_ONLY = ["readOnnxModel", "readOnnxWeights"];

test("the browser's front door has everything but what needs files", () => {
  const missing = Object.keys(inNode).filter((name) => !(name in inBrowser));
  expect(missing.sort()).toEqual(NODE_ONLY);
  expect(Object.keys(inBrowser).filter((name) => !(name in inNode))).toEqual([]);
});
