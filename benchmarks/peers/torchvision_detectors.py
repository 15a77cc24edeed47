"""torchvision's RetinaNet and Mask R-CNN as a network of geolearn is configured: their own classes, only widths, anchors and numbers are given.

torchvision lies in the folder `zoo` of the environment (scripts/setup-peers.sh --zoo).
"""
import pathlib, sys
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracles"))
from zoo import use_zoo  # noqa: E402

keep = use_zoo()
import torchvision  # noqa: E402
import torchvision_ops  # noqa: E402,F401
from torchvision.models.detection import mask_rcnn  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.backbone_utils import BackboneWithFPN  # noqa: E402
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNet  # noqa: E402
from torchvision.ops.feature_pyramid_network import LastLevelP6P7  # noqa: E402


def detector(kind, config, side, weights, mean=None, std=None):
    """A `"retinanet"` or `"mask-rcnn"` for square chips of `side` pixels, which keep their size, with the weights of a safetensors file."""
    bands, width, anchors = config["bands"], config["fpnWidth"], config["anchors"]
    # `_skip_resize` would spare only the chips that are trained with
    plain = {"image_mean": mean or [0.0] * bands, "image_std": std or [1.0] * bands, "min_size": side, "max_size": side}
    body = getattr(torchvision.models, config["backbone"])(weights=None)
    if bands != 3:
        body.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    net = (retinanet if kind == "retinanet" else mask_network)(body, config, width, anchors, plain)
    given = {}
    for name, value in load_file(weights).items():
        for own, theirs in ("encoder.", "backbone.body."), ("fpn.", "backbone.fpn."):
            if name.startswith(own):
                name = theirs + name[len(own) :]
        given[name] = value
    left = net.load_state_dict(given, strict=False)
    assert not left.unexpected_keys and all(k.endswith("num_batches_tracked") for k in left.missing_keys), left
    return net


def retinanet(body, config, width, anchors, plain):
    backbone = BackboneWithFPN(body, {"layer2": "0", "layer3": "1", "layer4": "2"}, [128, 256, 512], width, extra_blocks=LastLevelP6P7(width, width))
    sizes = tuple(tuple(int(size * scale) for scale in anchors["scales"]) for size in anchors["sizes"])
    return RetinaNet(backbone, config["classes"], anchor_generator=AnchorGenerator(sizes, (tuple(anchors["ratios"]),) * len(sizes)), **plain)


def mask_network(body, config, width, anchors, plain):
    backbone = BackboneWithFPN(body, {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)}, [64, 128, 256, 512], width)
    kinds, hidden, depth = 1 + config["classes"], config["maskHeadWidth"], config["maskHeadDepth"]
    (train_candidates, test_candidates), (train_proposals, test_proposals) = config["candidates"], config["proposals"]
    return mask_rcnn.MaskRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(tuple((size,) for size in anchors["sizes"]), (tuple(anchors["ratios"]),) * len(anchors["sizes"])),
        box_head=TwoMLPHead(width * 49, config["boxHeadWidth"]), box_predictor=FastRCNNPredictor(config["boxHeadWidth"], kinds),
        mask_head=mask_rcnn.MaskRCNNHeads(width, (hidden,) * depth, 1), mask_predictor=mask_rcnn.MaskRCNNPredictor(hidden, hidden, kinds),
        rpn_pre_nms_top_n_train=train_candidates, rpn_pre_nms_top_n_test=test_candidates,
        rpn_post_nms_top_n_train=train_proposals, rpn_post_nms_top_n_test=test_proposals,
        rpn_batch_size_per_image=config["rpnSamples"], box_batch_size_per_image=config["rois"], box_detections_per_img=config["detections"], **plain,
    )  # fmt: skip
