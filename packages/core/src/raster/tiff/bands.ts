/** Names and meanings of the bands of a TIFF. */

import type { BandInfo } from "../raster.ts";
import type { GdalItem } from "./gdal-metadata.ts";
import type { TiffImage } from "./image.ts";

type Interpretation = BandInfo["interpretation"];

const gdalNames: Readonly<Record<string, Interpretation>> = {
  gray: "gray",
  grey: "gray",
  palette: "palette",
  red: "red",
  green: "green",
  blue: "blue",
  alpha: "alpha",
  nir: "nir",
  undefined: "undefined",
};

/** What the photometric tag, the extra samples and GDAL's metadata say about the bands. */
export function describeBands(
  image: TiffImage,
  metadata: readonly GdalItem[],
): { bandInfo: readonly BandInfo[]; alphaBand: number | null } {
  const interpretations = byPhotometric(image);
  const names: string[] = [];
  for (const { band, role, name, value } of metadata) {
    if (band === null || !(band >= 0 && band < image.bands)) continue;
    if (role === "colorinterp") interpretations[band] = gdalNames[value.trim().toLowerCase()] ?? "undefined";
    if (role === "description" || (role === null && name === "DESCRIPTION")) names[band] = value;
  }
  const bandInfo = interpretations.map((interpretation, i) => ({ name: names[i] ?? `band ${i + 1}`, interpretation }));
  const alpha = interpretations.indexOf("alpha");
  return { bandInfo, alphaBand: alpha < 0 ? null : alpha };
}

function byPhotometric({ bands, photometric, extraSamples, block }: TiffImage): Interpretation[] {
  const rgb = photometric === 2 || photometric === 6;
  const first: readonly Interpretation[] = rgb
    ? ["red", "green", "blue"]
    : [photometric === 3 || (block.bits === 1 && bands === 1) ? "palette" : "gray"];
  const colors = Math.max(bands - extraSamples.length, 0);
  return Array.from({ length: bands }, (_, i): Interpretation => {
    const extra = extraSamples[i - colors];
    if (i >= colors && (extra === 1 || extra === 2)) return "alpha";
    return first[i] ?? "undefined";
  });
}
