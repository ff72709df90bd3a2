# Sourced by the samples: where they are, the program, a directory to work in, a Python with NumPy.
# BN names another program than the one in build/.
set -euo pipefail

samples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=/usr/bin/python3  # Debian's, for which its NumPy is installed
bn=${BN:-$samples/../build/bn}
if [ ! -x "$bn" ]; then
  echo "$bn is not there; samples/quickstart.sh builds it" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Says what is done, then does it.
run() {
  printf '\n$ bn'
  printf ' %s' "${@//"$samples"\//}"
  printf '\n'
  "$bn" "$@"
}
