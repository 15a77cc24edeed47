"""Feature maps of Keras' own MobileNetV2 and EfficientNetB0, for the names and layouts of Keras 2.

    python3 -m venv ../.venv-keras && ../.venv-keras/bin/pip install tensorflow-cpu==2.15.1
    ../.venv-keras/bin/python tests/oracles/keras_encoders.py

TensorFlow does not go with the other peers, hence an environment of its own. As in encoders.py weights come from a hash of their
names, which are those tensorflowjs_converter writes into model.json.
"""
import base64, json, os, pathlib, zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf  # noqa: E402
from pattern import pattern  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "backbones" / "fixtures" / "keras.json"
SIZE = [1, 64, 96]
MODELS = [
    # maps at strides 2, 4, 8, 16 and 32, and what the network does to its input first
    ("MobileNetV2", "mobilenetv2", ["expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "out_relu"], 1),
    ("EfficientNetB0", "efficientnet-b0", ["stem_activation", "block2b_add", "block3b_add", "block5a_project_bn", "block7a_project_bn"], 255),
]


def value(name, shape):
    p = pattern(name, int(np.prod(shape)))
    if len(shape) == 4:
        p = p * np.sqrt(6 / np.prod(shape[:2] if name.endswith("depthwise_kernel") else shape[:3]))
    elif len(shape) == 2:
        p = 0.01 * p
    elif name.endswith("moving_mean"):
        p = 0.1 * p
    elif name.endswith("moving_variance"):
        p = 1 + 0.3 * p
    elif name.endswith("gamma"):
        p = 0.7 + 0.1 * p
    else:
        p = 0.2 * p
    return p.astype("f4").reshape(shape)


if __name__ == "__main__":
    tf.keras.backend.set_floatx("float64")
    cases = []
    for name, backbone, layers, scale in MODELS:
        model = getattr(tf.keras.applications, name)(weights=None, input_shape=(SIZE[1], SIZE[2], 3), classes=10)
        lines = []
        for layer in model.layers:
            if layer.name.startswith("normalization"):  # of EfficientNet's input: it begins as the identity
                continue
            named = [(w.name.removesuffix(":0"), w) for w in layer.weights]
            layer.set_weights([value(n, tuple(w.shape)).astype("f8") for n, w in named])
            lines += [f"{n} {' '.join(map(str, w.shape))}" for n, w in named]
        x = pattern("image", SIZE[1] * SIZE[2] * 3).astype("f4").astype("f8").reshape(1, SIZE[1], SIZE[2], 3)
        maps = tf.keras.Model(model.input, [model.get_layer(layer).output for layer in layers])(x * scale, training=False)
        kept = []
        for y in maps:
            flat = y.numpy().flatten()
            step = max(1, len(flat) // 97)
            kept.append({"width": y.shape[3], "step": step, "values": base64.b64encode(flat[::step].astype("<f4").tobytes()).decode()})
        print(name, [m["width"] for m in kept], ["%.2f" % abs(np.array(y)).max() for y in maps])
        cases.append({"name": "keras " + name, "backbone": backbone, "convention": "tensorflow", "keys": base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode(), "maps": kept})
    OUT.write_text(json.dumps({"size": SIZE, "cases": cases}, indent=1) + "\n")
    print(OUT, OUT.stat().st_size)
