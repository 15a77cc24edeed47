/**
 * What is being recorded now, and the rule about values from outside. A recorded graph is replayed with other inputs, so a value
 * that came from JavaScript must not freeze in it unseen. Allowed are inputs, variables, numbers written as arguments of an
 * operation (they are constants, as in `tf.mul(x, 2)`), values that tfjs makes within its own operations and gradients, and what
 * is marked by `constant()`. Everything else is refused and names the call.
 */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { type Value, sizeOf } from "./value.ts";

/** One run of a function under observation. */
export interface Recording {
  readonly id: number;
  /** Operations by what they compute, so that equal ones are recorded once. */
  readonly known: Map<string, Value>;
  /** Values the graph may use that were there before. */
  readonly allowed: Set<Value>;
  /** Variables by the value they held when recording began. */
  readonly variables: Map<Value, tf.Variable>;
}

let current: Recording | null = null;
let constantDepth = 0;
let nextRecording = 1;
const marked = new WeakSet<Value>();

/** The recording in progress, or null. */
export function currentRecording(): Recording | null {
  return current;
}

/** Runs `body` as a recording. */
export function withRecording<T>(variables: Map<Value, tf.Variable>, body: (recording: Recording) => T): T {
  const recording: Recording = { id: nextRecording++, known: new Map(), allowed: new Set(), variables };
  current = recording;
  try {
    return body(recording);
  } finally {
    current = null;
  }
}

/** Runs `make`, whose host values may become constants of the graph. */
export function asConstants<T>(make: () => T): T {
  constantDepth++;
  try {
    return make();
  } finally {
    constantDepth--;
  }
}

/** Marks a value made before recording as a constant of every graph that uses it. */
export function markConstant(value: Value): void {
  marked.add(value);
}

// With source maps on, frames of tfjs are named after its own sources, which then seem to lie outside its package.
const TFJS = /[\\/]@tensorflow[\\/+]tfjs[^\\/]*[\\/]|[\\/]tfjs-(?:core|layers|data|converter|backend-\w+)[\\/]src[\\/]/;
const ENGINE = /[\\/](packages|@geolearn)[\\/]engine[\\/](src|dist)[\\/]/;
const ENGINE_TEST = /\.test\.ts/;
const RANDOM = /\b(random[A-Z]\w*|truncatedNormal|multinomial|dropout|rand)(_|\b)/;
const FROM_HOST = /^(scalar|tensor(\d?d?)?|complex|linspace|range|variable|toTensor|fromPixels|oneHot|buffer|eye|diag)_*(_op)?$/;

interface Frame {
  readonly name: string;
  readonly place: string;
}

function callers(): Frame[] {
  const former = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const stack = new Error("calls").stack ?? "";
  Error.stackTraceLimit = former;
  return stack
    .split("\n")
    .slice(1)
    .map((line) => {
      const found = /^\s*at (?:(?:async |new )?(.*?) \()?(.*?)\)?$/.exec(line);
      return { name: (found?.[1] ?? "").replace(/ \[as .*\]/, "").replace(/^.*\./, ""), place: found?.[2] ?? "" };
    });
}

const isEngine = (frame: Frame): boolean => ENGINE.test(frame.place) && !ENGINE_TEST.test(frame.place);

interface Call {
  /** The tfjs function the caller used. */
  readonly call: string;
  /** Where it was called. */
  readonly place: string;
  /** The random function involved, if any. */
  readonly random: string | null;
  readonly insideTfjs: boolean;
  /** True when an argument of an operation became a tensor. */
  readonly argument: boolean;
}

function outermostCall(): Call {
  const frames = callers();
  let at = frames.findIndex((frame) => TFJS.test(frame.place));
  if (at < 0)
    return {
      call: "tensor",
      place: frames.find((frame) => !isEngine(frame))?.place ?? "",
      random: null,
      insideTfjs: false,
      argument: false,
    };
  let call = "";
  let random: string | null = null;
  let argument = false;
  for (; at < frames.length; at++) {
    const frame = frames[at]!;
    if (!TFJS.test(frame.place)) break;
    if (frame.name !== "" && frame.name !== "<anonymous>") call = frame.name;
    argument ||= frame.name.startsWith("convertToTensor");
    random ??= RANDOM.exec(frame.name)?.[1] ?? null;
  }
  return { call: call.replace(/_*(_op)?$/, ""), place: frames[at]?.place ?? "", random, insideTfjs: true, argument };
}

/** Whether tfjs lies in one file with its caller, as bundlers put it: the call stack then does not tell them apart. */
let bundled: boolean | null = null;

function inBundle(): boolean {
  bundled ??= tf.tidy(() => !callers().some((frame) => TFJS.test(frame.place)));
  return bundled;
}

const OPERATION = /__op$/;

/**
 * In a bundle tfjs's own scopes tell what goes on: it opens one for each operation and one for each backward pass. Arrays as arguments of an
 * operation cannot be told from those the operation makes itself, so they are taken as constants.
 */
function callByScope(): Pick<Call, "call" | "random" | "insideTfjs" | "place"> {
  const names = tf.engine().state.scopeStack.map(({ name }) => name ?? "");
  const operations = names.filter((name) => OPERATION.test(name)).map((name) => name.replace(OPERATION, ""));
  const random = operations.map((name) => RANDOM.exec(name)?.[1] ?? null).find((name) => name !== null) ?? null;
  const place = `a bundle, scopes ${names.filter((name) => name !== "").join(" > ") || "without names"}`;
  return { call: operations[0] ?? "tensor", random, insideTfjs: operations.length > 0 || names.includes("backward"), place };
}

/** Refuses host values that nobody marked. `plain` are those that may be zeros or ones, which tfjs makes by functions that are no operations. */
export function checkWrite(shape: readonly number[], plain: boolean): void {
  if (current === null || constantDepth > 0) return;
  const bundle = inBundle();
  const { call, place, random, insideTfjs, argument } = bundle ? { ...callByScope(), argument: false } : outermostCall();
  if (random !== null) {
    throw new GeoLearnError(
      "RECORDING_CONSTANT",
      `tf.${random} draws its numbers in JavaScript; recorded, every replay would repeat them (called at ${place})`,
      {
        hint: "Use dropout(x, rate, seed, id) or randomUniform(shape, seed, id) of the engine, whose seed is an input of the graph.",
        data: { call: random },
      },
    );
  }
  const byStack = insideTfjs ? FROM_HOST.test(call) || (argument && sizeOf(shape) > 1) : shape.length > 0;
  if (bundle ? insideTfjs || plain : !byStack) return;
  throw new GeoLearnError(
    "RECORDING_CONSTANT",
    `tf.${call} wrote host values of shape [${shape.join(", ")}] while recording (called at ${place}); every replay would see these same values`,
    { hint: "Make it an input of the compiled function, or write constant(...) if it never changes.", data: { call } },
  );
}

/** Refuses values from before the recording that are neither variables nor marked. */
export function checkUse(value: Value, op: string): void {
  if (current === null) {
    if (value.recording === 0) return;
    throw new GeoLearnError("RECORDING_READ", `${op} uses a tensor of a recording after it ended; such a tensor has no values`, {
      hint: "Return the tensor from the compiled function and use what run() gives.",
    });
  }
  if (value.recording === current.id || current.allowed.has(value) || current.variables.has(value) || marked.has(value)) return;
  throw new GeoLearnError(
    "RECORDING_CONSTANT",
    `${op} uses a tensor of shape [${value.shape.join(", ")}] that was made before recording began; every replay would see its present values`,
    { hint: "Make it an input of the compiled function, a tf.Variable, or mark it by constant(tensor).", data: { call: op } },
  );
}

/** The error of a read while recording. */
export function readWhileRecording(value: Value): GeoLearnError {
  const { call, place } = outermostCall();
  return new GeoLearnError(
    "RECORDING_READ",
    `${call === "" ? "a read" : call} asked for values of '${value.op}' [${value.shape.join(", ")}] while recording (at ${place})`,
    {
      hint: "A recorded function has no values yet: return the tensor as an output, and use operations instead of JavaScript on values.",
      data: { op: value.op },
    },
  );
}
