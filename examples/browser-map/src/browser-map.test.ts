/** The page in Debian's Chromium, next to the same work in Node. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openRaster } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { classifyImage } from "@geolearn/inference";
import { readModelPackage } from "@geolearn/models";
import { type Browser, type Page, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { buildPage } from "./build.ts";
import { type Land, makeLand, makeModel } from "./made-up.ts";
import { serveFolder } from "./serve.ts";
import { trainSteps } from "./train.ts";

const CHROMIUM = process.env["GEOLEARN_CHROMIUM"] ?? "/usr/bin/chromium";
const ARGUMENTS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
const available = existsSync(CHROMIUM);
if (!available) process.stdout.write(`browser-map: tests are skipped, ${CHROMIUM} is missing (apt-get install chromium)\n`);

/** Where pictures of the page go, if anywhere. */
const pictures = process.env["GEOLEARN_PICTURES"];

describe.skipIf(!available)("the page in Chromium", { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "browser-map-"));
  const file = (name: string): string => join(folder, name);
  let server: Server;
  let browser: Browser;
  let page: Page;
  let land: Land;
  let model: Uint8Array;
  const complaints: string[] = [];

  beforeAll(async () => {
    await startEngine({ threads: 2 });
    model = await makeModel(40);
    land = await makeLand(300, 220, 2);
    await Promise.all([
      writeFile(file("land.dlpk"), model),
      writeFile(file("scene.tif"), land.scene),
      writeFile(file("labels.tif"), land.labels),
    ]);
    await buildPage(file("dist"));
    server = await serveFolder(file("dist"), 0);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
    page = await browser.newPage({ viewport: { width: 1280, height: 820 } });
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("requestfailed", (request) => complaints.push(`${request.url()} failed`));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await idle();
  }, 600_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? "";

  /** Waits until the page has nothing to do; a failure it shows is a failure here. */
  async function idle(): Promise<void> {
    await page.waitForFunction("!document.body.classList.contains('busy')", undefined, { timeout: 240_000 });
    if (await page.isVisible("#failure")) throw new Error(`the page says: ${await text("failure-message")} ${await text("failure-hint")}`);
  }

  async function download(button: string): Promise<Uint8Array> {
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    return new Uint8Array(await readFile(await saved.path()));
  }

  async function picture(name: string): Promise<void> {
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
  }

  test("starts the engine on WebAssembly with threads, from its own server", async () => {
    expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    expect(await text("engine")).toMatch(/^WebAssembly, \d+ threads?$/);
    const about = await page.getAttribute("#engine", "title");
    expect(about).toContain("ONNX Runtime 1.30.0");
    expect(about).toContain("webgpu:");
    expect(await page.isDisabled("#classify")).toBe(true);
    await picture("start");
  });

  test("says what is wrong with a file", async () => {
    await page.setInputFiles("#model-file", file("scene.tif"));
    await page.waitForSelector("#failure:not([hidden])");
    expect(await text("failure-message")).toContain("cannot be read as a zip archive");
    expect((await text("failure-hint")).length).toBeGreaterThan(10);
    expect(await page.isDisabled("#classify")).toBe(true);
    await picture("failure");
  });

  test("classifies a GeoTIFF exactly as Node does, and gives the map as a GeoTIFF", async () => {
    await page.setInputFiles("#model-file", file("land.dlpk"));
    await idle();
    expect(await text("model-about")).toContain("bands red, green, blue");
    await page.setInputFiles("#scene-file", file("scene.tif"));
    await idle();
    expect(await text("scene-about")).toContain("300 × 220 pixels, 3 bands of uint8, WGS 84 / UTM zone 33N");
    await page.fill("#overlap", "32");
    await page.click("#classify");
    await idle();
    const bytes = await download("#save-map");
    await idle();

    const expected = await classifyImage(await readModelPackage(model), land.scene, { overlap: 32, workers: 1 });
    const map = await openRaster(bytes);
    expect((await map.read()).data).toEqual(expected.data);
    expect(new Set(expected.data).size).toBe(3);
    const scene = await openRaster(land.scene);
    expect([map.transform, map.crs?.proj]).toEqual([scene.transform, scene.crs?.proj]);
    expect([...map.classNames!.values()]).toEqual(["field", "building", "water"]);

    const truth = (await (await openRaster(land.labels)).read()).data;
    const right = Array.from(truth).filter((value, i) => value === expected.data[i]).length;
    expect(right / truth.length).toBeGreaterThan(0.9);

    const legend = await page.$$eval("#legend li", (rows) => rows.map((row) => row.textContent));
    const total = expected.data.length;
    const shares = [0, 3, 9].map(
      (value) => `${((100 * expected.pixels.get(value)!) / total).toLocaleString("en", { maximumFractionDigits: 1 })} %`,
    );
    expect(legend).toEqual([`field${shares[0]}`, `building${shares[1]}`, `water${shares[2]}`]);
    await picture("map");
  });

  test("draws every class in its colour, and tells what is under the pointer", async () => {
    await page.fill("#opacity", "100");
    const { data } = await classifyImage(await readModelPackage(model), land.scene, { overlap: 32, workers: 1 });
    const canvas = (await (await page.$("#map"))!.boundingBox())!;
    const scale = Math.min(canvas.width / 300, canvas.height / 220) * 0.96;
    for (const [value, name, color] of [
      [0, "field", [104, 159, 56]],
      [3, "building", [211, 84, 60]],
      [9, "water", [66, 133, 204]],
    ] as const) {
      // A pixel well inside its class: all neighbours are alike.
      const at = data.findIndex(
        (_, i) => i > 1500 && [-1, 0, 1].every((dy) => [-1, 0, 1].every((dx) => data[i + dy * 300 + dx] === value)),
      );
      const [x, y] = [(canvas.width - 300 * scale) / 2 + ((at % 300) + 0.5) * scale, (canvas.height - 220 * scale) / 2 + (Math.floor(at / 300) + 0.5) * scale]; // prettier-ignore
      const drawn = await page.evaluate(
        `[...document.getElementById("map").getContext("2d").getImageData(${Math.round(x)} * devicePixelRatio, ${Math.round(y)} * devicePixelRatio, 1, 1).data].slice(0, 3)`,
      );
      expect(drawn).toEqual(color);
      await page.mouse.move(canvas.x + x, canvas.y + y);
      expect(await text("position")).toContain(name);
    }
    await page.fill("#opacity", "65");
  });

  test("ten training steps end with the weights that Node ends with", async () => {
    await page.click("summary");
    await page.setInputFiles("#label-file", file("labels.tif"));
    await page.click("#train");
    await idle();
    const inPage = await readModelPackage(await download("#save-model"));
    await idle();
    const { losses, weights } = await trainSteps(
      await readModelPackage(model),
      await openRaster(land.scene),
      await openRaster(land.labels),
      {
        ...{ steps: 10, learningRate: 3e-4 },
      },
    );
    expect(await text("train-about")).toContain(`Loss ${losses[0]!.toFixed(3)} → ${losses[9]!.toFixed(3)}`);
    expect([...inPage.weights.keys()]).toEqual([...weights.keys()]);
    const before = (await readModelPackage(model)).weights;
    let [moved, worst] = [0, 0];
    for (const [name, { data }] of weights) {
      const [there, start] = [inPage.weights.get(name)!.data, before.get(name)!.data];
      data.forEach((value, i) => {
        moved = Math.max(moved, Math.abs(value - start[i]!));
        worst = Math.max(worst, Math.abs(value - there[i]!) / Math.max(1, Math.abs(value)));
      });
    }
    // Ten steps of 3e-4 move weights by up to 3e-3; the order of sums is all that differs between the two.
    expect(moved).toBeGreaterThan(1e-3);
    expect(worst).toBeLessThan(1e-3);
    await page.click("#classify");
    await idle();
    await picture("trained");
  });

  test("nothing was loaded from elsewhere and nothing complained", () => {
    expect(complaints).toEqual([]);
  });
});
