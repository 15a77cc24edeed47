"""One training step of torchvision's Mask R-CNN or RetinaNet, from geolearn's first weights: the peer of benchmarks/detector-step.ts.

Takes the settings of detector-step-program.ts as JSON; prints the number of parameters, milliseconds an image, and the parts of the first loss with
nothing left to chance. Only widths, anchors and numbers are configured. The peers' torchvision lacks its compiled operators (see
tests/oracles/zoo.py): non-maximum suppression and RoIAlign are compiled here from C++ that does what torchvision's CPU kernels do.
"""
import json, pathlib, statistics, struct, sys, time
import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracles"))
from zoo import use_zoo  # noqa: E402

keep = use_zoo()
from torch.utils.cpp_extension import load_inline  # noqa: E402
import torchvision  # noqa: E402
from torchvision.models.detection import mask_rcnn, retinanet, roi_heads  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.backbone_utils import BackboneWithFPN  # noqa: E402
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead  # noqa: E402
from torchvision.ops import boxes as box_ops, poolers  # noqa: E402
from torchvision.ops.feature_pyramid_network import LastLevelP6P7  # noqa: E402

SOURCE = r"""
#include <torch/extension.h>
#include <algorithm>
#include <cmath>
#include <vector>

torch::Tensor nms(torch::Tensor dets, torch::Tensor scores, double limit) {
  auto d = dets.contiguous();
  auto order = std::get<1>(scores.sort(/*stable=*/true, 0, true)).contiguous();
  const float* b = d.data_ptr<float>();
  const int64_t* o = order.data_ptr<int64_t>();
  int64_t n = dets.size(0);
  std::vector<char> gone(n, 0);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < n; i++) {
    const int64_t a = o[i];
    if (gone[a]) continue;
    kept.push_back(a);
    const float x1 = b[4 * a], y1 = b[4 * a + 1], x2 = b[4 * a + 2], y2 = b[4 * a + 3], area = (x2 - x1) * (y2 - y1);
    for (int64_t j = i + 1; j < n; j++) {
      const int64_t c = o[j];
      if (gone[c]) continue;
      const float w = std::max(0.f, std::min(x2, b[4 * c + 2]) - std::max(x1, b[4 * c])), h = std::max(0.f, std::min(y2, b[4 * c + 3]) - std::max(y1, b[4 * c + 1]));
      const float shared = w * h;
      if (shared / (area + (b[4 * c + 2] - b[4 * c]) * (b[4 * c + 3] - b[4 * c + 1]) - shared) > limit) gone[c] = 1;
    }
  }
  return torch::tensor(kept, torch::kInt64);
}

struct Tap { int64_t at[4]; float weight[4]; };

// Where the samples of a box lie, once for all channels.
static int64_t taps(const float* roi, double scale, int64_t ph, int64_t pw, int64_t ratio, int64_t height, int64_t width, std::vector<Tap>& out) {
  const float x0 = roi[1] * scale, y0 = roi[2] * scale, w = std::max(float(roi[3] * scale) - x0, 1.f), h = std::max(float(roi[4] * scale) - y0, 1.f);
  const int64_t gh = ratio > 0 ? ratio : std::ceil(h / ph), gw = ratio > 0 ? ratio : std::ceil(w / pw);
  out.clear();
  for (int64_t p = 0; p < ph; p++) for (int64_t q = 0; q < pw; q++) for (int64_t i = 0; i < gh; i++) for (int64_t j = 0; j < gw; j++) {
    float y = y0 + p * h / ph + (i + .5f) * h / ph / gh, x = x0 + q * w / pw + (j + .5f) * w / pw / gw;
    Tap t = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    if (!(y < -1 || y > height || x < -1 || x > width)) {
      y = std::max(y, 0.f); x = std::max(x, 0.f);
      int64_t t0 = y, l0 = x, t1 = t0 + 1, l1 = l0 + 1;
      if (t0 >= height - 1) { t0 = t1 = height - 1; y = t0; }
      if (l0 >= width - 1) { l0 = l1 = width - 1; x = l0; }
      const float ly = y - t0, lx = x - l0, hy = 1 - ly, hx = 1 - lx;
      t = {{t0 * width + l0, t0 * width + l1, t1 * width + l0, t1 * width + l1}, {hy * hx, hy * lx, ly * hx, ly * lx}};
    }
    out.push_back(t);
  }
  return std::max<int64_t>(gh * gw, 1);
}

torch::Tensor forward(torch::Tensor input, torch::Tensor rois, double scale, int64_t ph, int64_t pw, int64_t ratio) {
  auto in = input.contiguous(), r = rois.contiguous();
  const int64_t n = r.size(0), c = in.size(1), h = in.size(2), w = in.size(3);
  auto out = torch::zeros({n, c, ph, pw}, in.options());
  const float *x = in.data_ptr<float>(), *b = r.data_ptr<float>();
  float* y = out.data_ptr<float>();
  std::vector<Tap> t;
  for (int64_t k = 0; k < n; k++) {
    const int64_t each = taps(b + 5 * k, scale, ph, pw, ratio, h, w, t);
    for (int64_t ch = 0; ch < c; ch++) {
      const float* map = x + (int64_t(b[5 * k]) * c + ch) * h * w;
      float* to = y + (k * c + ch) * ph * pw;
      for (int64_t bin = 0; bin < ph * pw; bin++) {
        float sum = 0;
        for (int64_t s = bin * each; s < (bin + 1) * each; s++) for (int a = 0; a < 4; a++) sum += t[s].weight[a] * map[t[s].at[a]];
        to[bin] = sum / each;
      }
    }
  }
  return out;
}

torch::Tensor backward(torch::Tensor grad, torch::Tensor rois, double scale, int64_t ph, int64_t pw, int64_t ratio, std::vector<int64_t> shape) {
  auto g = grad.contiguous(), r = rois.contiguous();
  auto out = torch::zeros(shape, g.options());
  const int64_t n = r.size(0), c = shape[1], h = shape[2], w = shape[3];
  const float *dy = g.data_ptr<float>(), *b = r.data_ptr<float>();
  float* dx = out.data_ptr<float>();
  std::vector<Tap> t;
  for (int64_t k = 0; k < n; k++) {
    const int64_t each = taps(b + 5 * k, scale, ph, pw, ratio, h, w, t);
    for (int64_t ch = 0; ch < c; ch++) {
      float* map = dx + (int64_t(b[5 * k]) * c + ch) * h * w;
      const float* from = dy + (k * c + ch) * ph * pw;
      for (int64_t bin = 0; bin < ph * pw; bin++) for (int64_t s = bin * each; s < (bin + 1) * each; s++) for (int a = 0; a < 4; a++) map[t[s].at[a]] += t[s].weight[a] * from[bin] / each;
    }
  }
  return out;
}
"""
native = load_inline("geolearn_detector_peer", SOURCE, functions=["nms", "forward", "backward"], extra_cflags=["-O3", "-march=native"])


class RoiAlign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, rois, *settings):
        ctx.save_for_backward(rois)
        ctx.rest = (*settings, list(x.shape))
        return native.forward(x, rois, *settings)

    @staticmethod
    def backward(ctx, dy):
        return (native.backward(dy, *ctx.saved_tensors, *ctx.rest), *[None] * 5)


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    size = (output_size, output_size) if isinstance(output_size, int) else output_size
    return RoiAlign.apply(input, boxes, spatial_scale, *size, sampling_ratio)


poolers.roi_align = roi_heads.roi_align = roi_align
box_ops.nms = native.nms

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
torch.manual_seed(1)
BATCH, SIZE = settings["batch"], settings["size"]
BANDS, CLASSES, OBJECTS, WIDTH = 3, 2, 6, 64
SIZES = [16, 32, 64, 128, 256]


def network(everything):
    body = torchvision.models.resnet18(weights=None)
    plain = {"image_mean": [0.0] * BANDS, "image_std": [1.0] * BANDS, "_skip_resize": True}
    if settings["net"] == "retinanet":
        backbone = BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], WIDTH, extra_blocks=LastLevelP6P7(WIDTH, WIDTH))
        anchors = AnchorGenerator(tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in SIZES), ((0.5, 1.0, 2.0),) * 5)
        return retinanet.RetinaNet(backbone, CLASSES, anchor_generator=anchors, **plain)
    backbone = BackboneWithFPN(body, {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)}, [64, 128, 256, 512], WIDTH)
    return mask_rcnn.MaskRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(tuple((s,) for s in SIZES), ((0.5, 1.0, 2.0),) * 5),
        box_head=TwoMLPHead(WIDTH * 49, 256), box_predictor=FastRCNNPredictor(256, 1 + CLASSES),
        mask_head=mask_rcnn.MaskRCNNHeads(WIDTH, (64, 64), 1), mask_predictor=mask_rcnn.MaskRCNNPredictor(64, 64, 1 + CLASSES),
        rpn_pre_nms_top_n_train=500, rpn_post_nms_top_n_train=200,
        rpn_batch_size_per_image=60_000 if everything else 256, box_batch_size_per_image=1024 if everything else 64, **plain,
    )  # fmt: skip


def tensors(path):
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    rename = lambda name: name.replace("encoder.", "backbone.body.", 1) if name.startswith("encoder.") else "backbone." + name if name.startswith("fpn.") else name
    return {rename(k): torch.from_numpy(np.frombuffer(data[8 + size :][slice(*v["data_offsets"])], "<f4").reshape(v["shape"]).copy()) for k, v in header.items() if k != "__metadata__"}


def loaded(net):
    found = net.load_state_dict(tensors(settings["weights"]), strict=False)
    assert not found.unexpected_keys and all(k.endswith("num_batches_tracked") for k in found.missing_keys), found
    return net.train()


def target(image):
    boxes, labels, masks = [], [], np.zeros((OBJECTS, SIZE, SIZE), np.uint8)
    for k in range(OBJECTS):
        x, y = (37 * k + 23 * image) % (SIZE - 40), (53 * k + 11 * image) % (SIZE - 40)
        x1, y1 = x + 12 + (7 * k) % 27, y + 12 + (11 * k) % 25
        masks[k, y:y1, x:x1] = 1
        masks[k, (y + y1) // 2 : y1, (x + x1) // 2 : x1] = 0
        boxes.append([x, y, x1, y1])
        labels.append(k % CLASSES + (settings["net"] != "retinanet"))
    return {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor(labels), "masks": torch.from_numpy(masks)}


count = BATCH * SIZE * SIZE * BANDS
images = torch.from_numpy((((np.arange(count) * 7919) % 1000 - 500) / 500).astype("f4").reshape(BATCH, SIZE, SIZE, BANDS)).permute(0, 3, 1, 2).contiguous()
targets = [target(i) for i in range(BATCH)]
NAMES = {"classification": "classification", "bbox_regression": "boxes", "loss_objectness": "objectness", "loss_rpn_box_reg": "proposals",
         "loss_classifier": "classification", "loss_box_reg": "boxes", "loss_mask": "masks"}  # fmt: skip
with torch.no_grad():
    net = loaded(network(True))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    first = {NAMES[k]: v.item() for k, v in net(list(images), targets).items()}
net = loaded(network(False))
optimizer = torch.optim.Adam(net.parameters(), 1e-4)
walls = []
for step in range(settings["steps"] + 2):
    start = time.perf_counter()
    optimizer.zero_grad()
    sum(net(list(images), targets).values()).backward()
    optimizer.step()
    if step >= 2:
        walls.append((time.perf_counter() - start) * 1000 / BATCH)
print(json.dumps({"params": sum(p.numel() for p in net.parameters()), "trainMsPerImage": statistics.median(walls), "losses": first}))
