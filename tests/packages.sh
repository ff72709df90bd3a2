#!/usr/bin/env bash
# Installs the Debian packages that building and testing bn needs, and those named as arguments,
# as far as they are missing; with sudo where not root. Where there is no sudo, or no Debian, it says
# in one line what is missing, and goes on if nothing is.
set -euo pipefail

packages=(cmake g++ make libboost-dev libcli11-dev libxtensor-dev nlohmann-json3-dev catch2
          libgmp-dev python3 python3-numpy "$@")

# What a package is needed for, to look for it where packages have other names: a program, a header
# that the compiler finds, a runtime library of Clang's, a module of Python, a file.
contents() {  # PACKAGE
  case $1 in
    g++) echo program c++ ;;
    libboost-dev) echo header boost/multiprecision/cpp_int.hpp ;;
    libcli11-dev) echo header CLI/CLI.hpp ;;
    libxtensor-dev) echo header xtensor/xarray.hpp ;;
    nlohmann-json3-dev) echo header nlohmann/json.hpp ;;
    catch2) echo header catch2/catch.hpp catch2/catch_all.hpp ;;
    libgmp-dev) echo header gmpxx.h ;;
    python3) echo file /usr/bin/python3 ;;
    python3-numpy) echo module numpy ;;
    locales) echo file /usr/share/i18n/locales/de_DE ;;
    clang) echo program clang++ ;;
    libclang-rt-14-dev) echo runtime fuzzer ;;
    qemu-user) echo program qemu-aarch64 ;;
    g++-aarch64-linux-gnu) echo program aarch64-linux-gnu-g++ ;;
    *) echo program "$1" ;;
  esac
}

there() {  # KIND NAME...: whether one of them is
  local kind=$1 name
  shift
  for name in "$@"; do
    case $kind in
      program) command -v "$name" ;;
      header) echo "#include <$name>" | "${CXX:-c++}" -std=c++20 -fsyntax-only -x c++ - ;;
      runtime) echo 'extern "C" int LLVMFuzzerTestOneInput() { return 0; }' |
        clang++ "-fsanitize=$name" -x c++ - -o /dev/null ;;
      module) /usr/bin/python3 -c "import $name" ;;
      file) test -e "$name" ;;
    esac >/dev/null 2>&1 && return
  done
  return 1
}

missing=()
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
  done
else
  for package in "${packages[@]}"; do
    read -ra what <<<"$(contents "$package")"
    there "${what[@]}" || missing+=("$package (${what[0]} ${what[1]})")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    list=$(printf ', %s' "${missing[@]}")
    echo "packages: not Debian, so install what corresponds to its packages ${list:2}" >&2
    exit 1
  fi
fi
if [ ${#missing[@]} -eq 0 ]; then
  echo "packages: all there"
  exit
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "packages: there is no sudo, so run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "packages: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -qq -y --no-install-recommends "${missing[@]}"
