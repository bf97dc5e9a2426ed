#!/usr/bin/env bash
# Proves that the project runs on a fresh machine: clones HEAD into a temporary folder and runs there, with nothing on
# PATH but Node, git and the basic tools, `npm ci && npm start` and `npm ci && npm test`. Prints how long each took and
# its exit code, and exits 1 if one failed.
#
#   test/fresh-machine.sh [with-compiler|without-compiler [TEST PATH…]]
#
# Without arguments it does both variants with all tests. Test paths replace `npm ci && npm test` by the tests below them
# alone, in the folder that `npm ci && npm start` left.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
base_tools=(node npm npx git bash sh env sed grep awk find xargs tar gzip ps)
compiler_tools=(g++ gcc cc c++ make ar as ld)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# Links each named program that exists here, past any version switcher's shim, into the folder $1.
link_tools() {
  local folder=$1 name path
  shift
  mkdir -p "$folder"
  for name in "$@"; do
    if path=$(command -v "$name"); then ln -sf "$(readlink -f "$path")" "$folder/$name"; fi
  done
}

# Runs the command line $2 in the clone with PATH=$1, and prints its exit code and duration; its output only if it failed.
measure() {
  local path=$1 line=$2 code=0 start=$SECONDS
  (cd "$work/clone" && env -u CI -u CC -u CXX -u PYTHON PATH="$path" bash -c "$line") >"$work/output" 2>&1 || code=$?
  printf '%-44s exit %d, %d s%s\n' "$line" "$code" $((SECONDS - start)) "$(summary "$line")"
  if [ "$code" -ne 0 ]; then
    failures=$((failures + 1))
    tail -n 80 "$work/output" | sed 's/^/    /'
  fi
}

# The totals of a test run.
summary() {
  case $1 in *'npm test'*) printf ', %s' "$(tail -n 1 "$work/output")" ;; esac
}

run_variant() {
  local variant=$1 path="$work/$1/bin"
  shift
  mapfile -t coreutils < <(dpkg-query --listfiles coreutils | grep -E '^(/usr)?/bin/' | xargs -n 1 basename)
  link_tools "$path" "${base_tools[@]}" "${coreutils[@]}"
  if [ "$variant" = with-compiler ]; then
    link_tools "$path" "${compiler_tools[@]}"
    ln -sf "$(python3 -c 'import sys; print(sys.executable)')" "$path/python3"
  fi

  printf -- '-- %s\n' "$variant"
  rm -rf "$work/clone"
  git clone --quiet "$repository" "$work/clone"
  measure "$path" 'npm ci && npm start'
  if [ $# -gt 0 ]; then
    measure "$path" "npm test -- $*"
  else
    measure "$path" 'npm ci && npm test'
  fi
}

case ${1:-} in
  '')
    run_variant with-compiler
    run_variant without-compiler
    ;;
  with-compiler | without-compiler) run_variant "$@" ;;
  *)
    echo "Expected with-compiler or without-compiler but received '$1'" >&2
    exit 2
    ;;
esac
[ "$failures" -eq 0 ]
