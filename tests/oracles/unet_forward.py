"""Loads a weight file of packages/models into a network of the benchmark's networks.py and scores one image.

    python tests/oracles/unet_forward.py networks.py PlainUNet weights.safetensors image.f32 HEIGHT WIDTH logits.f32 MEANS STDS

The file lists parameters in the order the PyTorch module has them, so they are taken one by one; shapes must agree.
"""
import importlib.util, json, struct, sys
import numpy as np, torch


def read_safetensors(path):
    """Tensors of a float32 safetensors file by name, in the file's order."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {k: torch.frombuffer(bytearray(data[slice(*v["data_offsets"])]), dtype=torch.float32).reshape(v["shape"]) for k, v in header.items()}


def load_in_order(net, tensors):
    """Fills a module whose parameters have the same order and shapes; counters of steps stay 0."""
    names = [k for k in net.state_dict() if not k.endswith("num_batches_tracked")]
    net.load_state_dict(dict(zip(names, tensors.values(), strict=True)), strict=False)
    return net


if __name__ == "__main__":
    networks, name, weights, image, height, width, out, means, stds = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("networks", networks)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tensors = read_safetensors(weights)
    mean, std = (np.array(v.split(","), "f4") for v in (means, stds))
    net = load_in_order(getattr(module, name)(len(mean), tensors["head.weight"].shape[0]), tensors).eval()
    x = (np.fromfile(image, "<f4").reshape(1, int(height), int(width), len(mean)) - mean) / std
    with torch.no_grad():
        y = net(torch.from_numpy(x).permute(0, 3, 1, 2))
    y.permute(0, 2, 3, 1).contiguous().numpy().tofile(out)
