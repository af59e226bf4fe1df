#!/bin/sh
# Compiles the program and its DLL into out/ (Debian: apt-get install gcc-mingw-w64-x86-64-win32).
set -eu
cd "$(dirname "$0")"
mkdir -p out
cc="x86_64-w64-mingw32-gcc -O2 -s -Wl,--no-insert-timestamp"
$cc -shared -o out/opinion.dll opinion.c -Wl,--out-implib,out/opinion.a
$cc -o out/cool-app.exe cool-app.c out/opinion.a
rm out/opinion.a
