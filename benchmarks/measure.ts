/** Time and peak memory of a program, measured from outside: the whole process tree, sampled while it runs. */

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** Options of {@link measureProcess}. */
export interface MeasureOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Time between two looks at the tree, in milliseconds. @defaultValue 20 */
  readonly sampleMs?: number;
  /** Ends the program after this time, in milliseconds. @defaultValue none */
  readonly timeoutMs?: number;
  /** Ends the program. */
  readonly signal?: AbortSignal;
}

/** What was measured. */
export interface ProcessMeasurement {
  /** From start to exit, start-up included. */
  readonly seconds: number;
  /** Largest sum of the resident memory of the process and all its descendants, in MiB. Shared pages count once per process. */
  readonly peakMb: number;
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program and measures it. A non-zero exit is reported, not thrown.
 *
 * @example
 * const { seconds, peakMb, stdout } = await measureProcess("python", ["torch_scene.py", "--raster", "scene.tif", "--out", "map.tif"]);
 */
export function measureProcess(command: string, args: readonly string[], options: MeasureOptions = {}): Promise<ProcessMeasurement> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      signal: options.signal,
    });
    const tree = new ProcessTree(child.pid ?? -1);
    let peakKb = 0;
    const look = (): void => {
      peakKb = Math.max(peakKb, tree.residentKb());
    };
    const sampler = setInterval(look, options.sampleMs ?? 20);
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    const stop = (): void => {
      clearInterval(sampler);
      clearTimeout(timer);
    };
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (cause) => {
      stop();
      reject(cause);
    });
    child.on("close", (code) => {
      stop();
      resolve({
        seconds: (performance.now() - started) / 1000,
        peakMb: Math.max(peakKb, tree.highestKb) / 1024,
        code,
        stdout,
        stderr,
      });
    });
  });
}

/** The last line of a program's output that is a JSON object. @throws when there is none, with the end of its error output. */
export function lastJson(measured: Pick<ProcessMeasurement, "stdout" | "stderr" | "code">): Record<string, unknown> {
  const line = measured.stdout
    .trimEnd()
    .split("\n")
    .findLast((text) => text.startsWith("{"));
  if (measured.code !== 0 || line === undefined) {
    throw new Error(
      `The program exited with ${measured.code} and ${line === undefined ? "no" : "a"} JSON line:\n${measured.stderr.slice(-2000)}`,
    );
  }
  return JSON.parse(line) as Record<string, unknown>;
}

/** Looks at the known processes between two searches for new ones. */
const LOOKS_PER_SEARCH = 10;

/** Looks at a process and its descendants through /proc; elsewhere than on Linux nothing is seen and the peak is 0. */
class ProcessTree {
  /** Largest resident memory one process of the tree ever had, by the kernel's own count: peaks between two looks are in it. */
  highestKb = 0;
  readonly #root: number;
  #looks = 0;
  #known: ReadonlySet<number> = new Set();

  constructor(root: number) {
    this.#root = root;
  }

  residentKb(): number {
    // Looking for new descendants reads the whole of /proc, which would slow what is measured; known ones cost next to nothing.
    if (this.#looks++ % LOOKS_PER_SEARCH === 0) this.#known = this.#members();
    let sum = 0;
    for (const pid of this.#known) {
      const status = readText(`/proc/${pid}/status`);
      sum += field(status, "VmRSS");
      this.highestKb = Math.max(this.highestKb, field(status, "VmHWM"));
    }
    return sum;
  }

  #members(): Set<number> {
    const members = new Set([this.#root]);
    const parents = processParents();
    for (let size = 0; size < members.size;) {
      size = members.size;
      for (const [pid, parent] of parents) if (members.has(parent)) members.add(pid);
    }
    return members;
  }
}

function processParents(): [pid: number, parent: number][] {
  if (process.platform !== "linux") return [];
  const pairs: [number, number][] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // The name of the program stands in parentheses and may hold anything, so the fields start after the last one.
    const stat = readText(`/proc/${pid}/stat`);
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    if (parent !== undefined) pairs.push([pid, Number(parent)]);
  }
  return pairs;
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}

/** A file of a process that may end at any moment. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
