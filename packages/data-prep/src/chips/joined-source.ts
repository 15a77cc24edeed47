/** Several chip folders as one. */

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";

import type { ChipImage, ChipSource } from "./chip.ts";

/**
 * Joins sources of one chip size and one kind of raster; names already differ by folder.
 *
 * @throws CHIPS_MISMATCH for other sizes, bands or class names
 */
export function joinSources<C extends ChipImage>(sources: readonly ChipSource<C>[]): ChipSource<C> {
  const first = sources[0]!;
  for (const source of sources) {
    const what = ({ width, height, bands, sampleType }: ChipSource<C>): string =>
      `${width} x ${height} pixels, ${bands} bands of ${sampleType}`;
    if (what(source) === what(first)) continue;
    throw new GeoLearnError("CHIPS_MISMATCH", `${source.name} has chips of ${what(source)}; ${first.name} of ${what(first)}.`, {
      hint: "Folders of one training must be exported alike.",
      data: { folder: source.name },
    });
  }
  const entries = sources.flatMap((source) => source.chips.map((entry, index) => ({ entry, source, index })));
  entries.sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
  return {
    name: sources.map(({ name }) => name).join(", "),
    width: first.width,
    height: first.height,
    bands: first.bands,
    bandNames: first.bandNames,
    ...(first.dates === undefined ? {} : { dates: first.dates }),
    sampleType: first.sampleType,
    classes: joinClasses(sources),
    chips: entries.map(({ entry }) => entry),
    folder: first.folder,
    unpaired: sources.reduce((sum, { unpaired = 0 }) => sum + unpaired, 0),
    read: (index, signal) => entries[index]!.source.read(entries[index]!.index, signal),
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}

function joinClasses(sources: readonly Pick<ChipSource, "classes" | "name">[]): ClassDefinition[] {
  const all = new Map<number, ClassDefinition>();
  for (const { classes, name } of sources) {
    for (const entry of classes) {
      const known = all.get(entry.value);
      if (known !== undefined && known.name !== entry.name) {
        throw new GeoLearnError(
          "CHIPS_MISMATCH",
          `${name} calls class ${entry.value} "${entry.name}"; another folder calls it "${known.name}".`,
          {
            hint: "Give the same names with `classMapping`, or edit the .emd.",
            data: { value: entry.value },
          },
        );
      }
      if (known === undefined) all.set(entry.value, entry);
    }
  }
  return [...all.values()].sort((a, b) => a.value - b.value);
}
