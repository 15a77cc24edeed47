/** The names a pickle of weights may use, and the tensors they stand for. */

import { GeoLearnError } from "@geolearn/core";

import { NUMBER_TYPES, type NumberType } from "../number-types.ts";
import type { PickleRules, PickleValue } from "./pickle.ts";

/** A run of numbers in the file that tensors look into; several tensors may share one. */
export class Storage {
  readonly key: string;
  readonly type: NumberType;
  /** Numbers it holds. */
  readonly length: number;

  constructor(key: string, type: NumberType, length: number) {
    this.key = key;
    this.type = type;
    this.length = length;
  }
}

/** A tensor as a pickle describes it; checked to lie within its storage. */
export class StoredTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Numbers of the tensor. */
  readonly count: number;

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[], count: number) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
    this.count = count;
  }
}

/** What a pickle of weights holds. */
export type CheckpointValue = PickleValue<Storage | StoredTensor>;

/** Number types by the name of their storage, after `torch.` or `torch.cuda.`. */
const STORAGES: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ["FloatStorage", NUMBER_TYPES.F32],
  ["DoubleStorage", NUMBER_TYPES.F64],
  ["HalfStorage", NUMBER_TYPES.F16],
  ["BFloat16Storage", NUMBER_TYPES.BF16],
  ["LongStorage", NUMBER_TYPES.I64],
  ["IntStorage", NUMBER_TYPES.I32],
  ["ShortStorage", NUMBER_TYPES.I16],
  ["CharStorage", NUMBER_TYPES.I8],
  ["ByteStorage", NUMBER_TYPES.U8],
  ["BoolStorage", NUMBER_TYPES.BOOL],
]);

const MAX_RANK = 8;
/** Items of all ordered dicts that are made from lists; one list could be given again and again. */
const MAX_PAIRS = 500_000;

/**
 * The rules for a file named `name`: ordered dicts, tensors, parameters and storages; every other name is refused by name.
 * Storages of one key must agree in type and length.
 */
export function checkpointRules(name: string, storages: Map<string, Storage>): PickleRules<Storage | StoredTensor> {
  const corrupt = (reason: string): GeoLearnError =>
    new GeoLearnError("MODEL_CORRUPT", `${name} ${reason}.`, { hint: "Copy or save the weight file again." });

  const tensor = ([storage, offset, shape, strides]: readonly CheckpointValue[]): StoredTensor => {
    if (!(storage instanceof Storage)) throw corrupt("describes a tensor without a storage");
    if (!isCount(offset) || !isShape(shape) || !isShape(strides) || shape.length !== strides.length)
      throw corrupt("describes a tensor without a sound place, shape or strides");
    const count = shape.reduce((product, side) => product * side, 1);
    const last = offset + shape.reduce((sum, side, i) => sum + (side - 1) * strides[i]!, 0);
    const outside = count === 0 ? offset > storage.length : !Number.isSafeInteger(last) || last >= storage.length;
    if (outside || !Number.isSafeInteger(count)) {
      throw corrupt(
        `describes a tensor of shape [${shape.join(", ")}] from place ${offset} of storage "${clip(storage.key)}", which has ${storage.length} numbers`,
      );
    }
    return new StoredTensor(storage, offset, shape, strides, count);
  };

  // Empty, or a list of pairs, as Python 2 wrote it.
  let pairsLeft = MAX_PAIRS;
  const orderedDict = ([pairs = []]: readonly CheckpointValue[]): Map<CheckpointValue, CheckpointValue> => {
    if (!Array.isArray(pairs)) throw corrupt("makes an ordered dict of what is no list");
    pairsLeft -= pairs.length;
    if (pairsLeft < 0) throw corrupt(`makes ordered dicts of more than ${MAX_PAIRS} items`);
    const dict = new Map<CheckpointValue, CheckpointValue>();
    for (const pair of pairs) {
      if (!Array.isArray(pair) || pair.length !== 2) throw corrupt("makes an ordered dict of what are no pairs");
      dict.set(pair[0]!, pair[1]!);
    }
    return dict;
  };

  return {
    allow(global) {
      if (!isKnown(global)) throw foreignName(name, global);
    },
    call(global, args) {
      switch (global) {
        case "collections.OrderedDict":
          return orderedDict(args);
        case "torch._utils._rebuild_tensor":
        case "torch._utils._rebuild_tensor_v2":
          return tensor(args);
        case "torch._utils._rebuild_parameter":
        case "torch._utils._rebuild_parameter_with_state":
        case "torch.nn.parameter.Parameter":
          if (!(args[0] instanceof StoredTensor)) throw corrupt("describes a parameter without a tensor");
          return args[0];
        default:
          throw corrupt(`calls ${global}, which is a type and no function`);
      }
    },
    persistent(id) {
      if (!Array.isArray(id) || id[0] !== "storage") throw corrupt("refers to something outside the pickle that is no storage");
      const [, global, key, , length, view = null] = id;
      const type = typeof global === "object" && global !== null && "name" in global ? storageType(global.name) : undefined;
      if (type === undefined || typeof key !== "string" || !isCount(length))
        throw corrupt("describes a storage without type, key or length");
      if (view !== null) throw corrupt("describes a storage inside another one, as PyTorch before 0.4 did");
      const known = storages.get(key);
      if (known !== undefined && (known.type !== type || known.length !== length))
        throw corrupt(`describes storage "${clip(key)}" in two ways`);
      const storage = known ?? new Storage(key, type, length);
      storages.set(key, storage);
      return storage;
    },
  };
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
  "torch._utils._rebuild_parameter_with_state",
  "torch.nn.parameter.Parameter",
]);

function isKnown(global: string): boolean {
  return FUNCTIONS.has(global) || storageType(global) !== undefined;
}

function storageType(global: string): NumberType | undefined {
  return STORAGES.get(/^torch\.(?:cuda\.)?(\w+)$/.exec(global)?.[1] ?? "");
}

function foreignName(name: string, global: string): GeoLearnError {
  return new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${name} asks for ${clip(global)}, which is no part of plain weights; nothing in it was run.`,
    {
      hint: 'Open the file where you trust it and save only the weights: in Python, torch.save(model.state_dict(), "weights.pth").',
      data: { global: clip(global) },
    },
  );
}

function isCount(value: CheckpointValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isShape(value: CheckpointValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isCount);
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
