#!/bin/bash
# test/on-debian.sh [-s SUITE] [-n NODE] FOLDER [TESTS…]
#
# Runs tests on another Debian (trixie) with another Node.js (24), in a root that is made in FOLDER by debootstrap and
# kept there. Takes this clone's tracked files, its packages and its addon, which one and the same serves all versions
# of Node.js. Needs root, debootstrap, and the registries of Debian and npm; what it mounts is gone when it ends.
set -euo pipefail
suite=trixie node=24
while getopts s:n: flag; do
  case $flag in
  s) suite=$OPTARG ;;
  n) node=$OPTARG ;;
  *) exit 64 ;;
  esac
done
shift $((OPTIND - 1))
root=$(realpath -m "${1:?expected a folder}")
shift
cd "$(dirname "$0")/.."
# What tells whether the front end of this Node.js, the gate before it, and reloads work; none of it needs a film made.
tests=("$@")
[ $# -gt 0 ] || tests=(test/unit/{http,config,access,supervisor} test/integration/{http,supervisor,admin})
uid=12345

if [ ! -x "$root/usr/bin/g++" ]; then
  debootstrap --variant=minbase --include=g++,make,python3,curl,openssl,procps,iproute2 "$suite" "$root" \
    http://deb.debian.org/debian
fi
case $(uname -m) in
x86_64) architecture=x64 ;;
*) architecture=arm64 ;;
esac
if [ "$("$root/usr/local/bin/node" -p 'process.versions.node.split(".")[0]' 2>/dev/null)" != "$node" ]; then
  download=$(mktemp -d)
  npm install --silent --no-save --prefix "$download" "node-linux-$architecture@$node"
  install -D "$download/node_modules/node-linux-$architecture/bin/node" "$root/usr/local/bin/node"
  rm -r "$download"
fi
work=$root/moovedge
rm -rf "$work" && mkdir -p "$work/native/build/Release"
git ls-files -z | tar -c --null -T - --ignore-failed-read | tar -x -C "$work"
cp -al node_modules dist "$work" 2>/dev/null || cp -a node_modules dist "$work"
cp native/build/Release/moovedge.node "$work/native/build/Release/"
chown $uid "$work" "$work/dist"
unshare --mount --pid --fork bash -c '
  root=$1 uid=$2
  shift 2
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/tmp" && chmod 1777 "$root/tmp"
  files=()
  for path; do
    if [ -d "$root/moovedge/$path" ]; then
      while read -r file; do files+=("$file"); done < <(cd "$root/moovedge" && find "$path" -name "*.test.ts" | sort)
    else
      files+=("$path")
    fi
  done
  exec chroot "$root" setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all \
    sh -c "cd /moovedge && HOME=/tmp exec node --import tsx --test --test-concurrency=2 --test-reporter=./test/reporter.mjs \"\$@\"" \
    sh "${files[@]}"
' bash "$root" "$uid" "${tests[@]}"
