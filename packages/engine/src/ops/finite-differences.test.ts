/** Gradients against differences of plain loops in float64, on random shapes. */

import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { createRng, type Rng } from "@geolearn/core";
import { avgPool, batchNorm, conv2d, maxPool, resizeBilinear, startEngine, upsampleNearest } from "../index.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

type Shape = readonly [number, number, number, number];
type Loops = (inputs: readonly Float64Array[]) => Float64Array;

const at = ([, h, w, c]: Shape, n: number, y: number, x: number, k: number): number => ((n * h + y) * w + x) * c + k;
const size = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);
const normals = (rng: Rng, count: number): Float64Array => Float64Array.from({ length: count }, () => Math.fround(rng.normal()));
const sides = (rng: Rng): Shape => [1 + rng.int(3), 4 + rng.int(7), 4 + rng.int(7), 1 + rng.int(5)];

/**
 * Compares the slope of `sum(f(inputs) * c)` along a random direction, by central differences of the loops, with the engine's
 * gradient.
 */
async function checkSlope(
  rng: Rng,
  shapes: readonly (readonly number[])[],
  loops: Loops,
  op: (inputs: tf.Tensor[]) => tf.Tensor,
  label: string,
): Promise<void> {
  const inputs = shapes.map((shape) => normals(rng, size(shape)));
  const tensors = inputs.map((values, i) => tf.tensor(Float32Array.from(values), shapes[i]!.slice()));
  const output = op(tensors);
  const exact = loops(inputs);
  const got = await output.data();
  expect(got.length, label).toBe(exact.length);
  exact.forEach((v, i) => expect(Math.abs(got[i]! - v), label).toBeLessThan(1e-5 * Math.max(1, Math.abs(v))));
  const cotangent = normals(rng, exact.length);
  const gradients = tf.grads((...given: tf.Tensor[]) => op(given))(tensors, tf.tensor(Float32Array.from(cotangent), output.shape));
  for (const [i, gradient] of gradients.entries()) {
    const direction = normals(rng, inputs[i]!.length);
    const value = (h: number): number => {
      const moved = inputs.map((values, j) => (i === j ? values.map((v, k) => v + h * direction[k]!) : values));
      return loops(moved).reduce((sum, v, k) => sum + v * cotangent[k]!, 0);
    };
    const h = 1e-6;
    const slope = (value(h) - value(-h)) / (2 * h);
    const g = await gradient.data();
    const along = direction.reduce((sum, d, k) => sum + d * g[k]!, 0);
    const scale = Math.sqrt(direction.reduce((sum, d, k) => sum + (d * g[k]!) ** 2, 0)) + 1;
    expect(Math.abs(along - slope) / scale, `${label}, gradient ${i}`).toBeLessThan(2e-5);
  }
}

describe("directional derivatives", () => {
  test("conv2d, random geometry", async () => {
    const rng = createRng(3);
    for (let round = 0; round < 12; round++) {
      const [n, h, w, ci] = sides(rng);
      const [kh, kw, co] = [1 + rng.int(4), 1 + rng.int(4), 1 + rng.int(6)];
      const [sh, sw, dh, dw] = [1 + rng.int(3), 1 + rng.int(3), 1 + rng.int(2), 1 + rng.int(2)];
      const pad: [number, number, number, number] = [rng.int(4), rng.int(4), rng.int(4), rng.int(4)];
      const oh = Math.floor((h + pad[0] + pad[2] - (kh - 1) * dh - 1) / sh) + 1;
      const ow = Math.floor((w + pad[1] + pad[3] - (kw - 1) * dw - 1) / sw) + 1;
      if (oh < 1 || ow < 1) continue;
      const loops: Loops = ([x, f]) => {
        const y = new Float64Array(n * oh * ow * co);
        let k = 0;
        for (let b = 0; b < n; b++)
          for (let i = 0; i < oh; i++)
            for (let j = 0; j < ow; j++)
              for (let o = 0; o < co; o++, k++)
                for (let p = 0; p < kh; p++)
                  for (let q = 0; q < kw; q++) {
                    const [yy, xx] = [i * sh + p * dh - pad[0], j * sw + q * dw - pad[1]];
                    if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue;
                    for (let c = 0; c < ci; c++) y[k]! += x![at([n, h, w, ci], b, yy, xx, c)]! * f![((p * kw + q) * ci + c) * co + o]!;
                  }
        return y;
      };
      const op = ([x, f]: tf.Tensor[]): tf.Tensor =>
        conv2d(x as tf.Tensor4D, f as tf.Tensor4D, { strides: [sh, sw], dilations: [dh, dw], pad });
      const label = `${[n, h, w, ci].join("x")}, kernel ${kh}x${kw}x${co}, strides ${sh},${sw}, dilations ${dh},${dw}, pad ${pad.join()}`;
      await checkSlope(rng, [[n, h, w, ci], [kh, kw, ci, co]], loops, op, label); // prettier-ignore
    }
  });

  test("blocked convolutions: channels in multiples of a block", async () => {
    const rng = createRng(4);
    for (const [n, h, w, ci, co] of [
      [2, 9, 11, 16, 16],
      [1, 8, 12, 32, 16],
      [3, 10, 8, 3, 16],
      [2, 9, 8, 16, 48],
    ] as const) {
      const loops: Loops = ([x, f]) => {
        const y = new Float64Array(n * h * w * co);
        for (let b = 0; b < n; b++)
          for (let i = 0; i < h; i++)
            for (let j = 0; j < w; j++)
              for (let p = 0; p < 3; p++)
                for (let q = 0; q < 3; q++) {
                  const [yy, xx] = [i + p - 1, j + q - 1];
                  if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue;
                  for (let c = 0; c < ci; c++) {
                    const v = x![at([n, h, w, ci], b, yy, xx, c)]!;
                    const from = ((p * 3 + q) * ci + c) * co;
                    const to = at([n, h, w, co], b, i, j, 0);
                    for (let o = 0; o < co; o++) y[to + o]! += v * f![from + o]!;
                  }
                }
        return y;
      };
      const op = ([x, f]: tf.Tensor[]): tf.Tensor => conv2d(x as tf.Tensor4D, f as tf.Tensor4D, { pad: 1 });
      await checkSlope(rng, [[n, h, w, ci], [3, 3, ci, co]], loops, op, `${n}x${h}x${w}x${ci} to ${co}`); // prettier-ignore
    }
  });

  test("pooling, random windows", async () => {
    const rng = createRng(5);
    for (let round = 0; round < 10; round++) {
      const shape = sides(rng);
      const [n, h, w, c] = shape;
      const [k, s] = [2 + rng.int(2), 1 + rng.int(3)];
      const p = rng.int(2);
      const [oh, ow] = [Math.floor((h + 2 * p - k) / s) + 1, Math.floor((w + 2 * p - k) / s) + 1];
      const mean = round % 2 === 1;
      const loops: Loops = ([x]) => {
        const y = new Float64Array(n * oh * ow * c);
        let out = 0;
        for (let b = 0; b < n; b++)
          for (let i = 0; i < oh; i++)
            for (let j = 0; j < ow; j++)
              for (let ch = 0; ch < c; ch++, out++) {
                let [best, sum, count] = [-Infinity, 0, 0];
                for (let yy = Math.max(0, i * s - p); yy < Math.min(h, i * s - p + k); yy++)
                  for (let xx = Math.max(0, j * s - p); xx < Math.min(w, j * s - p + k); xx++) {
                    const v = x![at(shape, b, yy, xx, ch)]!;
                    best = Math.max(best, v);
                    sum += v;
                    count++;
                  }
                y[out] = mean ? sum / count : best;
              }
        return y;
      };
      const op = ([x]: tf.Tensor[]): tf.Tensor => (mean ? avgPool : maxPool)(x as tf.Tensor4D, k, { strides: s, pad: p });
      await checkSlope(rng, [shape], loops, op, `${mean ? "mean" : "max"} of ${shape.join("x")}, window ${k}, stride ${s}, pad ${p}`);
    }
  });

  test("batch norm in training", async () => {
    const rng = createRng(6);
    for (let round = 0; round < 4; round++) {
      const shape = sides(rng);
      const c = shape[3];
      const count = size(shape) / c;
      const loops: Loops = ([x, scale, offset]) => {
        const y = new Float64Array(x!.length);
        for (let k = 0; k < c; k++) {
          const channel = x!.filter((_, i) => i % c === k);
          const mean = channel.reduce((sum, v) => sum + v, 0) / count;
          const variance = channel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / count;
          for (let i = k; i < y.length; i += c) y[i] = ((x![i]! - mean) / Math.sqrt(variance + 1e-5)) * scale![k]! + offset![k]!;
        }
        return y;
      };
      const op = ([x, scale, offset]: tf.Tensor[]): tf.Tensor => {
        const [mean, variance] = [tf.variable(tf.zeros([c]), false), tf.variable(tf.ones([c]), false)];
        return batchNorm(x as tf.Tensor4D, { scale: scale!, offset: offset!, mean, variance, training: true });
      };
      await checkSlope(rng, [shape, [c], [c]], loops, op, shape.join("x"));
    }
  });

  test("resizing", async () => {
    const rng = createRng(7);
    for (let round = 0; round < 6; round++) {
      const shape = sides(rng);
      const [n, h, w, c] = shape;
      const [oh, ow] = [1 + rng.int(12), 1 + rng.int(12)];
      const clampTo = (v: number, high: number): number => Math.min(Math.max(v, 0), high);
      const loops: Loops = ([x]) => {
        const y = new Float64Array(n * oh * ow * c);
        let k = 0;
        for (let b = 0; b < n; b++)
          for (let i = 0; i < oh; i++)
            for (let j = 0; j < ow; j++)
              for (let ch = 0; ch < c; ch++, k++) {
                const [v, u] = [clampTo(((i + 0.5) * h) / oh - 0.5, h - 1), clampTo(((j + 0.5) * w) / ow - 0.5, w - 1)];
                const [top, left] = [Math.floor(v), Math.floor(u)];
                const [bottom, right] = [Math.min(top + 1, h - 1), Math.min(left + 1, w - 1)];
                const row = (r: number): number =>
                  x![at(shape, b, r, left, ch)]! * (1 - (u - left)) + x![at(shape, b, r, right, ch)]! * (u - left);
                y[k] = row(top) * (1 - (v - top)) + row(bottom) * (v - top);
              }
        return y;
      };
      await checkSlope(rng, [shape], loops, ([x]) => resizeBilinear(x as tf.Tensor4D, [oh, ow]), `${shape.join("x")} to ${oh}x${ow}`);
      const factor = 1 + rng.int(3);
      const repeated: Loops = ([x]) => {
        const out: Shape = [n, h * factor, w * factor, c];
        return Float64Array.from({ length: size(out) }, (_, i) => {
          const [b, row, column, ch] = [
            Math.floor(i / size(out.slice(1))),
            Math.floor(i / (out[2] * c)) % out[1],
            Math.floor(i / c) % out[2],
            i % c,
          ];
          return x![at(shape, b, Math.floor(row / factor), Math.floor(column / factor), ch)]!;
        });
      };
      await checkSlope(rng, [shape], repeated, ([x]) => upsampleNearest(x as tf.Tensor4D, factor), `${shape.join("x")} times ${factor}`);
    }
  });
});
