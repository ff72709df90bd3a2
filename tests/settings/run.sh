#!/usr/bin/env bash
# Runs tests/run.sh and samples/quickstart.sh in settings that a machine may have and a developer's
# has not, one after the other; says of each how it went, how long it took and what was skipped, and
# of those that cannot be made here why. Fails if a setting fails, skips anything but what it is bound
# to, or skips nothing where it should have; with BN_SKIP_IS_FAILURE=1 also if one cannot be made.
#
#   tests/settings/run.sh [WORD...]                    only settings with one of the words in their names
#   TESTS='^(cli|io)' tests/settings/run.sh terminal   only these tests, as in tests/run.sh
#
# Most settings need root, and none changes the machine: they are namespaces of their own, on a copy
# of this tree whose path has a space and a letter beyond ASCII. One build serves all but the bare
# Debian, which needs debootstrap, a mirror, 2 GB and ten minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
words=("$@")
strict=${BN_SKIP_IS_FAILURE:-}
unset BN BUILD BN_SKIP_IS_FAILURE "${!PYTHON@}"

work=$(mktemp -d -p /var/tmp bn-settings-XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
checkout="$work/a café/bn"
debian=$work/debian
failures=0

copy_to() {  # DIRECTORY
  mkdir -p "$1"
  tar -C "$root" --exclude='./build*' --exclude=./.git -c . | tar -C "$1" -x --no-same-owner
}

wanted() {  # NAME
  [ ${#words[@]} -eq 0 ] && return
  local word
  for word in "${words[@]}"; do
    [[ $1 == *"$word"* ]] && return
  done
  return 1
}

report() {  # OUTCOME SECONDS NAME
  printf '%-9s %4d s  %s\n' "$@"
}

fail() {  # NAME: with what ctest printed of the tests that failed, and the end
  failures=$((failures + 1))
  report FAILED $((SECONDS - start)) "$1"
  {
    sed -n '/\*\*\*/,/^ *Start /p' "$work/log" | sed -n 1,200p
    tail -n 25 "$work/log"
  } | sed 's/^/    | /'
}

cannot_be_made() {  # NAME REASON
  printf 'cannot be made here: %s: %s\n' "$@"
  if [ -n "$strict" ]; then failures=$((failures + 1)); fi
}

can_be_made() {  # NAME COMMAND...
  local name=$1
  shift
  (cd "$checkout" && "$@" true) >"$work/log" 2>&1 && return
  cannot_be_made "$name" "$(head -1 "$work/log")"
  return 1
}

# Everything passes, run by the command, and what is skipped is for a reason that matches one of the
# expressions; each of them matches a reason.
passes() {  # NAME EXPRESSION[|EXPRESSION...] COMMAND...
  local name=$1 reasons=$2 start=$SECONDS outcome=passed skipped bound reason
  shift 2
  wanted "$name" && can_be_made "$name" "$@" || return 0
  (cd "$checkout" && "$@" bash -c 'tests/run.sh && samples/quickstart.sh') >"$work/log" 2>&1 ||
    outcome=FAILED
  skipped=$(sed -nE 's/^skipped: [^:]*: (.*)/\1/p' "$work/log" | sort | uniq -c)
  if [ -z "$reasons" ]; then
    [ -z "$skipped" ] || outcome=FAILED
  else
    ! grep -qvE "$reasons" <<<"$skipped" || outcome=FAILED
    IFS='|' read -ra bound <<<"$reasons"
    for reason in "${bound[@]}"; do
      grep -qE "$reason" <<<"$skipped" || outcome=FAILED
    done
  fi
  if [ $outcome = FAILED ]; then
    fail "$name"
  else
    report passed $((SECONDS - start)) "$name"
  fi
  [ -z "$skipped" ] || sed 's/^ */                  skipped: /' <<<"$skipped"
}

# tests/run.sh and samples/quickstart.sh end at once, with one line that matches.
refuses() {  # NAME EXPRESSION COMMAND...
  local name=$1 line=$2 start=$SECONDS outcome script
  shift 2
  wanted "$name" && can_be_made "$name" "$@" || return 0
  for script in tests/run.sh samples/quickstart.sh; do
    outcome=passed
    ! (cd "$checkout" && "$@" bash -c "$script") >"$work/log" 2>&1 &&
      [ "$(wc -l <"$work/log")" -eq 1 ] && grep -qE "$line" "$work/log" || outcome=FAILED
    if [ $outcome = FAILED ]; then
      fail "$name: $script"
    else
      report passed $((SECONDS - start)) "$name: $script"
      sed 's/^/                  /' "$work/log"
    fi
  done
}

# ---- what a setting runs its command with -------------------------------------------------------

as_nobody() {
  mkdir -p "$work/home"
  chown -R 65534:65534 "$work/home" "$work/a café" || return
  setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$work/home" "$@"
}

on_one_core() {
  taskset -c "$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')" "$@"
}

with_mounts() {  # SCRIPT COMMAND...: in a mount namespace in which the script has run
  local script=$1
  shift
  unshare -m bash -ec "$script"$'\nexec "$@"' bash "$@"
}

without_a_terminal() { with_mounts 'mount -t tmpfs -o size=64k none /dev/pts' "$@"; }

without_unshare() { /usr/bin/python3 tests/settings/without.py unshare "$@"; }

without_ptrace() { /usr/bin/python3 tests/settings/without.py ptrace "$@"; }

as_nobody_without_unshare() {
  as_nobody /usr/bin/python3 tests/settings/without.py unshare "$@"
}

with_umask_077() { (umask 077 && "$@"); }

in_the_c_locale() { env -u LANG -u LANGUAGE LC_ALL=C "$@"; }

with_another_file_system() {
  mkdir -p "$work/other"
  with_mounts "mount -t tmpfs -o size=2g none '$work/other'" env TMPDIR="$work/other" "$@"
}

with_a_small_dev_shm() { with_mounts 'mount -t tmpfs -o size=64m none /dev/shm' "$@"; }

without_dev_shm() {
  mkdir -p "$work/dev"
  with_mounts "dev='$work/dev'"'
    mount -t tmpfs none "$dev"
    for name in null zero full random urandom tty; do
      touch "$dev/$name"
      mount --bind "/dev/$name" "$dev/$name"
    done
    mknod -m 666 "$dev/ptmx" c 5 2
    mkdir "$dev/pts"
    mount --bind /dev/pts "$dev/pts"
    ln -s /proc/self/fd "$dev/fd"
    ln -s fd/0 "$dev/stdin"
    ln -s fd/1 "$dev/stdout"
    ln -s fd/2 "$dev/stderr"
    mount --rbind "$dev" /dev' "$@"
}

without_debian() {  # PROGRAM COMMAND...: all programs but those of Debian's packages, and this one
  local missing=$1
  shift
  rm -rf "$work/programs"
  mkdir "$work/programs"
  ln -sf /usr/sbin/* /usr/bin/* "$work/programs"
  rm -f "$work/programs/"{dpkg-query,apt-get,"$missing"}
  env PATH="$work/programs" "$@"
}

in_debian() {  # USER COMMAND...: in the bare Debian, with nothing of this machine's environment
  local user=$1
  shift
  with_mounts "mount --bind '$debian' '$debian' && cd '$debian'"'
    mount -t proc proc proc
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
    mount -t tmpfs tmpfs dev/shm
    mkdir -p mnt/old
    pivot_root . mnt/old
    umount -l /mnt/old' \
    env -i -C /bn PATH=/usr/sbin:/usr/bin:/sbin:/bin TESTS="${TESTS:-}" \
    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    setpriv --reuid="$user" --regid="$user" --clear-groups env HOME=/tmp "$@"
}

make_debian() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "needs root"
    return 1
  fi
  if ! command -v debootstrap; then
    echo "debootstrap is not installed"
    return 1
  fi
  debootstrap --variant=minbase --include=git bookworm "$debian" http://deb.debian.org/debian &&
    cp -L /etc/resolv.conf "$debian/etc/resolv.conf" && copy_to "$debian/bn"
}

# ---- the settings -------------------------------------------------------------------------------

copy_to "$checkout"
not_there='no mount namespace'
not_given='only root can give files away'
if [ "$(id -u)" -eq 0 ]; then mine=""; else mine=$not_given; fi

passes "as whom this is run, from a path with a space and a letter beyond ASCII" "$mine" env
passes "on one core" "$mine" on_one_core
passes "without a terminal: nothing mounted on /dev/pts" "no terminal can be opened" without_a_terminal
passes "with umask 077" "$mine" with_umask_077
passes "with LC_ALL=C" "$mine" in_the_c_locale
passes "with TMPDIR on another file system" "" with_another_file_system
passes "without /dev/shm" "" without_dev_shm
passes "with a /dev/shm of 64 MB" "" with_a_small_dev_shm
passes "without ptrace, so that strace cannot trace" "${mine:+$mine|}strace may not trace" without_ptrace
passes "without namespaces, as root in a container" "${mine:+$mine|}$not_there" without_unshare
passes "as an ordinary user" "$not_given" as_nobody
passes "without namespaces, as an ordinary user" "$not_given|$not_there" as_nobody_without_unshare
passes "not on Debian, nothing missing" "$mine" without_debian none
refuses "not on Debian, cmake missing" '^packages: not Debian, .* cmake \(program cmake\)$' \
  without_debian cmake

in_bare_debian() {
  local name="on a bare Debian 12" user=65533 start=$SECONDS
  wanted "$name" || return 0
  if ! make_debian >"$work/log" 2>&1; then
    cannot_be_made "$name" "$(tail -1 "$work/log")"
    return
  fi
  passes "$name, as root without sudo" "" in_debian 0
  in_debian 0 bash -ec "apt-get install -qq -y sudo
    apt-get remove -qq -y strace
    echo 'ALL ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/all
    useradd -u $user -U tester
    chown -R tester: /bn" >"$work/log" 2>&1 || fail "$name, preparing for an ordinary user"
  passes "$name, as an ordinary user with sudo, strace missing" "$not_given" in_debian $user
  passes "$name, as an ordinary user with sudo, nothing missing" "$not_given" in_debian $user
  in_debian 0 env SUDO_FORCE_REMOVE=yes apt-get remove -qq -y sudo cmake >"$work/log" 2>&1 ||
    fail "$name, removing sudo"
  refuses "$name, as an ordinary user without sudo, cmake missing" \
    '^packages: there is no sudo, .* apt-get install cmake$' in_debian $user
}
in_bare_debian

echo "$failures settings failed; $((SECONDS / 60)) min"
[ $failures -eq 0 ]
