#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures januspro against its rivals on this machine, in turns: llama.cpp, and PyTorch with transformers.
#
#   bench/peers.sh                                  everything, three rounds
#   bench/peers.sh --only step,prompt --types q4_0  some works, some types of weights; --help lists them
#   bench/peers.sh --build-only                     what needs no quiet machine: programs and models
#
# Each round runs ours, then the peer; the ratio is the median of the rounds', each of neighbours in time, and above 1
# where ours is faster. Works are the same on both sides: text is stepped with the text head, in the type that either
# program gives it, rows have caches of their own, all threads of the machine work. It builds
# llama.cpp for this processor from the copy in a source package of PyPI, and writes random models of Janus-Pro-1B's
# sizes for either side. PyTorch is that of script/python-env, in f32.
#
# It needs cmake, ninja, a C++ compiler, python3 and a network the first time, some 20 GB of disk for models beside the
# Python environment, 16 GB of memory, and januspro and bench_works built by the preset `release`. The first call takes
# half an hour for building on two cores, measuring everything about half an hour more, which nothing else should disturb.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${JANUSPRO_PEERS:-$here/build/peers}
package=llama_cpp_python version=0.3.36
sum=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
python=$("$here/script/python-env")/bin/python

say() { echo "bench/peers.sh: $*" >&2; }

build_llama() {
  local source=$cache/src/$package-$version log=$cache/llama.log
  mkdir -p "$cache/src"
  if [ ! -d "$source" ]; then
    say "fetching $package $version (77 MB)"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$package" -d "$cache/src" \
      "$package==$version"
    echo "$sum  $source.tar.gz" | sha256sum --check --quiet
    rm -rf "$cache/part" && mkdir "$cache/part"  # a folder that is there is whole
    tar xzf "$source.tar.gz" -C "$cache/part"
    mv "$cache/part/$package-$version" "$source"
  fi
  say "building llama.cpp; log in $log"
  {
    cmake -G Ninja -S "$source/vendor/llama.cpp" -B "$cache/llama" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
      -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF \
      -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
    nice -n 10 cmake --build "$cache/llama" -j2 --target llama-bench llama-batched-bench
  } >"$log" 2>&1 || { say "that failed:"; tail -n 20 "$log" >&2; exit 1; }
  touch "$cache/llama/complete"
}

[ -e "$cache/llama/complete" ] || build_llama
exec "$python" "$here/bench/peers/compare.py" --cache "$cache" "$@"
