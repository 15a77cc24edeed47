#!/usr/bin/env bash
# Makes the Python environment the tests and benchmarks compare with (PyTorch, rasterio, shapely, ...), outside the tree.
# Usage: scripts/setup-peers.sh [DIR]         (default: $GEOLEARN_PEERS, else ../.venv-peers)
#        scripts/setup-peers.sh --zoo [DIR]   also torchvision, timm, segmentation-models-pytorch and tensorflowjs, for the scripts in
#                                             tests/oracles that make the fixtures of encoders and weight files; tests do not need them
set -euo pipefail
cd "$(dirname "$0")/.."
zoo=
[ "${1:-}" != --zoo ] || { zoo=1; shift; }
dir=${1:-${GEOLEARN_PEERS:-../.venv-peers}}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy
"$dir/bin/pip" install -q --disable-pip-version-check rasterio shapely scikit-learn onnx onnxruntime rio-cogeo pyproj pyogrio geopandas pyarrow tensorboard safetensors stac-model nbclient nbformat pycocotools buildingregulariser==0.2.5
# Apart from the others, without what they depend on (another PyTorch, TensorFlow): see tests/oracles/zoo.py.
[ -z "$zoo" ] || "$dir/bin/pip" install -q --disable-pip-version-check --no-deps --upgrade --target "$dir/zoo" torchvision==0.28.0 timm==1.0.31 \
  segmentation-models-pytorch==0.6.0 tensorflowjs==4.22.0 pillow "huggingface_hub<1" tqdm requests urllib3 idna charset_normalizer pyyaml ensemble-boxes==1.0.9
echo "$dir/bin/python"
