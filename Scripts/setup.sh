#!/usr/bin/env bash
# Installs what the build needs and is missing: libpng, libjpeg-turbo, OpenBLAS, zlib, pkg-config. Sourced by the other scripts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v swift >/dev/null; then
  echo "error: Swift is not installed" >&2
  echo "fix: install Swift 6.1 or later from https://www.swift.org/install and put it on the PATH" >&2
  exit 1
fi

missing=()
command -v pkg-config >/dev/null || missing+=(pkg-config)
if command -v pkg-config >/dev/null; then
  pkg-config --exists libpng || missing+=(libpng-dev)
  pkg-config --exists libjpeg || missing+=(libjpeg62-turbo-dev)
  pkg-config --exists openblas || missing+=(libopenblas-dev)
  pkg-config --exists zlib || missing+=(zlib1g-dev)
else
  missing+=(libpng-dev libjpeg62-turbo-dev libopenblas-dev zlib1g-dev)
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(uname)" = Darwin ]; then
    echo "error: libraries are missing" >&2
    echo "fix: brew install libpng jpeg-turbo openblas pkg-config" >&2
    exit 1
  fi
  install=(apt-get)
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null; then install=(sudo apt-get); else
      echo "error: missing packages: ${missing[*]}" >&2
      echo "fix: as root, run: apt-get install ${missing[*]}" >&2
      exit 1
    fi
  fi
  # Ubuntu names the package differently.
  apt-cache show libjpeg62-turbo-dev >/dev/null 2>&1 || missing=("${missing[@]/libjpeg62-turbo-dev/libjpeg-turbo8-dev}")
  echo "Installing ${missing[*]} …"
  "${install[@]}" update -qq
  DEBIAN_FRONTEND=noninteractive "${install[@]}" install -y -qq "${missing[@]}" >/dev/null
fi
