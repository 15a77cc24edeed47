/** The kinds of batches, and how each is assembled. */

import { type AssembledBatch, assembleBatch, type AssembleRequest, type AssembleSetup, type LabelledPixels } from "./assemble.ts";
import { type AssembledTiles, assembleTiles, type TilePixels, type TileSetup } from "./assemble-tiles.ts";
import { type AssembledObjects, assembleObjects, type ObjectPixels, type ObjectSetup } from "./assemble-objects.ts";

/** What goes in and comes out per kind. */
export interface Assembling {
  readonly pixels: { readonly setup: AssembleSetup; readonly chip: LabelledPixels; readonly batch: AssembledBatch };
  readonly objects: { readonly setup: ObjectSetup; readonly chip: ObjectPixels; readonly batch: AssembledObjects };
  readonly tiles: { readonly setup: TileSetup; readonly chip: TilePixels; readonly batch: AssembledTiles };
}

type Assemble<K extends keyof Assembling> = (
  setup: Assembling[K]["setup"],
  request: AssembleRequest<Assembling[K]["chip"]>,
) => Assembling[K]["batch"];

const ASSEMBLERS: { readonly [K in keyof Assembling]: Assemble<K> } = {
  pixels: assembleBatch,
  objects: assembleObjects,
  tiles: assembleTiles,
};

/** Assembles a batch of the kind of its setup. */
export function assemble<K extends keyof Assembling>(
  setup: Assembling[K]["setup"],
  request: AssembleRequest<Assembling[K]["chip"]>,
): Assembling[K]["batch"] {
  return ASSEMBLERS[setup.kind as K](setup, request);
}
