/** The conformance suite: tests for a network of one's own, for any test runner with `describe` and `it`. */

import { GeoLearnError } from "@geolearn/core";
import { type AnyModelExtension, defineModel, type ModelShape } from "@geolearn/models";

import { checks, messageOf } from "./checks.ts";
import { failed, Subject } from "./subject.ts";

/** What a test runner gives. */
export interface TestFunctions {
  /** Groups tests. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** Writes one test; the last argument is the time it may take, in milliseconds. */
  readonly it: (name: string, body: () => Promise<void>, timeout?: number) => unknown;
}

/** Options of {@link describeModel}. */
export interface DescribeModelOptions extends Partial<TestFunctions> {
  /** Settings of the network: small ones make the suite fast. @defaultValue the network's defaults */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Numbers of bands and classes it is built for; most checks use the first. @defaultValue 3 and 2, 1 and 3, 5 and 4 */
  readonly shapes?: readonly ModelShape[];
  /** Steps in which the loss of one batch must fall. @defaultValue 20 */
  readonly steps?: number;
  /** Learning rate of these steps, with Adam. @defaultValue 0.01 */
  readonly lr?: number;
  /** Time each test may take, in milliseconds. @defaultValue 60000 */
  readonly timeout?: number;
}

const SHAPES: readonly ModelShape[] = [
  { bands: 3, classes: 2 },
  { bands: 1, classes: 3 },
  { bands: 5, classes: 4 },
];

/**
 * Writes one test for each promise a network makes: it is built for any bands and classes, names and seeds its weights, gives probabilities, learns,
 * does not count pixels without a label, and comes back from its model package and as an ONNX file with the same scores. A failing test says what is
 * wrong and how to mend it.
 *
 * Works with `describe` and `it` of vitest, node:test, Jest and Mocha; they are taken from the options, or are global.
 *
 * @throws INVALID_ARGUMENT without test functions; what `defineModel` throws for a definition that is not sound
 *
 * @example
 * import { describe, it } from "vitest";
 * import { describeModel } from "geolearn/testing";
 * import { myNet } from "./my-net.js";
 *
 * describeModel(myNet, { describe, it, config: { filters: 8 } });
 */
export function describeModel(model: AnyModelExtension | string, options: DescribeModelOptions = {}): void {
  const { config = {}, shapes = SHAPES, steps = 20, lr = 1e-2, timeout = 60_000 } = options;
  const { describe, it } = testFunctions(options);
  const modelType = typeof model === "string" ? model : defineModel(model).modelType;
  const subject = new Subject({ modelType, config, shapes, steps, lr });
  describe(`the model ${modelType}`, () => {
    for (const check of checks) {
      it(
        check.name,
        () =>
          check.run(subject).catch((cause: unknown) => {
            const own = GeoLearnError.is(cause, "MODEL_INVALID");
            throw own ? cause : failed(`The check stopped: ${messageOf(cause)}`, "Look at the cause.", cause);
          }),
        timeout,
      );
    }
  });
}

function testFunctions(options: DescribeModelOptions): TestFunctions {
  const globals = globalThis as unknown as Partial<TestFunctions>;
  const [describe, it] = [options.describe ?? globals.describe, options.it ?? globals.it];
  if (typeof describe === "function" && typeof it === "function") return { describe, it };
  throw new GeoLearnError("INVALID_ARGUMENT", "describeModel got no `describe` and `it`, and there are no global ones.", {
    hint: 'Give those of your test runner: import { describe, it } from "vitest", or from "node:test".',
  });
}
