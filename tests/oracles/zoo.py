"""The folder with torchvision, timm, segmentation-models-pytorch and tensorflowjs that scripts/setup-peers.sh --zoo makes, importable.

They are kept apart from the other peers: PyPI's torchvision is built for another PyTorch than the one for CPUs, so that its
compiled operators do not load. The networks are plain Python and work once two operator names exist.
"""
import pathlib, sys
import torch


def zoo_folder():
    folder = pathlib.Path(sys.prefix) / "zoo"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is missing: run scripts/setup-peers.sh --zoo")
    return folder


def use_zoo():
    """Makes `import torchvision`, `timm` and `segmentation_models_pytorch` work."""
    sys.path.append(str(zoo_folder()))
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library  # the definitions live as long as this
