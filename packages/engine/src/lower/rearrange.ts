/** Gradients of operations that move elements about, and symmetric padding, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

const FURTHEST = -(2 ** 31);

const natural = (name: string): Lowered => ({ name, layout: "natural" });
const single = (value: Value): Value => value.inputs[0]!;
const turned = (graph: Lowering, name: string, axis: number): string => graph.slice(name, [axis], [-1], [FURTHEST], [-1]);

interface Mirroring {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly mode: "reflect" | "symmetric";
}

const mirroringOf = (value: Value): Mirroring => value.attributes as unknown as Mirroring;

/** Axis by axis: the mirrored first elements, all, the mirrored last ones. `reflect` leaves the edge itself out of the mirror image. */
const mirrorPad: LoweringRule = (graph, value) => {
  const x = single(value);
  const { before, after, mode } = mirroringOf(value);
  const skip = mode === "reflect" ? 1 : 0;
  let name = graph.natural(x);
  x.shape.forEach((side, axis) => {
    const [low, high] = [before[axis]!, after[axis]!];
    if (low === 0 && high === 0) return;
    const parts = [name];
    if (low > 0) parts.unshift(turned(graph, graph.slice(name, [axis], [skip], [skip + low]), axis));
    if (high > 0) parts.push(turned(graph, graph.slice(name, [axis], [side - skip - high], [side - skip]), axis));
    name = graph.op("Concat", parts, { axis });
  });
  return natural(name);
};

/** What the mirror images got is added to what they are images of. */
const mirrorPadGrad: LoweringRule = (graph, value) => {
  const { before, after, mode } = mirroringOf(value);
  const skip = mode === "reflect" ? 1 : 0;
  const rank = value.shape.length;
  let name = graph.natural(single(value));
  for (let axis = rank - 1; axis >= 0; axis--) {
    const [side, low, high] = [value.shape[axis]!, before[axis]!, after[axis]!];
    if (low === 0 && high === 0) continue;
    const terms = [graph.slice(name, [axis], [low], [low + side])];
    const add = (image: string, start: number, length: number): void => {
      const around = new Array<number>(2 * rank).fill(0);
      around[axis] = start;
      around[rank + axis] = side - start - length;
      terms.push(graph.op("Pad", [turned(graph, image, axis), graph.ints(around)]));
    };
    if (low > 0) add(graph.slice(name, [axis], [0], [low]), skip, low);
    if (high > 0) add(graph.slice(name, [axis], [low + side], [low + side + high]), side - skip - high, high);
    name = graph.op("Sum", terms);
  }
  return natural(name);
};

/** Axis by axis: zeros between the elements, then around them. */
const stridedSliceGrad: LoweringRule = (graph, value) => {
  const dy = single(value);
  const { begin, strides } = value.attributes as { begin: readonly number[]; strides: readonly number[] };
  let name = graph.natural(dy);
  const now = dy.shape.slice();
  value.shape.forEach((side, axis) => {
    const step = Math.abs(strides[axis]!);
    const length = now[axis]!;
    const first = strides[axis]! > 0 ? begin[axis]! : begin[axis]! - (length - 1) * step;
    if (first === 0 && length === side && strides[axis] === 1) return;
    if (strides[axis]! < 0) name = turned(graph, name, axis);
    const inner = now.slice(axis + 1);
    if (step > 1) {
      const apart = graph.reshape(name, [...now.slice(0, axis + 1), 1, ...inner]);
      const rank = now.length + 1;
      const between = new Array<number>(2 * rank).fill(0);
      between[rank + axis + 1] = step - 1;
      const spread = graph.reshape(graph.op("Pad", [apart, graph.ints(between)]), [...now.slice(0, axis), length * step, ...inner]);
      // No zeros are needed behind the last element.
      name = graph.slice(spread, [axis], [0], [(length - 1) * step + 1]);
    }
    const span = (length - 1) * step + 1;
    const around = new Array<number>(2 * now.length).fill(0);
    around[axis] = first;
    around[now.length + axis] = side - first - span;
    if (first !== 0 || span !== side) name = graph.op("Pad", [name, graph.ints(around)]);
    now[axis] = side;
  });
  return natural(name);
};

const spaceToDepth: LoweringRule = (graph, value) => ({
  name: graph.op("SpaceToDepth", [graph.channelsFirst(single(value))], { blocksize: value.attributes["block"] as number }),
  layout: "channelsFirst",
});

const einsum: LoweringRule = (graph, value) =>
  natural(
    graph.op("Einsum", value.inputs.map((input) => graph.natural(input)), { equation: value.attributes["equation"] as string }), // prettier-ignore
  );

/** Rules of rearranging by recorded operation. */
export const rearrangeRules: Readonly<Record<string, LoweringRule>> = {
  MirrorPad: mirrorPad,
  MirrorPadGrad: mirrorPadGrad,
  StridedSliceGrad: stridedSliceGrad,
  SpaceToDepth: spaceToDepth,
  Einsum: einsum,
};
