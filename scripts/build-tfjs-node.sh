#!/usr/bin/env bash
# build-tfjs-node.sh [DIR]: @tensorflow/tfjs-node 4.22.0 with its native binding, for the tests of device `tensorflow`, in DIR (default
# ../.tfjs-node). Its own installer downloads a library from a host that is often not reachable; the same library, with headers, lies in the
# wheel of tensorflow-cpu 2.15.1 on PyPI, and the binding is two C++ files. Needs Linux x64, g++, Python's pip, unzip and Node's headers.
# When it is there already, only its tfjs is made that of this checkout. Takes some 250 MB of download and 900 MB of disk.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/../.tfjs-node}
package=$dir/node_modules/@tensorflow/tfjs-node
binding=$package/lib/napi-v8/tfjs_binding.node

# tfjs must be there once: the copy of this repository, with the packages it is made of beside it.
link_tfjs() {
  local copies copy
  copies=$(dirname "$(readlink -f "$root/packages/engine/node_modules/@tensorflow/tfjs")")
  for copy in "$copies"/*; do
    rm -rf "$dir/node_modules/@tensorflow/$(basename "$copy")"
    ln -s "$(readlink -f "$copy")" "$dir/node_modules/@tensorflow/$(basename "$copy")"
  done
}

if [ -f "$binding" ]; then
  link_tfjs
  echo "$binding is there"
  exit 0
fi

headers=$(node -p 'require("node:path").resolve(process.execPath, "../../include/node")')
[ -f "$headers/node_api.h" ] || { echo "no headers of Node in $headers" >&2; exit 1; }
mkdir -p "$dir"
cd "$dir"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --ignore-scripts --no-audit --no-fund --no-save @tensorflow/tfjs-node@4.22.0
link_tfjs

wheel=$(mktemp -d "$dir/wheel.XXXXXX")
trap 'rm -rf "$wheel"' EXIT
${PYTHON:-python3} -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux2014_x86_64 -d "$wheel" tensorflow-cpu==2.15.1
unzip -q "$wheel"/*.whl 'tensorflow/include/*' 'tensorflow/libtensorflow_cc.so.2' 'tensorflow/libtensorflow_framework.so.2' -d "$wheel"
rm -rf "$package/deps"
mkdir -p "$package/deps/lib"
mv "$wheel/tensorflow/include" "$package/deps/include"
mv "$wheel"/tensorflow/libtensorflow_cc.so.2 "$wheel"/tensorflow/libtensorflow_framework.so.2 "$package/deps/lib/"

mkdir -p "$(dirname "$binding")"
g++ -O2 -std=c++17 -fPIC -shared -DNAPI_VERSION=8 -DBUILDING_NODE_EXTENSION -I"$headers" -I"$package" -I"$package/deps/include" \
  "$package"/binding/tfjs_backend.cc "$package"/binding/tfjs_binding.cc \
  -L"$package/deps/lib" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,'$ORIGIN/../../deps/lib' -o "$binding.partial"
mv "$binding.partial" "$binding"
echo "$binding"
