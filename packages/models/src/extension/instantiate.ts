/** A user's network as a network like any other, held to its contract at each step. */

import { GeoLearnError } from "@geolearn/core";
import { type HostTensor, readVariable, writeVariable } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { PixelLoss } from "../losses/pixel-loss.ts";
import type { ForwardOptions, Network, NetworkOutputs, Parameter, SizedParameters } from "../network.ts";
import { checkWeights, sameShape } from "../network/check-weights.ts";
import { checkChipSize } from "../network/chip-size.ts";
import type { CreateNetworkOptions } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import { type ExtensionConfig, joinedConfig, resolveExtension } from "./config.ts";
import type { AnyModelExtension, ExtensionNetwork } from "./extension.ts";
import { hasRegularizers, isLayersModel, parametersOf } from "./parameters.ts";

/** Builds the network of a definition. @throws INVALID_ARGUMENT, MODEL_INVALID, WEIGHTS_MISMATCH */
export function instantiateExtension(
  extension: AnyModelExtension,
  config: Readonly<Record<string, unknown>>,
  { seed = 0, weights }: CreateNetworkOptions = {},
): Network {
  const resolved = resolveExtension(extension, config);
  const network = new OwnNetwork(extension, resolved, build(extension, resolved, seed));
  try {
    if (weights) network.setWeights(weights);
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function build(extension: AnyModelExtension, { own, bands, classes, normalization }: ExtensionConfig, seed: number): ExtensionNetwork {
  const normalize = (images: tf.Tensor4D): tf.Tensor4D => (normalization === null ? images : normalizeBands(images, normalization));
  return extension.build({ bands, classes, normalization, normalize, config: own, seed });
}

class OwnNetwork implements Network {
  readonly task = "pixelClassification";
  readonly modelType: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly Parameter[];
  readonly stride: number;
  readonly margin: number;
  readonly ownLoss: boolean;
  readonly ownDecoder: boolean;
  /** What size the scores of outputs must have: `[N, H, W]`. */
  private readonly sizes = new WeakMap<object, readonly number[]>();
  private disposed = false;

  constructor(
    private readonly extension: AnyModelExtension,
    private readonly resolved: ExtensionConfig,
    private readonly built: ExtensionNetwork,
  ) {
    this.modelType = extension.modelType;
    this.config = joinedConfig(resolved);
    const { stride = 1, margin = 0, variables } = built;
    if (typeof built.forward !== "function" || typeof variables !== "object" || variables === null)
      throw this.invalid("`build` gave no network", "Return `variables` and `forward`.");
    if (!Number.isInteger(stride) || stride < 1 || !Number.isInteger(margin) || margin < 0)
      throw this.invalid(
        `its stride is ${stride} and its margin ${margin}`,
        "Give whole numbers, the stride at least 1, the margin at least 0.",
      );
    if (built.loss === undefined && isLayersModel(variables) && hasRegularizers(variables))
      throw this.invalid("its layers have regularizers, which the Learner's loss does not add", "Leave them out and use `weightDecay`, or give `loss`."); // prettier-ignore
    this.stride = stride;
    this.margin = margin;
    this.ownLoss = built.loss !== undefined;
    this.ownDecoder = built.decode !== undefined;
    this.parameters = parametersOf(extension.modelType, built);
  }

  forward(images: tf.Tensor4D, { training }: ForwardOptions): NetworkOutputs {
    if (this.disposed) throw new GeoLearnError("INVALID_ARGUMENT", "The network was disposed.", { hint: "Build or load it again." });
    const [n, height, width, given] = images.shape;
    const { bands, classes } = this.resolved;
    if (given !== bands) {
      throw new GeoLearnError("BANDS_MISMATCH", `The ${this.modelType} network got images of ${given} bands, it was made for ${bands}.`, {
        hint: "Choose the bands the network was trained on, in the same order.",
        data: { given, expected: bands },
      });
    }
    checkChipSize(this, width, height);
    const outputs = tf.tidy(() => this.built.forward(images, { training }) as tf.Tensor) as NetworkOutputs;
    if (typeof outputs !== "object" || outputs === null)
      throw this.invalid("`forward` gave no tensors", "Return logits, or tensors by name.");
    const size = [n, height - 2 * this.margin, width - 2 * this.margin];
    if (!this.ownDecoder) this.checkMap("forward", outputs, [...size, classes], "Return logits of this shape, or give `decode`.");
    this.sizes.set(outputs, size);
    return outputs;
  }

  decode(outputs: NetworkOutputs): tf.Tensor4D {
    if (!this.ownDecoder) return tf.softmax(outputs as tf.Tensor4D, -1);
    const scores = tf.tidy(() => this.built.decode!(outputs)) as tf.Tensor4D;
    const expected = [...(this.sizes.get(outputs) ?? scores.shape.slice(0, 3)), this.resolved.classes];
    this.checkMap("decode", scores, expected, "Return a score for each class and pixel.");
    return scores;
  }

  loss(outputs: NetworkOutputs, classIndices: tf.Tensor3D, pixelLoss: PixelLoss): tf.Scalar {
    return tf.tidy(() => {
      if (!this.ownLoss) {
        const expected = [...classIndices.shape, this.resolved.classes];
        this.checkMap("forward", outputs, expected, "Return logits of this shape for the Learner's loss, or give `loss`.");
        return pixelLoss(outputs as tf.Tensor4D, classIndices);
      }
      const targets = this.built.targets?.(classIndices) ?? classIndices;
      const value = this.built.loss!(outputs, targets, { classIndices, pixelLoss });
      if (isTensor(value) && value.rank === 0) return value as tf.Scalar;
      throw this.invalid(`\`loss\` gave ${shapeOf(value)}, a scalar is expected`, "Take the mean over the pixels that count.");
    });
  }

  sizedBy(): SizedParameters {
    return { bands: this.changedBy("bands"), classes: this.changedBy("classes") };
  }

  weights(): Map<string, HostTensor> {
    return new Map(
      this.parameters.map(({ name, variable }) => {
        const { data, shape } = readVariable(variable);
        return [name, { data: data.slice(), shape, dtype: "float32" } as HostTensor];
      }),
    );
  }

  setWeights(next: ReadonlyMap<string, HostTensor>): void {
    checkWeights(this.parameters.map(({ name, variable }) => ({ name, shape: variable.shape })), next, "The network"); // prettier-ignore
    for (const { name, variable } of this.parameters) {
      const { data, shape } = next.get(name)!;
      writeVariable(variable, { data: data.slice(), shape, dtype: "float32" } as HostTensor);
    }
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const { variable } of this.parameters) variable.dispose();
    this.built.dispose?.();
  }

  /** Builds the network for one band or class more and compares. One that can be built for this number only has none. */
  private changedBy(what: "bands" | "classes"): ReadonlySet<string> {
    const { resolved, extension } = this;
    let twin: Network;
    try {
      const wider = { ...joinedConfig(resolved), [what]: resolved[what] + 1, normalization: null };
      twin = instantiateExtension(extension, wider);
    } catch (error) {
      if (GeoLearnError.is(error, "INVALID_ARGUMENT")) return new Set();
      throw error;
    }
    const shapes = new Map(twin.parameters.map(({ name, variable }) => [name, variable.shape]));
    twin.dispose();
    const same = (name: string, shape: readonly number[]): boolean => sameShape(shapes.get(name) ?? [-1], shape);
    return new Set(this.parameters.filter(({ name, variable }) => !same(name, variable.shape)).map(({ name }) => name));
  }

  private checkMap(from: "forward" | "decode", found: unknown, expected: readonly number[], hint: string): void {
    if (isTensor(found) && sameShape(found.shape, expected)) return;
    throw this.invalid(`\`${from}\` gave ${shapeOf(found)}, [${expected.join(", ")}] is expected`, hint);
  }

  private invalid(what: string, hint: string): GeoLearnError {
    const modelType = this.extension.modelType;
    return new GeoLearnError("MODEL_INVALID", `The model "${modelType}" breaks its contract: ${what}.`, { hint, data: { modelType } });
  }
}

function isTensor(value: unknown): value is tf.Tensor {
  return typeof value === "object" && value !== null && Array.isArray((value as { shape?: unknown }).shape);
}

function shapeOf(value: unknown): string {
  if (isTensor(value)) return `[${value.shape.join(", ")}]`;
  return typeof value === "object" && value !== null ? `{ ${Object.keys(value).join(", ")} }` : String(value);
}
