/** Search in the index of a FlatGeobuf, read from the file node by node. */

import type { Bounds } from "../../affine.ts";
import { corrupt } from "../damage.ts";
import type { RandomSource } from "../random-source.ts";
import type { FlatGeobufHeader } from "./header-reader.ts";
import { NODE_BYTES, treeLevels } from "./tree-layout.ts";

/** A feature that was found. */
export interface Hit {
  /** Number of the feature. */
  readonly index: number;
  /** Where its bytes begin, counted from the first feature. */
  readonly offset: number;
}

/**
 * The features whose boxes meet `bounds`, in the order of the file. A node's children are where the layout says; what the
 * node itself says of them must agree, so no damage can lead in a circle.
 *
 * @throws FEATURES_CORRUPT
 */
export async function searchTree(source: RandomSource, { count, nodeSize, indexAt }: FlatGeobufHeader, bounds: Bounds): Promise<Hit[]> {
  const levels = treeLevels(count!, nodeSize);
  const hits: Hit[] = [];
  let parents = [0];
  for (const [depth, { first, count: width }] of levels.entries()) {
    const children: number[] = [];
    const leaves = depth === levels.length - 1;
    const below = levels[depth + 1];
    for (const start of parents) {
      const length = depth === 0 ? 1 : Math.min(nodeSize, width - start);
      const view = await readNodes(source, indexAt + (first + start) * NODE_BYTES, length);
      for (let i = 0; i < length; i += 1) {
        const at = i * NODE_BYTES;
        if (!meets(view, at, bounds)) continue;
        const target = Number(view.getBigUint64(at + 32, true));
        if (leaves) {
          hits.push({ index: start + i, offset: target });
          continue;
        }
        const child = (start + i) * nodeSize;
        if (target !== below!.first + child) throw corrupt(source.name, `node ${first + start + i} of its index leads to ${target}`);
        children.push(child);
      }
    }
    parents = children;
  }
  return hits.sort((a, b) => a.offset - b.offset);
}

async function readNodes(source: RandomSource, at: number, count: number): Promise<DataView> {
  const bytes = await source.read(at, count * NODE_BYTES);
  if (bytes.length < count * NODE_BYTES) throw corrupt(source.name, "it ends within its index");
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function meets(view: DataView, at: number, [xmin, ymin, xmax, ymax]: Bounds): boolean {
  return (
    view.getFloat64(at, true) <= xmax &&
    view.getFloat64(at + 8, true) <= ymax &&
    view.getFloat64(at + 16, true) >= xmin &&
    view.getFloat64(at + 24, true) >= ymin
  );
}
