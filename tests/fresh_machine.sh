#!/bin/bash
# Proves README's two commands where nothing is installed but git, python3, make and gcc: a minimal Debian 12 made by
# mmdebstrap, with a clone of what is committed here. Needs root; takes minutes; everything is removed at the end.
#
#   tests/fresh_machine.sh [run|test|all]      KEEP=1 leaves the root directory and names it
set -euo pipefail

what=${1:-all}
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
certificates=/etc/ssl/certs/ca-certificates.crt

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'fresh machine: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root, to make a root directory and to enter it"
command -v mmdebstrap >/dev/null || {
    command -v apt-get >/dev/null || fail "mmdebstrap is not installed"
    say "installing mmdebstrap"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
}

root=$(mktemp -d /tmp/fresh.XXXXXX)
chmod 755 "$root"
clean_up() {
    if [ -n "${KEEP:-}" ]; then echo "left: $root"; else rm -rf --one-file-system "$root"; fi
}
trap clean_up EXIT

make_machine() {
    say "making a Debian 12 with git, python3, make and gcc"
    local sources=()
    # The same mirrors as this machine has; without a file of them, mmdebstrap's own.
    [ -r /etc/apt/sources.list.d/debian.sources ] && sources=(/etc/apt/sources.list.d/debian.sources)
    mmdebstrap --quiet --mode=root --variant=apt --include=git,python3,make,gcc,libc6-dev,ca-certificates \
        bookworm "$root" "${sources[@]}"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    [ ! -r $certificates ] || cp $certificates "$root$certificates"
    [ ! -r /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
    git clone --quiet "$project" "$root/gnomon"
}

# Variables that say how to reach the network: certificates, proxies, mirrors.
network_variables() {
    env | grep -E '^(SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PIP_CERT|PIP_INDEX_URL|PIP_DEFAULT_TIMEOUT)=' || true
    env | grep -E '^(UV_[A-Z_]+|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)=' || true
}

# Runs a script in the machine, in namespaces of its own: what it starts ends with it.
inside() {
    local variables
    mapfile -t variables < <(network_variables)
    unshare --mount --pid --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount --bind /dev "$1/dev"
        mount --bind /dev/pts "$1/dev/pts"
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/tmp"
        root=$1; script=$2; shift 2
        exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            LANG=C.UTF-8 TERM=dumb "$@" /bin/bash -euc "cd /gnomon; $script"
    ' bash "$root" "$1" "${variables[@]}"
}

# `make run` shows runs that succeed, and Ctrl-C ends it and all of its processes.
check_run() {
    say "make run, until a run has succeeded; then Ctrl-C"
    inside '
        set -m                     # a process group of its own, as a terminal gives it
        make run >/tmp/out 2>&1 &
        group=$!
        for _ in $(seq 1800); do
            grep -q success /tmp/out && break
            kill -0 -- -$group 2>/dev/null || { cat /tmp/out; echo "make run ended by itself"; exit 1; }
            sleep 0.1
        done
        grep -q success /tmp/out || { cat /tmp/out; echo "no run succeeded within 180 s"; exit 1; }
        kill -INT -- -$group
        wait $group || true
        tail -n 40 /tmp/out
        left=$(grep -lsz "/gnomon/[.]venv/" /proc/[0-9]*/cmdline || true)
        for file in $left; do tr "\0" " " <"$file"; echo; done
        [ -z "$left" ] || { echo "the processes above were left after Ctrl-C"; exit 1; }
        echo "nothing is left"
    '
}

# `make test` passes, and as root on Debian nothing skips.
check_tests() {
    say "make test"
    inside '
        make test 2>&1 | tee /tmp/out
        tail -n 1 /tmp/out | grep -q " passed" || { echo "the tests did not pass"; exit 1; }
        tail -n 1 /tmp/out | grep -qE "failed|error|skipped" && { echo "not all tests ran and passed"; exit 1; }
        echo "all tests ran and passed"
    '
}

make_machine
case $what in
    run) check_run ;;
    test) check_tests ;;
    all) check_run; check_tests ;;
    *) fail "there is run, test and all, but no $what" ;;
esac
say "the fresh machine is content"
