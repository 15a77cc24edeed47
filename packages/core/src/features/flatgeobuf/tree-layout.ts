/**
 * Where the nodes of a packed Hilbert R-tree stand: the root first, then level by level down to the leaves, each level
 * without gaps. The children of the k-th node of a level are those from k times the node size on in the level below.
 */

/** Bytes of a node: xmin, ymin, xmax, ymax and where it leads. */
export const NODE_BYTES = 40;

/** Nodes of one level. */
export interface TreeLevel {
  /** Number of the first, counted from the root. */
  readonly first: number;
  readonly count: number;
}

/** The levels of a tree over `items` leaves, the root first. `items` is at least 1, `nodeSize` at least 2. */
export function treeLevels(items: number, nodeSize: number): TreeLevel[] {
  const counts = [items];
  while (counts.at(-1)! > 1) counts.push(Math.ceil(counts.at(-1)! / nodeSize));
  // a single item has a root all the same
  if (items === 1) counts.push(1);
  let first = 0;
  return counts.reverse().map((count) => {
    const level = { first, count };
    first += count;
    return level;
  });
}

/** Bytes of the tree. */
export function treeBytes(items: number, nodeSize: number): number {
  const leaves = treeLevels(items, nodeSize).at(-1)!;
  return (leaves.first + leaves.count) * NODE_BYTES;
}
