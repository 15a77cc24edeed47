import { describe, expect, test } from "vitest";

import { readZip, writeZip } from "../files/zip.browser.ts";
import { encodeGeoTiff } from "./encode-geotiff.ts";
import { openRaster as openInBrowser } from "./open-raster.browser.ts";
import { openRaster } from "./open-raster.ts";

const [width, height, bands] = [70, 50, 3];
const data = Uint16Array.from({ length: width * height * bands }, (_, i) => (i * 7919) % 4000);
const scene = (): Promise<Uint8Array> =>
  encodeGeoTiff({ data, bands, width, height }, { sampleType: "uint16", transform: [10, 0, 500_000, 0, -10, 5_300_000], crs: null });

describe("rasters that a page was given", () => {
  test("a File is read by windows, as its bytes are", async () => {
    const file = new File([await scene()], "scene.tif");
    const window = { col: 5, row: 7, width: 20, height: 30 };
    const expected = await (await openRaster(await scene())).read(window);
    for (const open of [openInBrowser, openRaster]) {
      const raster = await open(file);
      expect(raster).toMatchObject({ name: "scene.tif", width, height, bands, transform: [10, 0, 500_000, 0, -10, 5_300_000] });
      expect(await raster.read(window)).toEqual(expected);
      await raster.close();
    }
  });

  test("several become a mosaic; one that is open stays as it is", async () => {
    const one = await openInBrowser(await scene());
    expect(await openInBrowser(one)).toBe(one);
    const mosaic = await openInBrowser([one, new Blob([await scene()])]);
    expect([mosaic.width, mosaic.height]).toEqual([width, height]);
  });

  test("what a browser cannot open is refused with the way to go", async () => {
    await expect(openInBrowser("scene.tif")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", hint: expect.stringContaining("File") });
    await expect(openInBrowser(new URL("https://example.com/a.tif"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(openInBrowser(new Blob(["no raster at all"]))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await expect(openInBrowser(new Blob([]))).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringContaining("empty"),
    });
    await expect(openInBrowser([])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const whole = await scene();
    const cut = new Blob([whole.subarray(0, whole.length - 100)]);
    await expect((async () => (await openInBrowser(cut)).read())()).rejects.toMatchObject({ code: "RASTER_CORRUPT" });
  });

  test("archives are read and written in memory only", async () => {
    const bytes = await writeZip(null, [{ name: "a.txt", data: "hello" }]);
    expect(new TextDecoder().decode(await (await readZip(bytes)).read("a.txt"))).toBe("hello");
    await expect(readZip("model.dlpk")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", hint: expect.stringContaining("arrayBuffer") });
    await expect(writeZip("model.dlpk", [])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
