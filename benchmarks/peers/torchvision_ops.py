"""torchvision's compiled operators for detectors, which the peers' torchvision lacks (see tests/oracles/zoo.py).

Non-maximum suppression and RoIAlign from C++ that does what torchvision's CPU kernels do; importing this puts them in place.
"""
import torch
from torch.utils.cpp_extension import load_inline
from torchvision.models.detection import roi_heads
from torchvision.ops import boxes as box_ops, poolers

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
