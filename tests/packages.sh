#!/usr/bin/env bash
# Installs the Debian packages that building and testing bn needs, and those named as arguments,
# as far as they are missing; with sudo where not root.
set -euo pipefail

packages=(cmake g++ make libboost-dev libcli11-dev libxtensor-dev nlohmann-json3-dev catch2
          libgmp-dev python3 python3-numpy "$@")

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "packages: all there"
  exit
fi

echo "packages: installing ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -qq -y --no-install-recommends "${missing[@]}"
