/** Training and export stopped by Ctrl-C or killed from outside, by the command line: what is left, and that the same command goes on. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exportTrainingData, writeSampleTown } from "geolearn";
import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "geolearn-stop-"));
const at = (...names: string[]): string => join(scratch, ...names);

beforeAll(async () => {
  const { raster, labels } = await writeSampleTown(at("town"), { width: 640, height: 640 });
  await exportTrainingData({ raster, labels, out: at("chips"), chipSize: 64, stride: 64, workers: 0 });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface End {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command; `stop` gets the process and is called once when `when` holds. */
function geolearn(args: readonly string[], when: () => boolean = () => false, stop?: (child: ChildProcess) => void): Promise<End> {
  const entry = join(root, "packages/geolearn/src/cli/main.ts");
  const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", entry, ...args, "--json"], { cwd: root });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on("data", (chunk: Buffer) => (err += String(chunk)));
  const timer = setInterval(() => {
    if (!when()) return;
    clearInterval(timer);
    stop?.(child);
  }, 5);
  return new Promise((done) => {
    child.on("close", (status) => {
      clearInterval(timer);
      done({ status, out, err });
    });
  });
}

const training = (out: string): string[] => [
  ...["train", "--data", at("chips"), "--out", out, "--base", "4", "--depth", "2", "--epochs", "6", "--lr", "0.01"],
  ...["--batch-size", "4", "--augment", "rotate=10,noise=0.02", "--seed", "5", "--threads", "1"],
];

async function weightsOf(path: string): Promise<string> {
  const { weights } = await readModelPackage(path);
  const hash = createHash("sha256");
  for (const [name, { data }] of weights) hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

test("training that was interrupted, then killed, ends with the same weights to the bit", { timeout: 300_000 }, async () => {
  expect(await geolearn(training(at("whole.dlpk")))).toMatchObject({ status: 0 });
  const out = at("stopped.dlpk");
  const state = `${out}.checkpoint/checkpoint.safetensors`;

  // Ctrl-C after the first epoch
  const interrupted = await geolearn(
    training(out),
    () => existsSync(state),
    (child) => child.kill("SIGINT"),
  );
  expect(interrupted).toMatchObject({ status: 130, out: "" });
  expect(interrupted.err).toContain(`the state of the run is kept in ${out}.checkpoint`);
  expect(existsSync(out)).toBe(false);
  const before = readFileSync(state);

  // killed after the next checkpoint
  const killed = await geolearn(
    [...training(out), "--resume"],
    () => !readFileSync(state).equals(before),
    (child) => child.kill("SIGKILL"),
  );
  expect(killed).toMatchObject({ status: null, out: "" });

  // other options are told before anything is lost
  const other = await geolearn([...training(out), "--resume", "--clip-norm", "1"]);
  expect(other.status).toBe(1);
  expect(other.err).toContain("clipNorm");

  const ended = await geolearn([...training(out), "--resume"]);
  expect(ended.status).toBe(0);
  expect((JSON.parse(ended.out) as { epochs: unknown[] }).epochs).toHaveLength(6);
  expect(await weightsOf(out)).toBe(await weightsOf(at("whole.dlpk")));
  expect(existsSync(`${out}.checkpoint`)).toBe(false);
});

test("an export that was interrupted says so, and the same command ends with the same bytes", { timeout: 300_000 }, async () => {
  const [raster, labels] = [
    at("town", "town.tif"),
    at(
      "town",
      readdirSync(at("town")).find((name) => /geojson|gpkg/.test(name))!,
    ),
  ];
  const exporting = (out: string): string[] => [
    ...["export-training-data", "--raster", raster, "--labels", labels, "--out", out],
    ...["--chip-size", "32", "--stride", "8", "--all-tiles", "--workers", "1"],
  ];
  const chips = (folder: string): string[] => readdirSync(folder).sort();
  expect(await geolearn(exporting(at("all")))).toMatchObject({ status: 0 });
  const out = at("some");
  const interrupted = await geolearn(
    exporting(out),
    () => existsSync(join(out, "images", "000000100.tif")),
    (child) => child.kill("SIGINT"),
  );
  expect(interrupted).toMatchObject({ status: 130, out: "" });
  expect(existsSync(join(out, "esri_model_definition.emd"))).toBe(false);
  expect(readdirSync(join(out, "images")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  const ended = await geolearn(exporting(out));
  expect(JSON.parse(ended.out)).toMatchObject({ resumed: true });
  for (const folder of ["", "images", "labels"]) expect(chips(join(out, folder))).toEqual(chips(at("all", folder)));
  for (const name of chips(at("all", "labels"))) {
    for (const folder of ["images", "labels"]) {
      expect(readFileSync(join(out, folder, name)).equals(readFileSync(at("all", folder, name))), name).toBe(true);
    }
  }
});
