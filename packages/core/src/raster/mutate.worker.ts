/** For the tests: opens damaged copies of a file and tells how each ended. */

import { GeoLearnError } from "../errors.ts";
import { createRng } from "../rng.ts";
import { serveRequests } from "../workers/serve.ts";
import { openRaster } from "./open-raster.ts";

/** Copies to make of a file. */
export interface MutationRequest {
  readonly bytes: Uint8Array;
  readonly seed: number;
  readonly count: number;
}

/** How they ended. */
export interface MutationReply {
  /** Read without complaint. */
  readonly read: number;
  /** Refused with a typed error that has a hint. */
  readonly refused: number;
  /** Anything else, with the number of the copy. */
  readonly wrong: readonly string[];
}

serveRequests(async ({ bytes, seed, count }: MutationRequest): Promise<{ reply: MutationReply }> => {
  const rng = createRng(seed);
  const wrong: string[] = [];
  let [read, refused] = [0, 0];
  for (let i = 0; i < count; i++) {
    const copy = mutate(bytes, () => rng.next());
    const outcome = await attempt(copy);
    if (outcome === null) read++;
    else if (GeoLearnError.is(outcome) && outcome.hint !== undefined) refused++;
    else
      wrong.push(
        `${i}: ${outcome instanceof Error ? (outcome.stack ?? outcome.message) : `a bare ${typeof outcome}: ${JSON.stringify(outcome)}`}`,
      );
  }
  return { reply: { read, refused, wrong } };
});

async function attempt(bytes: Uint8Array): Promise<unknown> {
  try {
    const raster = await openRaster(bytes, { deadline: 5000 });
    await raster.read({ col: 0, row: 0, width: Math.min(raster.width, 256), height: Math.min(raster.height, 256) }, { bands: [0] });
    await raster.close();
    return null;
  } catch (error) {
    return error;
  }
}

/** One of: a flipped bit, a set byte, a cut, a piece moved elsewhere, a changed length; mostly in the header. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice();
  const integer = (limit: number): number => Math.floor(random() * limit);
  const at = (): number => (random() < 0.7 ? integer(Math.min(copy.length, 1024)) : integer(copy.length));
  const kind = integer(6);
  if (kind === 0) return copy.slice(0, integer(copy.length));
  if (kind === 1) {
    const length = integer(16) + 1;
    copy.copyWithin(at(), at(), Math.min(copy.length, at() + length));
    return copy;
  }
  if (kind === 2) {
    const position = at();
    for (let i = 0; i < 4 && position + i < copy.length; i++) copy[position + i] = integer(256);
    return copy;
  }
  const times = kind === 3 ? 1 : integer(6) + 1;
  for (let i = 0; i < times; i++) {
    const position = at();
    copy[position] = kind === 5 ? [0, 1, 127, 128, 255][integer(5)]! : copy[position]! ^ (1 << integer(8));
  }
  return copy;
}
