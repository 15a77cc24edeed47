/**
 * ONNX Runtime's native sessions seen from outside: how long their runs take and, on request, its profile of every node. The
 * private binding the engine uses is wrapped before the engine loads it; the engine itself knows nothing of being measured.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import { median } from "./bench.ts";

const KERNEL = "_kernel_time";

interface Session {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: Record<string, unknown>): void;
  run(...args: readonly unknown[]): unknown;
  endProfiling(): void;
}

/** One node of a graph: all its runs together. */
export interface NodeTime {
  readonly name: string;
  readonly type: string;
  /** Median time of a run, milliseconds. */
  readonly ms: number;
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** What is seen of the native sessions made since. */
export interface NativeWatch {
  /** Milliseconds of the last native run. */
  readonly lastRunMs: () => number;
  /** Ends the profile of the session made last and reads it: nodes by their time, longest first; the first `skip` runs do not count. */
  readonly profile: (skip: number) => NodeTime[];
}

/** Watches every session made from now on; call it before the engine starts. */
export function watchNativeSessions(profiling: boolean): NativeWatch {
  // Found from the engine: the benchmarks themselves do not depend on ONNX Runtime.
  const require = createRequire(createRequire(import.meta.url).resolve("@geolearn/engine"));
  const { binding } = require("onnxruntime-node/dist/binding.js") as { binding: { InferenceSession: new () => Session } };
  const folder = profiling ? mkdtempSync(join(tmpdir(), "geolearn-profile-")) : null;
  const extra = folder === null ? {} : { enableProfiling: true, profileFilePrefix: join(folder, "run") };
  let runMs = 0;
  let endLast: (() => void) | null = null;
  binding.InferenceSession = class extends binding.InferenceSession {
    override loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: Record<string, unknown>): void {
      super.loadModel(buffer, offset, length, { ...options, ...extra });
      endLast = () => this.endProfiling();
    }
    override run(...args: readonly unknown[]): unknown {
      const start = performance.now();
      const result = super.run(...args);
      runMs = performance.now() - start;
      return result;
    }
  };
  return {
    lastRunMs: () => runMs,
    profile(skip) {
      if (folder === null || endLast === null) throw new Error("nothing was profiled");
      endLast();
      const files = readdirSync(folder).map((name) => join(folder, name));
      const newest = files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs).at(-1)!;
      const nodes = nodeTimes(JSON.parse(readFileSync(newest, "utf8")) as ProfileEvent[], skip);
      rmSync(folder, { recursive: true });
      return nodes;
    },
  };
}

function nodeTimes(events: readonly ProfileEvent[], skip: number): NodeTime[] {
  const nodes = new Map<string, { readonly event: ProfileEvent; readonly times: number[] }>();
  for (const event of events) {
    if (event.cat !== "Node" || !event.name.endsWith(KERNEL)) continue;
    const node = nodes.get(event.name) ?? { event, times: [] };
    node.times.push(event.dur / 1000);
    nodes.set(event.name, node);
  }
  const shapes = (list: readonly Readonly<Record<string, readonly number[]>>[] = []): (readonly number[])[] =>
    list.flatMap((one) => Object.values(one));
  return [...nodes.values()]
    .map(({ event, times }) => ({
      name: event.name.slice(0, -KERNEL.length),
      type: event.args?.op_name ?? "?",
      ms: median(times.slice(skip)),
      inputs: shapes(event.args?.input_type_shape),
      output: shapes(event.args?.output_type_shape)[0] ?? [],
    }))
    .sort((a, b) => b.ms - a.ms);
}
