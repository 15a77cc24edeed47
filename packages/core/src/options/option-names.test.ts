import { describe, expect, test } from "vitest";

import type { GeoLearnError } from "../errors.ts";
import { checkOptionNames } from "./option-names.ts";

interface Options {
  readonly batchSize?: number;
  readonly lr?: number;
  readonly augment?: boolean;
}

const KNOWN = { batchSize: true, lr: true, augment: true } as const;

function refusal(given: unknown, expected?: string): GeoLearnError {
  try {
    checkOptionNames<Options>(given as Options, KNOWN, "fit()", expected);
  } catch (error) {
    return error as GeoLearnError;
  }
  throw new Error("was taken");
}

describe("names of options", () => {
  test("that are known are taken, also without a value", () => {
    checkOptionNames<Options>({}, KNOWN, "fit()");
    checkOptionNames<Partial<Record<keyof Options, unknown>>>({ batchSize: 2, lr: undefined }, KNOWN, "fit()");
  });

  test.each([
    ["batch_size", "batchSize"],
    ["BATCH-SIZE", "batchSize"],
    ["batchsize", "batchSize"],
    ["batcSize", "batchSize"],
    ["bacthSize", "batchSize"],
    ["augmnet", "augment"],
    ["lrr", "lr"],
    ["btachSzie", "batchSize"],
  ])("%s is refused, and %s is told", (name, meant) => {
    const { code, message, hint, data } = refusal({ lr: 1, [name]: undefined });
    expect({ code, message, hint, data }).toEqual({
      code: "INVALID_ARGUMENT",
      message: `fit() has no option \`${name}\`.`,
      hint: `Did you mean \`${meant}\`?`,
      data: { field: name },
    });
  });

  test.each([
    ["form", "Did you mean `from`?"],
    ["ot", "It has `from`, `to`, `task`."],
    ["test", "It has `from`, `to`, `task`."],
  ])("short ones are not taken for each other: %s", (name, hint) => {
    const given = { [name]: 1 } as { readonly from?: number; readonly to?: number; readonly task?: string };
    expect(() => checkOptionNames(given, { from: true, to: true, task: true }, "fit()")).toThrow(expect.objectContaining({ hint }));
  });

  test.each(["epochs", "br", "constructor", "toString", "__proto__x", ""])("%j is like none of them: all are told", (name) => {
    expect(refusal({ [name]: 1 }).hint).toBe("It has `batchSize`, `lr`, `augment`.");
  });

  test.each([
    [undefined, "undefined"],
    [null, "null"],
    ["flips", '"flips"'],
    [3, "3"],
    [["lr"], '["lr"]'],
  ])("%j is no options", (given, shown) => {
    expect(refusal(given)).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `fit() got ${shown} for options; expected an object.`,
      hint: "Leave the options out, or give an object with some of `batchSize`, `lr`, `augment`.",
    });
    expect(refusal(given, "Give `lr`.").hint).toBe("Give `lr`.");
  });
});
