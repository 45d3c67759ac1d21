#!/usr/bin/env bash
# Tests native/cmake/kernel_table.sh with reports made up here: writing, a fitting table, a stale one, a kernel gone, a spill.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
table() { bash ../../native/cmake/kernel_table.sh "$1" "$work/table.md" 13.0.88 "$work"/*.o >"$work/output" 2>&1; }
fail() {
  printf '%s\n' "$*"
  cat "$work/output"
  exit 1
}

# report FILE ARCHITECTURE REGISTERS STACK: adds a kernel of FILE.
report() {
  touch "$work/$1.o"
  cat >>"$work/$1.o.ptxas" <<EOF
ptxas info    : Compiling entry function '_ZN4cria3gpu12_GLOBAL__N_17productILi4ELb1EEEvPKfPf' for '$2'
ptxas info    : Function properties for _ZN4cria3gpu12_GLOBAL__N_17productILi4ELb1EEEvPKfPf
    $4 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used $3 registers, used 2 barriers, 16 bytes smem, 400 bytes cmem[0]
EOF
}

report a.cu sm_80 62 0
report a.cu sm_90 60 0
table write || fail "writing failed"
# shellcheck disable=SC2016 # the backquotes are Markdown's
grep -qF '| a.cu | `product<4, true>` | 62/2/16 | 60/2/16 |' "$work/table.md" || fail "no row: $(cat "$work/table.md")"
table check || fail "the table does not fit what it was written from"

rm "$work"/*.ptxas
report a.cu sm_90 60 0
table check || fail "one architecture alone does not fit"

rm "$work"/*.ptxas
report a.cu sm_80 64 0
! table check || fail "another number of registers was not noticed"
grep -qF 'a.cu|product<4, true>|sm_80: table 62/2/16, built 64/2/16' "$work/output" || fail "message"

rm "$work"/*.ptxas
report b.cu sm_80 62 0
rm -f "$work/a.cu.o"
! table check || fail "a new kernel and one that is gone were not noticed"
grep -q '^a.cu.*not in the build' "$work/output" || fail "message of the kernel that is gone"
grep -q '^b.cu.*table has none' "$work/output" || fail "message of the new kernel"

rm "$work"/*.ptxas
report b.cu sm_80 62 8
! table write || fail "a stack frame was written"
grep -qF 'b.cu: product<4, true> on sm_80: 8 bytes of stack' "$work/output" || fail "message of the stack frame"
