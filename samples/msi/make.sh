#!/bin/sh
# Compiles the tool and packs it into out/sample.msi (Debian: apt-get install gcc-mingw-w64-x86-64-win32 wixl).
set -eu
cd "$(dirname "$0")"
mkdir -p out
x86_64-w64-mingw32-gcc -O2 -s -Wl,--no-insert-timestamp -o out/sample-tool.exe sample-tool.c
wixl --arch x64 -o out/sample.msi product.wxs
