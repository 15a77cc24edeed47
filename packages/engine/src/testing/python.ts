/** ONNX Runtime in Python as a peer of the tests. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HostTensor } from "../types.ts";

const root = new URL("../../../../", import.meta.url);
const python = join(process.env["GEOLEARN_PEERS"] ?? fileURLToPath(new URL("../.venv-peers", root)), "bin/python");

/** Whether the Python environment is there. */
export const pythonPresent = existsSync(python);

/** What Python says of an ONNX file, and what it computes. */
export interface PythonOnnx {
  readonly opsets: Readonly<Record<string, number>>;
  readonly domains: readonly string[];
  readonly nodes: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly (number | string | null)[] }[];
  readonly outputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly (number | string | null)[] }[];
  readonly initializers: Readonly<Record<string, readonly number[]>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly runs: readonly Readonly<Record<string, HostTensor>>[];
}

interface Packed {
  readonly shape: number[];
  readonly data: string;
}

/** Checks a model with onnx.checker (full_check) and runs it in Python, once for each set of inputs. */
export function runInPython(model: Uint8Array, runs: readonly Readonly<Record<string, HostTensor>>[]): PythonOnnx {
  const folder = mkdtempSync(join(tmpdir(), "onnx-python-"));
  try {
    const [path, list] = [join(folder, "model.onnx"), join(folder, "runs.json")];
    writeFileSync(path, model);
    const packed = runs.map((inputs) => ({
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, pack(tensor)])),
    }));
    writeFileSync(list, JSON.stringify(packed));
    const script = fileURLToPath(new URL("tests/oracles/run_onnx.py", root));
    const text = execFileSync(python, [script, path, list], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] });
    const found = JSON.parse(text) as Omit<PythonOnnx, "runs"> & { runs: { outputs: Record<string, Packed> }[] };
    return {
      ...found,
      runs: found.runs.map(({ outputs }) => Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, unpack(value)]))),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function pack({ data, shape }: HostTensor): Packed {
  return { shape: [...shape], data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
}

function unpack({ shape, data }: Packed): HostTensor {
  return { shape, data: new Float32Array(new Uint8Array(Buffer.from(data, "base64")).buffer), dtype: "float32" };
}
