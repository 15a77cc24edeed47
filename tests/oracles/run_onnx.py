"""Checks an ONNX file with onnx.checker and runs it with ONNX Runtime in Python.

    python tests/oracles/run_onnx.py model.onnx runs.json

runs.json is a list of {"inputs": {name: {"shape": [...], "data": base64 of little-endian float32}}}. Prints JSON: what the file says of
itself, and {"outputs": {name: {"shape": [...], "data": base64}}} of each run.
"""
import base64, json, sys
import numpy as np, onnx, onnxruntime


def describe(value):
    tensor = value.type.tensor_type
    return {"name": value.name, "type": onnx.TensorProto.DataType.Name(tensor.elem_type),
            "dims": [d.dim_param or (d.dim_value if d.HasField("dim_value") else None) for d in tensor.shape.dim]}


if __name__ == "__main__":
    path, runs = sys.argv[1:]
    model = onnx.load(path)
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    results = []
    for run in json.load(open(runs)):
        feeds = {k: np.frombuffer(base64.b64decode(v["data"]), "<f4").reshape(v["shape"]) for k, v in run["inputs"].items()}
        names = [o.name for o in session.get_outputs()]
        values = session.run(names, feeds)
        results.append({"outputs": {n: {"shape": list(v.shape), "data": base64.b64encode(np.ascontiguousarray(v, "<f4").tobytes()).decode()}
                                    for n, v in zip(names, values)}})
    print(json.dumps({
        "opsets": {o.domain: o.version for o in model.opset_import}, "ir": model.ir_version,
        "domains": sorted({n.domain for n in model.graph.node}), "nodes": [n.op_type for n in model.graph.node],
        "inputs": [describe(v) for v in model.graph.input], "outputs": [describe(v) for v in model.graph.output],
        "initializers": {t.name: list(t.dims) for t in model.graph.initializer},
        "metadata": {p.key: p.value for p in model.metadata_props}, "runs": results}))
