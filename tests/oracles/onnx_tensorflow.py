"""Small networks as TensorFlow and tf2onnx write them, and what TensorFlow computes with them.

    python3 -m venv ../.venv-keras && ../.venv-keras/bin/pip install tensorflow-cpu==2.15.1 tf2onnx==1.16.1
    ../.venv-keras/bin/python tests/oracles/onnx_tensorflow.py

Writes packages/inference/src/onnx/fixtures/tensorflow.json. TensorFlow does not go with the other peers, hence an environment of its
own. Pixels come from the hash of onnx_segmentation.py.
"""
import base64, json, os, pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf, tf2onnx  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "inference" / "src" / "onnx" / "fixtures" / "tensorflow.json"
SIDE, BANDS, CLASSES = 32, 3, 3
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
L = tf.keras.layers


def pixels():
    row, col, band = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(BANDS), indexing="ij")
    key = ((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709).astype(np.uint32)
    return (((key * np.uint32(2654435761)) >> np.uint32(24)) & np.uint32(255)).astype("f4")


def settle(model):
    """Weights of a size that makes scores differ, running statistics that are not 0 and 1."""
    rng = np.random.default_rng(11)
    for weight in model.weights:
        spread = 0.3 if "conv" in weight.name else 0.2
        drawn = rng.normal(size=weight.shape) * spread
        weight.assign(1 + drawn if "gamma" in weight.name else np.exp(drawn) if "variance" in weight.name else drawn)
    return model


def unet(side, end):
    """The layers of many Keras U-Nets: strided convolutions padded as TensorFlow does, batch norm, transposed convolution, up-sampling."""
    x = inputs = L.Input((side, side, BANDS))
    skip = L.ReLU()(L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(x)))
    x = L.MaxPool2D()(skip)
    x = L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, strides=2, padding="same")(x)))
    x = L.UpSampling2D(2, interpolation="bilinear")(L.Conv2D(8, 1)(x))
    x = L.Concatenate()([skip, L.Conv2DTranspose(8, 3, strides=2, padding="same", activation="swish")(x)])
    return settle(tf.keras.Model(inputs, end(x)))


def classifier(end):
    x = inputs = L.Input((SIDE, SIDE, BANDS))
    x = L.GlobalAveragePooling2D()(L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x))
    return settle(tf.keras.Model(inputs, end(x)))


def case(name, model, spec, scores_of):
    _, height, width, _ = model.input_shape
    signature = [tf.TensorSpec((None, height, width, BANDS), tf.float32, name="image")]
    graph, _ = tf2onnx.convert.from_keras(model, signature, opset=17)
    given = ((pixels() / 255 - np.array(MEAN)) / np.array(STD)).astype("f4")[None]
    scores = np.asarray(scores_of(model(given, training=False).numpy()), "f8")
    file = base64.b64encode(graph.SerializeToString()).decode()
    return {"name": name, "file": file, "spec": spec, "scores": scores.round(7).ravel().tolist(), "shape": list(scores.shape)}


if __name__ == "__main__":
    softmax = lambda y: np.exp(y) / np.exp(y).sum(-1, keepdims=True)
    both = lambda y: np.concatenate([1 - y, y], -1)
    conv = lambda classes, activation=None: L.Conv2D(classes, 1, activation=activation)
    segmentation = [
        case("logits, free sizes", unet(None, conv(CLASSES)), {"chipSize": SIDE, "classes": ["a", "b", "c"]}, softmax),
        case("softmax", unet(SIDE, conv(CLASSES, "softmax")), {}, lambda y: y),
        case("one channel, sigmoid", unet(SIDE, conv(1, "sigmoid")), {}, both),
    ]
    classification = [
        case("softmax", classifier(L.Dense(4, activation="softmax")), {}, lambda y: y),
        case("logits", classifier(L.Dense(4)), {}, softmax),
    ]
    result = {"side": SIDE, "mean": MEAN, "std": STD, "segmentation": segmentation, "classification": classification}
    OUT.write_text(json.dumps(result) + "\n")
