#!/usr/bin/env bash
# bn between other programs: - is standard input and standard output, and nothing but the array is
# ever printed there.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

"$bn" init --preset pytorch --channels 3 -o state.json
"$bn" calibrate --state state.json "$samples/photos.npy"

# Decompress | normalise | clip, as a quantiser may do | statistics of what came out.
gzip -c "$samples/photos.npy" >photos.npy.gz
cat <<'END'
$ gzip -dc photos.npy.gz | bn forward - --state state.json --mode test -o - |
    python3 -c '... clip to [-1, 1] ...' | bn stats - -o -
END
gzip -dc photos.npy.gz | "$bn" forward - --state state.json --mode test -o - |
  "$python" -c '
import io, sys, numpy as np
y = np.load(io.BytesIO(sys.stdin.buffer.read()))
clipped = io.BytesIO()  # np.save itself asks for a position in its file, which a pipe has not
np.save(clipped, y.clip(-1, 1))
sys.stdout.buffer.write(clipped.getvalue())' | "$bn" stats - -o -

# The pipe gives the same bytes as files do.
"$bn" forward "$samples/photos.npy" --state state.json --mode test -o y.npy
gzip -dc photos.npy.gz | "$bn" forward - --state state.json --mode test -o - | cmp - y.npy
echo "through the pipe or through files: the same bytes"
