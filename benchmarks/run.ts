/**
 * Runs the benchmarks of this folder.
 *
 *     pnpm bench [filter...] [--json FILE] [--peers DIR] [--peer-scripts DIR] [--quick] [--runs N] [--profile] [--keep DIR]
 *
 * Prints a table, writes the rows as JSON, and exits 0 whatever holds. `--peers` is a Python environment (its folder or its
 * interpreter), `--peer-scripts` the folder of the peers' programs; without them rows have no peer. `--profile` prints where a training
 * step's time goes instead, beside the processor's roofline: it takes the benchmarks whose names contain `engine-step`. `--keep` names a folder
 * for scratch files that stay there: a long benchmark that was cut off goes on from them.
 */

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import type { Benchmark, BenchmarkContext, BenchmarkRow } from "./bench.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Files of this folder that are tools or programs, not benchmarks. */
const TOOLS = /^(run|bench|measure|built|native-sessions|step-profile|make-.*|.*-program)\.ts$/;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      peers: { type: "string" },
      "peer-scripts": { type: "string" },
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      profile: { type: "boolean", default: false },
      keep: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log("pnpm bench [filter...] [--json FILE] [--peers DIR] [--peer-scripts DIR] [--quick] [--runs N] [--profile] [--keep DIR]");
    return;
  }
  const python = await findPython(values.peers);
  const peerScripts = findScripts(values["peer-scripts"]);
  const filters = positionals.length === 0 && values.profile ? ["engine-step"] : positionals;
  const chosen = (await findBenchmarks()).filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
  const rows: BenchmarkRow[] = [];
  const failures: { name: string; error: string }[] = [];
  for (const benchmark of chosen) {
    const scratch = await scratchOf(benchmark.name, values.keep);
    const context: BenchmarkContext = {
      python,
      peerScripts,
      quick: values.quick,
      profile: values.profile,
      runs: values.runs === undefined ? null : Number(values.runs),
      scratch,
      log: (text) => console.error(`${benchmark.name}: ${text}`),
    };
    try {
      for (const row of await benchmark.run(context)) {
        rows.push(row);
        console.error(lineOf(row));
      }
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failures.push({ name: benchmark.name, error: text });
      console.error(`${benchmark.name} failed: ${text}`);
    } finally {
      if (values.keep === undefined) await rm(scratch, { recursive: true, force: true });
    }
  }
  printTable(rows);
  if (values.json !== undefined) {
    const report = { date: new Date().toISOString(), machine: machine(), quick: values.quick, rows, failures };
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
}

/** A new folder, or one that is kept. */
async function scratchOf(name: string, keep: string | undefined): Promise<string> {
  if (keep === undefined) return mkdtemp(join(tmpdir(), "geolearn-bench-"));
  const folder = resolve(keep, name);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Every file here that exports `benchmarks`. */
async function findBenchmarks(): Promise<Benchmark[]> {
  const found: Benchmark[] = [];
  for (const file of (await readdir(here)).sort()) {
    if (!file.endsWith(".ts") || TOOLS.test(file)) continue;
    const module = (await import(new URL(file, import.meta.url).href)) as { benchmarks?: readonly Benchmark[] };
    found.push(...(module.benchmarks ?? []));
  }
  return found;
}

/** The interpreter of the peers: the one named, else `GEOLEARN_PEERS`, else the environment beside the project, else none. */
async function findPython(named: string | undefined): Promise<string | null> {
  const candidates = [named, process.env["GEOLEARN_PEERS"], join(here, "../../.venv-peers")].filter((path) => path !== undefined);
  for (const path of candidates.map((candidate) => resolve(candidate))) {
    const isFolder = (await stat(path).catch(() => null))?.isDirectory() ?? false;
    const python = isFolder ? join(path, process.platform === "win32" ? "Scripts/python.exe" : "bin/python") : path;
    if (existsSync(python)) return python;
    if (path === resolve(named ?? "")) throw new Error(`There is no Python interpreter at ${python}.`);
  }
  console.error("No Python environment of the peers was found: rows will have no peer (name one with --peers).");
  return null;
}

function findScripts(named: string | undefined): string | null {
  const folder = resolve(named ?? join(here, "../../shared/bench"));
  return existsSync(folder) ? folder : null;
}

function machine(): string {
  const processors = cpus();
  return `${processors.length} x ${processors[0]?.model.trim() ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;
}

function figure(value: number | null): string {
  if (value === null) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}

function cellsOf(row: BenchmarkRow): string[] {
  const bound = row.atMost !== undefined ? `<= ${row.atMost}` : row.atLeast !== undefined ? `>= ${row.atLeast}` : "";
  const verdict = row.holds === null ? "" : row.holds ? "holds" : "MISSED";
  const peer = row.peerName === null ? "-" : `${figure(row.peer)} ${row.peerName}`;
  return [row.name, figure(row.ours), row.unit, peer, figure(row.ratio), bound, verdict, String(row.runs)];
}

function lineOf(row: BenchmarkRow): string {
  return cellsOf(row)
    .filter((cell) => cell !== "")
    .join("  ");
}

function printTable(rows: readonly BenchmarkRow[]): void {
  const table = [["benchmark", "ours", "unit", "peer", "ratio", "bound", "", "runs"], ...rows.map(cellsOf)];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((cells) => cells[i]!.length)));
  for (const cells of table)
    console.log(
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    );
}

await main();
