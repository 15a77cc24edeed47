"""Weight files as PyTorch and tensorflowjs write them, small, with the values their own readers give back.

    python tests/oracles/weight_files.py

Writes packages/models/src/weights/fixtures/. The tensorflowjs converter is used without TensorFlow: its modules that write
and quantize weights need numpy only. scripts/setup-peers.sh --zoo installs it beside the other peers.
"""
import io, json, pathlib, pickle, shutil, sys, types, zipfile
from collections import OrderedDict
import numpy as np, onnx, torch
from zoo import zoo_folder

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "weights" / "fixtures"


def listed(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().float().flatten().tolist()}


def tensors():
    """Every number type, and every way a tensor may lie in its storage."""
    torch.manual_seed(0)
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 7
    state = OrderedDict()
    state["conv.weight"] = base
    state["turned"] = base.permute(2, 0, 1)  # shares the storage, other strides
    state["part"] = base[1, :, 1::2]  # an offset and a step
    state["repeated"] = torch.tensor([[1.5], [-2.5]]).expand(2, 3)  # stride 0
    state["parameter"] = torch.nn.Parameter(torch.tensor([0.1, 0.2]))
    state["scalar"] = torch.tensor(7, dtype=torch.int64)
    state["empty"] = torch.zeros(0, 3)
    values = torch.tensor([0.0, -0.0, 1.0, -2.75, 100.0, 6e-8, 65504.0])
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool):
        state[str(dtype).removeprefix("torch.")] = (values.clamp(-100, 100) if dtype.itemsize == 1 else values).to(dtype)
    return state


def pytorch(expected):
    state = tensors()
    checkpoint = {"epoch": 3, "best": 0.25, "big": 2**70, "state_dict": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}, "note": "été"}
    torch.save(checkpoint, FIXTURES / "checkpoint.pth")
    torch.save(checkpoint, FIXTURES / "checkpoint-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, FIXTURES / "checkpoint-protocol-4.pth", pickle_protocol=4)
    for name in ("checkpoint", "checkpoint-legacy", "checkpoint-protocol-4"):
        back = torch.load(FIXTURES / f"{name}.pth", weights_only="4" not in name)["state_dict"]
        expected[f"{name}.pth"] = {"path": ["state_dict"], "tensors": {k: listed(v) for k, v in back.items()}}

    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(module.state_dict(), FIXTURES / "module.pth")
    expected["module.pth"] = {"path": [], "tensors": {k: listed(v) for k, v in module.state_dict().items()}}
    torch.save(module, FIXTURES / "whole-model.pth")
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), script)
    with zipfile.ZipFile(script) as whole, zipfile.ZipFile(FIXTURES / "script.pt", "w") as kept:
        for name in whole.namelist():
            if not name.endswith(".debug_pkl"):  # where PyTorch was installed
                kept.writestr(zipfile.ZipInfo(name), whole.read(name))
    old_parameters(expected)


def old_parameters(expected):
    """A state dict as PyTorch 0.1.12 pickled it: parameters as objects with a state, tensors by _rebuild_tensor."""
    state = OrderedDict([("weight", torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))), ("running_mean", torch.tensor([5.0, 6.0]))])

    class OldPickler(pickle._Pickler):
        def reducer_override(self, value):
            if isinstance(value, torch.nn.Parameter):
                return torch.nn.parameter.Parameter, (value.data,), (True, False, OrderedDict())
            if isinstance(value, torch.Tensor):
                return torch._utils._rebuild_tensor, (torch.storage.TypedStorage(wrap_storage=value.untyped_storage(), dtype=value.dtype, _internal=True), value.storage_offset(), tuple(value.size()), value.stride())
            return NotImplemented

    def dump(value, file, protocol):
        pickle.dump(value, file, protocol)

    path = FIXTURES / "old-parameters.pth"
    torch.save(state, path, pickle_module=types.SimpleNamespace(Pickler=OldPickler, dump=dump, __name__="pickle"), _use_new_zipfile_serialization=False)
    assert b"_rebuild_tensor\n" in path.read_bytes() and b"Parameter\n" in path.read_bytes()
    back = torch.load(path, weights_only=True)
    assert all(torch.equal(back[k], state[k]) for k in state)
    expected["old-parameters.pth"] = {"path": [], "tensors": {k: listed(v) for k, v in state.items()}}


def onnx_files(expected):
    """An export that keeps the parameters' names, with its numbers inside and beside the file."""
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    path = FIXTURES / "module.onnx"
    torch.onnx.export(module, torch.zeros(1, 1, 8, 8), path, dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)
    model = onnx.load(path)
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)
    onnx.save(model, FIXTURES / "beside.onnx", save_as_external_data=True, location="beside.onnx.data", size_threshold=0)
    known = {k for k in module.state_dict() if not k.endswith("num_batches_tracked")}
    for name in ("module.onnx", "beside.onnx"):
        initializers = onnx.load(FIXTURES / name).graph.initializer
        expected[name] = {"path": [], "tensors": {i.name: listed(torch.from_numpy(onnx.numpy_helper.to_array(i).copy())) for i in initializers}}
        assert set(expected[name]["tensors"]) == known, expected[name]["tensors"].keys()


def tfjs(expected):
    sys.modules["tensorflow"] = stub = types.ModuleType("tensorflow")
    stub.io = types.SimpleNamespace(gfile=types.SimpleNamespace(GFile=open))
    package = types.ModuleType("tensorflowjs")
    package.__path__ = [str(zoo_folder() / "tensorflowjs")]
    sys.modules["tensorflowjs"] = package
    from tensorflowjs import read_weights, write_weights

    rng = np.random.default_rng(0)
    group = [
        {"name": "conv/kernel", "data": rng.normal(size=(3, 3, 2, 4)).astype("f4")},
        {"name": "conv/bias", "data": np.array([0.5, -1, 2, 3], "f4")},
        {"name": "steps", "data": np.array([1, 2**20 + 1, -7], "i4")},
        {"name": "flags", "data": np.array([True, False, True])},
        {"name": "scalar", "data": np.array(2.5, "f4")},
        {"name": "constant", "data": np.full((2, 2), 3.25, "f4")},
    ]
    for name, map_ in (("tfjs", None), ("tfjs-uint8", {"uint8": ["conv/*", "steps", "constant"]}), ("tfjs-uint16", {"uint16": ["conv/*", "steps"]}), ("tfjs-float16", {"float16": ["conv/*"]})):
        folder = FIXTURES / name
        folder.mkdir(exist_ok=True)
        manifest = write_weights.write_weights([group[:3], group[3:]], str(folder), shard_size_bytes=100, write_manifest=False, quantization_dtype_map=map_)
        (folder / "model.json").write_text(json.dumps({"format": "layers-model", "modelTopology": {"class_name": "Model"}, "weightsManifest": manifest}) + "\n")
        back = [entry for read in read_weights.read_weights(manifest, str(folder)) for entry in read]
        expected[name] = {"path": [], "tensors": {e["name"]: {"shape": list(e["data"].shape), "values": e["data"].astype("f4").flatten().tolist()} for e in back}}


if __name__ == "__main__":
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    expected = {}
    pytorch(expected)
    onnx_files(expected)
    tfjs(expected)
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(FIXTURES, sum(f.stat().st_size for f in FIXTURES.rglob("*") if f.is_file()))
