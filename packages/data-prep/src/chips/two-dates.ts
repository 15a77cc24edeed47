/** Chips of two dates: a folder with images2/ beside images/, as ArcGIS writes it for an additional input raster. */

import { GeoLearnError } from "@geolearn/core";

import { type ChipImage, toShared } from "./chip.ts";
import type { FolderContent } from "./folder-content.ts";
import type { FileSamples, FolderChip } from "./folder-source.ts";

const EARLIER = /^images(?=[\\/])/;
/** Folder of the images of the later date. */
export const LATER_IMAGES = "images2";

/** The chips with their images of the later date, where the folder has such. @throws CHIPS_CORRUPT for a chip outside images/ */
export function withLaterDates(
  { folder, found }: Pick<FolderContent, "folder" | "found">,
  chips: readonly FolderChip[],
): readonly FolderChip[] {
  if (!found.includes(LATER_IMAGES)) return chips;
  return chips.map((chip) => {
    if (EARLIER.test(chip.image)) return { ...chip, later: chip.image.replace(EARLIER, LATER_IMAGES) };
    throw new GeoLearnError("CHIPS_CORRUPT", `${folder} holds ${LATER_IMAGES}/, but the chip ${chip.image} does not lie in images/.`, {
      hint: `Put the chips of the earlier date into images/, or remove ${LATER_IMAGES}/.`,
      data: { folder },
    });
  });
}

/**
 * The bands of both dates one after another; a pixel is valid where it is in both. Missing samples of the later date get the earlier one's nodata value, or make
 * the pixel invalid where that has none.
 *
 * @throws CHIPS_MISMATCH when the two differ in size, bands or kind of numbers
 */
export function bothDates(earlier: ChipImage, later: FileSamples, [path, laterPath]: readonly string[]): ChipImage {
  const what = (c: Pick<ChipImage, "width" | "height" | "bands" | "sampleType">): string =>
    `${c.width} x ${c.height} pixels, ${c.bands} bands of ${c.sampleType}`;
  if (what(earlier) !== what(later)) {
    throw new GeoLearnError("CHIPS_MISMATCH", `${path} has ${what(earlier)}; ${laterPath} has ${what(later)}.`, {
      hint: "Both dates of a chip need the same size, bands and kind of numbers.",
      data: { image: path!, later: laterPath! },
    });
  }
  const area = earlier.width * earlier.height;
  const { length } = earlier.image;
  const image = toShared(earlier.sampleType, twice(earlier, later));
  let mask = earlier.mask === null && later.mask === null ? null : new Uint8Array(new SharedArrayBuffer(area)).fill(1);
  for (const one of [earlier.mask, later.mask]) one?.forEach((valid, i) => void (valid === 0 && (mask![i] = 0)));
  if (later.nodata !== null && later.nodata !== earlier.nodata) {
    for (let i = 0; i < length; i++) {
      if (later.data[i] !== later.nodata) continue;
      if (earlier.nodata !== null) image[length + i] = earlier.nodata;
      else (mask ??= new Uint8Array(new SharedArrayBuffer(area)).fill(1))[i % area] = 0;
    }
  }
  return { ...earlier, image, mask, bands: 2 * earlier.bands };
}

function twice(earlier: ChipImage, later: FileSamples): FileSamples["data"] {
  const Constructor = later.data.constructor as new (length: number) => FileSamples["data"];
  const both = new Constructor(2 * later.data.length);
  both.set(earlier.image);
  both.set(later.data, later.data.length);
  return both;
}
