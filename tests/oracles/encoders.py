"""Feature maps of torchvision's, timm's and segmentation_models_pytorch's own encoders, computed in float64.

    scripts/setup-peers.sh --zoo
    python tests/oracles/encoders.py

Weights and pixels come from the hash of models.py, here by the names each library gives its parameters: the fixture holds names
(compressed), shapes and a few numbers of each result. Totals of parameters are compared with the published ones first.
"""
import base64, json, pathlib, zlib
import numpy as np, torch
import torch.nn.functional as F
from pattern import image, pack, pattern, targets
from zoo import use_zoo

torch.set_num_threads(1)
keep = use_zoo()
import segmentation_models_pytorch as smp, timm, torchvision  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "backbones" / "fixtures" / "encoders.json"
SIZE = [1, 64, 96]
TRAIN_SIZE = [2, 96, 64]
MOVED = ("torchvision mobilenet_v3_large", "torchvision mobilenet_v3_small")
TRAINED = ("smp resnet50", "smp mobilenet_v2", "smp efficientnet-b0")
PUBLISHED = {
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032, "mobilenet_v3_small": 2_542_856, "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184, "efficientnet_b2": 9_109_994, "efficientnet_b3": 12_233_232,
}
OURS = {"mobilenet_v2": "mobilenetv2"} | {f"mobilenet_v3_{v}": f"mobilenetv3-{v}" for v in ("large", "small")} | {f"efficientnet_b{i}": f"efficientnet-b{i}" for i in range(4)}
MAPS = {"mobilenet_v2": [1, 3, 6, 13, 18], "mobilenet_v3_large": [1, 3, 6, 12, 16], "mobilenet_v3_small": [0, 1, 3, 8, 12], "efficientnet": [0, 2, 3, 5, 7]}


def parameter(name, shape, dimensions):
    """What the tests fill a parameter of this name with; norms damp a little, so that nothing grows from block to block."""
    p = pattern(name, int(np.prod(shape)))
    if len(shape) == 4:
        p = p * np.sqrt(6 / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2:
        p = 0.01 * p
    elif name.endswith("running_mean"):
        p = 0.1 * p
    elif name.endswith("running_var"):
        p = 1 + 0.3 * p
    elif dimensions.get(name.rsplit(".", 1)[0] + ".running_var") and name.endswith("weight"):
        p = 0.7 + 0.1 * p
    else:
        p = 0.2 * p
    return torch.from_numpy(p.astype("f4").astype("f8").reshape(shape))


def fill(net):
    net.double().eval()
    dimensions = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    state = {k: parameter(k, s, dimensions) for k, s in dimensions.items() if not k.endswith("num_batches_tracked")}
    net.load_state_dict(state, strict=False)
    return net


def keys(net):
    """`name sides` a line, deflated."""
    lines = [f"{k} {' '.join(map(str, v.shape))}" for k, v in net.state_dict().items()]
    return base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()


def thinned(maps):
    """A hundred numbers of each map, by channel last as the tests have them."""
    result = []
    for y in maps:
        flat = y.permute(0, 2, 3, 1).flatten()
        step = max(1, len(flat) // 97)
        result.append({"width": y.shape[1], "step": step, "values": pack(flat[::step])})
    return result


def torchvision_maps(name, net, x):
    if name.startswith("resnet"):
        maps = [net.relu(net.bn1(net.conv1(x)))]
        y = net.maxpool(maps[0])
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            y = stage(y)
            maps.append(y)
        return maps
    maps, wanted = [], MAPS[name if name in MAPS else "efficientnet"]
    for i, layer in enumerate(net.features):
        x = layer(x)
        if i in wanted:
            maps.append(x)
    return maps


def cases():
    x = image((*SIZE, 3)) / 50 - 2  # about -1 to 1
    for name, total in PUBLISHED.items():
        net = getattr(torchvision.models, name)(weights=None)
        assert sum(p.numel() for p in net.parameters()) == total, name
        if name in ("efficientnet_b1", "efficientnet_b2", "efficientnet_b3"):  # counted; their maps are compared with smp's
            yield "torchvision " + name, OURS[name], "torch", net, None
            continue
        yield "torchvision " + name, OURS.get(name, name), "torch", fill(net), lambda net, name=name: torchvision_maps(name, net, x)
    for name, backbone in (("mobilenetv2_100", "mobilenetv2"), ("efficientnet_b0", "efficientnet-b0")):
        yield "timm " + name, backbone, "torch", fill(timm.create_model(name)), lambda net, name=name: timm_maps(name, net, x)
    # timm's copies of TensorFlow's own networks; at these sizes its padding is that of an even side everywhere, as B0's.
    yield "timm tf_efficientnet_b0", "efficientnet-b0", "tensorflow", fill(timm.create_model("tf_efficientnet_b0")), lambda net: timm_maps("tf_efficientnet_b0", net, x)
    for name, backbone in (("resnet50", "resnet50"), ("mobilenet_v2", "mobilenetv2"), *((f"efficientnet-b{i}", f"efficientnet-b{i}") for i in range(4)), ("timm-efficientnet-b0", "efficientnet-b0")):
        convention = "tensorflow" if name.startswith("efficientnet") else "torch"
        yield "smp " + name, backbone, convention, fill(smp.Unet(name, encoder_weights=None, classes=2)), lambda net: net.encoder(x)[1:]


def moved(net):
    """Running means of the first norm behind one batch of training."""
    with torch.no_grad():
        net.train().features(image((*TRAIN_SIZE, 3)) / 50 - 2)
    return pack(net.features[0][1].running_mean)


def timm_maps(name, net, x):
    if name.startswith("resnet"):
        maps = [net.act1(net.bn1(net.conv1(x)))]
        y = net.maxpool(maps[0])
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            y = stage(y)
            maps.append(y)
        return maps
    stem = net.bn1(net.conv_stem(x))
    stages, y = [], stem
    for i, stage in enumerate(net.blocks):
        early = stage[0](y) if i == 4 else None
        y = stage(y)
        stages.append(y)
        if i == 4 and name.startswith("tf_"):  # where segmentation_models_pytorch's efficientnet-b0 takes its map
            middle = early
        elif i == 4:
            middle = y
    if name.startswith("mobilenet"):
        return [stages[0], stages[1], stages[2], stages[4], net.bn2(net.conv_head(y))]
    return [stem, stages[1], stages[2], middle, stages[6]]


def training(net):
    """Loss and gradients of one batch: the length of each, its projection on a pattern, its error in float32. No blocks are dropped."""
    if hasattr(net.encoder, "_drop_connect_rate"):
        net.encoder._drop_connect_rate = 0
    net.train()
    n, h, w = TRAIN_SIZE
    loss = F.cross_entropy(net(image((n, h, w, 3)) / 50 - 2), targets((n, h, w), 2), ignore_index=-1)
    loss.backward()
    exact = {k: p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}
    net.float().zero_grad()
    F.cross_entropy(net((image((n, h, w, 3)) / 50 - 2).float()), targets((n, h, w), 2), ignore_index=-1).backward()
    # How far rounding alone moves a gradient: what PyTorch itself gives in float32.
    rounded = {k: ((p.grad.double() - exact[k]).norm() / exact[k].norm()).item() for k, p in net.named_parameters() if p.grad is not None}
    worst = sorted(rounded, key=rounded.get)[-4:]
    print("float32 moves gradients by", [(k, "%.2g of %.2g" % (rounded[k], exact[k].norm())) for k in worst], "median %.2g" % np.median(list(rounded.values())))
    prints = {k: [g.norm().item(), (g.flatten() * torch.from_numpy(pattern("print", g.numel()))).sum().item(), rounded[k]] for k, g in exact.items()}
    return {"loss": loss.item(), "prints": prints}


if __name__ == "__main__":
    x = image((*SIZE, 3)) / 50 - 2
    written = []
    for name, backbone, convention, net, maps_of in cases():
        case = {"name": name, "backbone": backbone, "convention": convention, "keys": keys(net)}
        written.append(case)
        if maps_of is None:
            continue
        with torch.no_grad():
            case["maps"] = thinned(maps_of(net))
            if name in TRAINED:
                logits = net(x).permute(0, 2, 3, 1).flatten()
                case["logits"] = pack(logits[::61])
        if name in MOVED:
            case["moved"] = moved(net)
        if name in TRAINED:
            case["training"] = training(net)
        widest = [max(abs(np.frombuffer(base64.b64decode(m["values"]), "<f4"))) for m in case["maps"]]
        print(name, [m["width"] for m in case["maps"]], ["%.2f" % w for w in widest], "%.3f" % logits.abs().max() if "logits" in case else "", case.get("training", {}).get("loss"), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"size": SIZE, "trainSize": TRAIN_SIZE, "cases": written}, indent=1) + "\n")
    print(OUT, OUT.stat().st_size)
