"""Small ONNX files by the onnx package and by PyTorch, with the values that lie in them.

    python tests/oracles/onnx_files.py

Writes packages/engine/src/onnx/fixtures/files.json: the files as base64, and what numpy reads in their tensors.
"""
import base64, json, pathlib, tempfile
import numpy as np, onnx, torch
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "engine" / "src" / "onnx" / "fixtures" / "files.json"
TYPES = {
    "FLOAT": [0.0, -1.5, 3.25, 1e-30], "DOUBLE": [0.1, -2.5, 1e300 * 0, 7.0], "FLOAT16": [0.0, -1.5, 6.1e-5, 65504.0],
    "BFLOAT16": [0.0, -1.5, 3.140625, 1e30], "INT8": [-128, 127, 0, 1], "UINT8": [0, 255, 7, 1], "INT16": [-32768, 32767, 0, 1],
    "UINT16": [0, 65535, 7, 1], "INT32": [-2147483648, 2147483647, 0, 1], "INT64": [-9223372036854775808, 9223372036854775807, 5, -1],
    "UINT32": [0, 4294967295, 7, 1], "UINT64": [0, 18446744073709551615, 7, 1], "BOOL": [0, 1, 1, 0],
}


def expected(kind, tensor):
    values = numpy_helper.to_array(tensor).astype("f8" if kind in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16") else object)
    if kind in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"):
        return np.asarray(values, "f4").astype("f8").ravel().tolist()
    return [int(min(max(int(v), -(2**31)), 2**31 - 1)) for v in np.ravel(values)]


def every_type():
    """Each number type twice: in its typed field, and as raw bytes."""
    tensors, values = [], {}
    for kind, numbers in TYPES.items():
        code = getattr(TensorProto, kind)
        typed = helper.make_tensor(f"{kind}.typed", code, [2, 2], numbers)
        raw = numpy_helper.to_array(typed)
        raw = helper.make_tensor(f"{kind}.raw", code, [2, 2], raw.tobytes(), raw=True)
        for tensor in (typed, raw):
            tensors.append(tensor)
            values[tensor.name] = expected(kind, tensor)
    tensors.append(helper.make_tensor("scalar", TensorProto.FLOAT, [], [4.5]))
    tensors.append(helper.make_tensor("empty", TensorProto.FLOAT, [0, 3], []))
    values["scalar"], values["empty"] = [4.5], []
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "scalar"], ["y"], name="plus")], "types",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, None, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, None, 8])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=9)
    helper.set_model_props(model, {"model_type": '"Segmentor"', "note": "grün"})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(), values


def branches():
    """A node with subgraphs that use a value from outside."""
    constant = lambda name, value: helper.make_node("Constant", [], [name], value=helper.make_tensor("", TensorProto.FLOAT, [], [value]))
    branch = lambda name, value: helper.make_graph(
        [constant(f"{name}.c", value), helper.make_node("Mul", ["x", f"{name}.c"], [f"{name}.y"])], name, [],
        [helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, [2])])
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], then_branch=branch("then", 2.0), else_branch=branch("else", 3.0))], "branches",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def torch_network():
    """What PyTorch writes for a small network, and its weights."""
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1)).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/net.onnx"
        torch.onnx.export(net, (torch.zeros(1, 3, 8, 8),), path, dynamo=False, opset_version=17, input_names=["image"], output_names=["logits"],
                          dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})
        data = pathlib.Path(path).read_bytes()
    return data, {k: v.numpy().astype("f8").ravel().tolist() for k, v in net.state_dict().items()}


if __name__ == "__main__":
    types, values = every_type()
    net, weights = torch_network()
    encode = lambda data: base64.b64encode(data).decode()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({
        "types": {"file": encode(types), "values": values},
        "branches": {"file": encode(branches())},
        "torch": {"file": encode(net), "values": weights},
    }) + "\n")
