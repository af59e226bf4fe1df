#!/usr/bin/env bash
# Makes wbuild from this checkout on a runner: an ordinary user who may become root by sudo. Nothing but packages and one
# setting of the kernel needs root; builds do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

missing=$(node native/setup/packages.mjs build run)
if [ -n "$missing" ]; then
  sudo apt-get -qq update
  # Word by word: it is a list.
  # shellcheck disable=SC2086
  sudo apt-get -qq install -y --no-install-recommends $missing
fi
# Ubuntu 24.04 and newer keep user namespaces from programs without a profile of their own.
if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null || true)" = 1 ]; then
  sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
fi
npm run setup --silent
echo "$PWD/dist" >> "$GITHUB_PATH"
dist/wbuild doctor || true
