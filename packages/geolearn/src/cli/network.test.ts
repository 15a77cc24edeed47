/** Rasters at addresses: refused unless allowed, then read by every command that opens rasters. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRaster, parseCrs } from "@geolearn/core";
import { type InferenceFunction, classifyPixels } from "@geolearn/inference";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-network-"));
let server: Server;
let address: string;

beforeAll(async () => {
  for (const name of ["image.tif", "classes.tif"]) {
    const path = join(folder, name);
    const writer = await createRaster(path, {
      width: 64,
      height: 32,
      bands: 1,
      sampleType: "uint8",
      transform: [2, 0, 500_000, 0, -2, 5_000_000],
      crs: parseCrs(32633),
    });
    await writer.appendRows(
      Uint8Array.from({ length: 2048 }, (_, i) => (name === "image.tif" ? i % 251 : i % 64 < 20 ? 7 : 0)),
      32,
    );
    await writer.close();
  }
  server = createServer((request, response) => {
    const file = readFileSync(join(folder, new URL(request.url!, "http://x").pathname));
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "")!.map(Number) as [number, number, number];
    const part = file.subarray(from, to + 1);
    response.writeHead(206, { "content-range": `bytes ${from}-${from + part.length - 1}/${file.length}` }).end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

test("nothing is asked for unless it is allowed, and private hosts only by name", async () => {
  const refused = await runText("info", `${address}/image.tif`);
  expect([refused.status, refused.out]).toEqual([1, ""]);
  expect(refused.err).toMatch(/NETWORK_NOT_ALLOWED[^]*--network/);
  expect((await runText("info", `${address}/image.tif`, "--network", "any")).err).toMatch(/NETWORK_NOT_ALLOWED.*private/);
  expect((await runText("info", `${address}/image.tif`, "--network", "example.org")).err).toMatch(/NETWORK_NOT_ALLOWED.*not among/);
});

test("every command that opens rasters reads them from there", async () => {
  const allowed = ["--network", "127.0.0.1", "--json"];
  const info = await runText("info", `${address}/image.tif`, ...allowed);
  expect(JSON.parse(info.out)).toMatchObject({ kind: "raster", width: 64, crs: { epsg: 32633 } });

  const outlined = await runText(
    "to-polygons",
    "--raster",
    `${address}/classes.tif`,
    "--out",
    join(folder, "outlines.geojsonl"),
    ...allowed,
  );
  expect(JSON.parse(outlined.out)).toMatchObject({ count: 2 });

  const judged = await runText("accuracy", "--predicted", `${address}/classes.tif`, "--truth", `${address}/classes.tif?v=1`, ...allowed);
  expect(JSON.parse(judged.out)).toMatchObject({ pixelAccuracy: 1 });

  const scene = ["--raster", `${address}/image.tif`, "--labels", `${address}/classes.tif?v=1`];
  const exported = await runText("export-training-data", ...scene, "--out", join(folder, "chips"), "--chip-size", "16", ...allowed);
  expect(JSON.parse(exported.out)).toMatchObject({ sampleType: "uint8", classes: [{ value: 7 }] });

  const checked = await runText("check", ...scene, "--chip-size", "16", ...allowed);
  expect(JSON.parse(checked.out)).toMatchObject({ chips: 8 });
});

test("so does a classification", async () => {
  const copy: InferenceFunction = {
    name: "copy",
    parameters: () => [],
    configure: async () => ({
      bands: [0],
      tileWidth: 32,
      tileHeight: 32,
      padding: 0,
      batchSize: 1,
      output: "values",
      outputBands: 1,
      outputType: "uint8",
      classes: null,
    }),
    process: async ({ pixels }) => pixels,
    dispose: async () => undefined,
  };
  await expect(classifyPixels(copy, `${address}/image.tif`)).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
  const map = await classifyPixels(copy, `${address}/image.tif`, { network: { allowPrivate: true } });
  const raster = await map.open();
  expect([...(await raster.read()).data].every((value, i) => value === i % 251)).toBe(true);
  await raster.close();
  await map.dispose();
});
