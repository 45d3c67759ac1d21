#!/usr/bin/env bash
# Compares the PTX that the wrappers of kernels/device/NAME.h emit with the golden text NAME.txt, by the kernels of NAME.cu.
#   check.sh NVCC NAME             compares; a difference is what `diff` prints
#   check.sh NVCC NAME --refresh   writes the golden text
#   check.sh NVCC NAME --mutate    tests the test: swaps neighbouring operands of every wrapper, all of which must be noticed
# The golden text holds for the release of nvcc in its first line; with another one the test is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nvcc="$1" name="$2" mode="${3:-compare}"
kernels=../../../kernels
golden="$name.txt"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Kernels that mutations change; fewer mean that a mutation does not find its place any more.
case "$name" in
  cuda_hopper) arch=compute_90a least=9 ;;
  *) arch=compute_80 least=40 ;;
esac

# compile INCLUDES: the PTX of the kernels.
compile() {
  "$nvcc" -std=c++17 -ptx "-arch=$arch" -fmad=false --expt-relaxed-constexpr -I "$1" "$name.cu" -o "$work/out.ptx"
  cat "$work/out.ptx"
}

# mutate WHAT: takes the mutated header from its input and names kernels whose instructions changed although their
# normalised text did not. Fails if the header does not compile.
changed=0
missed=0
mutate() {
  cat >"$work/mutated/device/$name.h"
  cmp -s "$kernels/device/$name.h" "$work/mutated/device/$name.h" && return
  compile "$work/mutated" >"$work/mutated.ptx" 2>/dev/null || return 1
  awk -f normalise.awk "$work/mutated.ptx" >"$work/mutated.txt"
  local kernel
  while read -r kernel; do
    if cmp -s <(body "$kernel" "$work/original.ptx") <(body "$kernel" "$work/mutated.ptx"); then
      continue
    fi
    changed=$((changed + 1))
    if cmp -s <(paragraph "$kernel" "$work/original.txt") <(paragraph "$kernel" "$work/mutated.txt"); then
      printf '%s: not noticed: %s\n' "$kernel" "$1"
      missed=1
    fi
  done < <(sed -n 's/^\.visible \.entry test_\([A-Za-z0-9_]*\)(.*/\1/p' "$work/original.ptx")
}
body() { sed -n "/^\.visible \.entry test_$1(/,/^}/p" "$2"; }
paragraph() { sed -n "/^$1\$/,/^\$/p" "$2"; }

release="$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')"
if [[ "$mode" == compare ]]; then
  recorded="$(sed -n '1s/^nvcc \([0-9.]*\).*/\1/p' "$golden")"
  if [[ "$recorded" != "$release" ]]; then
    printf 'SKIP: %s is of nvcc %s, this is %s\n' "$golden" "$recorded" "$release"
    exit 0
  fi
fi

compile "$kernels" >"$work/original.ptx"
awk -f normalise.awk "$work/original.ptx" >"$work/original.txt"
printf 'nvcc %s, %s\n\n' "$release" "$arch" | cat - "$work/original.txt" >"$work/golden.txt"
case "$mode" in
  --refresh) cp "$work/golden.txt" "$golden" ;;
  compare)
    # Every wrapper has a kernel.
    sed '/^ private:/,/^};/d' "$kernels/device/$name.h" |
      sed -nE 's/^.*CRIA_GPU [^(]*[ *]([a-z_0-9]+)\+?\(.*/\1/p' | sort -u | while read -r function; do
      grep -qE "^${function}(_|$)" "$work/golden.txt" || {
        printf '%s of %s.h has no kernel in %s.cu\n' "$function" "$name" "$name"
        exit 1
      }
    done
    diff -u "$golden" "$work/golden.txt" || {
      printf 'refresh the golden text if this is meant: %s/check.sh %s %s --refresh\n' "$PWD" "$nvcc" "$name"
      exit 1
    }
    ;;
  --mutate)
    cp -r "$kernels" "$work/mutated"
    header="$kernels/device/$name.h"
    # Swaps operands $1 and $1 + 1 in statement $2 of inline PTX, in all with 0.
    swap() {
      awk -v a="%$1" -v b="%$(($1 + 1))" -v only="$2" '
        /asm( volatile)?\(/ { inside = 1; number++ }
        !inside { print; next }
        { statement = statement $0 "\n" }
        /\);/ {
          if ((only == 0 || only == number) && index(statement, a) && index(statement, b)) {
            gsub(a, "%@", statement)
            gsub(b, a, statement)
            gsub("%@", b, statement)
          }
          printf "%s", statement
          statement = ""
          inside = 0
        }' "$header"
    }
    for i in 0 1 2 3 4 5 6 7 8; do
      what="operands $i and $((i + 1)) of inline PTX swapped"
      mutate "$what" < <(swap "$i" 0) && continue
      # The compiler noticed one of them: each on its own.
      for ((statement = 1; statement <= $(grep -cE 'asm( volatile)?\(' "$header"); statement++)); do
        mutate "$what" < <(swap "$i" "$statement") || true
      done
    done
    mutate "value and lane of a shuffle swapped" < <(sed -E 's/(__shfl[a-z_]*)\(mask, v, (.*)\);/\1(mask, \2, v);/' "$header")
    mutate "mask and condition of a vote swapped" < <(sed -E 's/(_sync)\(mask, c\)/\1(c, mask)/' "$header")
    printf '%d kernels changed by mutations\n' "$changed"
    ((changed >= least && missed == 0))
    ;;
esac
