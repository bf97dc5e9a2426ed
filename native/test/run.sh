#!/usr/bin/env bash
# Compiles the C++ tests, which know no Node, and runs each. One argument at most:
#   plain (default) as the addon is built    asan   address and undefined-behaviour sanitizers
#   tsan            thread sanitizer         valgrind
#   fuzz [N]        N (default 10,000,000) mutated packets through the receive path, under the address sanitizer
#   all             plain, asan, tsan and valgrind
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-plain}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# name: the sources beside its test
declare -A sources=(
  [g711]='g711.cc'
  [base64]='base64.cc'
  [speech-power]='speech-power.cc'
  [mirrored-memory]='mirrored-memory.cc'
  [paced-sender]='paced-sender.cc'
  [media-transport]='media-transport.cc media-thread.cc paced-sender.cc paced-streams.cc realtime-thread.cc
    standby-sender.cc udp-socket.cc mirrored-memory.cc'
)

# compile NAME FLAG...
compile() {
  local name=$1
  shift
  # shellcheck disable=SC2086
  (cd native && g++ -std=c++17 -g -Wall -Wextra -Wshadow -Werror -pthread -fno-ipa-icf -ffp-contract=off "$@" \
    ${sources[$name]} "test/$name-test.cc" -o "$folder/$name")
}

# run_all FLAGS [COMMAND...]: every test of `names` compiled with FLAGS, all at once, and run by COMMAND
names='g711 base64 speech-power mirrored-memory paced-sender media-transport'
run_all() {
  local flags=$1
  local compilers=()
  shift
  for name in $names; do
    # shellcheck disable=SC2086
    compile "$name" $flags &
    compilers+=($!)
  done
  for compiler in "${compilers[@]}"; do wait "$compiler"; done
  for name in $names; do
    echo "$name ($flags${1:+, $1})"
    "$@" "$folder/$name"
  done
}

plain() { run_all '-O3'; }
asan() { run_all '-O1 -fsanitize=address,undefined -fno-sanitize-recover=all'; }
# The others have one thread.
tsan() { names='paced-sender media-transport' TSAN_OPTIONS=halt_on_error=1 run_all '-O1 -fsanitize=thread'; }
memcheck() { run_all '-O1' valgrind --quiet --error-exitcode=1 --leak-check=full --fair-sched=yes; }

case $mode in
  plain | asan | tsan) "$mode" ;;
  valgrind) memcheck ;;
  fuzz)
    compile media-transport -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
    "$folder/media-transport" "${2:-10000000}"
    ;;
  all)
    plain
    asan
    tsan
    memcheck
    ;;
  *)
    sed -n '2,6s/^# \?//p' "$0" >&2
    exit 2
    ;;
esac
