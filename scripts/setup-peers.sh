#!/usr/bin/env bash
# Makes the Python environment the tests and benchmarks compare with (PyTorch, rasterio, shapely, ...), outside the tree.
# Usage: scripts/setup-peers.sh [DIR]   (default: $GEOLEARN_PEERS, else ../.venv-peers)
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-${GEOLEARN_PEERS:-../.venv-peers}}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy
"$dir/bin/pip" install -q --disable-pip-version-check rasterio shapely scikit-learn onnx onnxruntime rio-cogeo pyproj pyogrio safetensors nbclient nbformat
echo "$dir/bin/python"
