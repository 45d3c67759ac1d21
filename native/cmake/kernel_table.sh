#!/usr/bin/env bash
# The table of what each kernel takes of a GPU, from the reports of ptxas beside the objects (OBJECT.ptxas).
#   kernel_table.sh write TABLE NVCC_VERSION OBJECT...   writes it
#   kernel_table.sh check TABLE NVCC_VERSION OBJECT...   fails where it differs from these objects, on their architectures
# Both fail if a kernel spills registers or has a stack frame.
set -euo pipefail
mode="$1" table="$2" nvcc="$3"
shift 3

# One line for each kernel and architecture: file|kernel|architecture|registers|barriers|shared|stack|stores|loads.
kernels() {
  local object
  for object in "$@"; do
    awk -v file="$(basename "$object" .o)" '
      function number_before(word,   m) {
        return match($0, "[0-9]+ " word) ? substr($0, RSTART) + 0 : 0
      }
      function finish() {
        if (name != "") print file "|" name "|" arch "|" registers "|" barriers "|" shared "|" stack "|" stores "|" loads
        name = ""
      }
      /Compiling entry function/ {
        finish()
        split($0, quoted, "\047")
        name = quoted[2]
        arch = quoted[4]
        stack = stores = loads = 0
      }
      # Of the kernel and of the functions that it calls.
      /bytes stack frame/ {
        stack += number_before("bytes stack frame")
        stores += number_before("bytes spill stores")
        loads += number_before("bytes spill loads")
      }
      /Used [0-9]+ registers/ {
        registers = number_before("registers")
        barriers = number_before("barriers")
        shared = number_before("bytes smem")
      }
      END { finish() }' "$object.ptxas"
  done | c++filt | sed -E '
    s/cria::gpu:://g
    s/\(anonymous namespace\):://g
    s/\|void /|/
    s/\(bool\)0/false/g
    s/\(bool\)1/true/g
    s/\([A-Za-z_:]*\)(-?[0-9])/\1/g
    s/\([^|]*\)\|sm_/|sm_/' | LC_ALL=C sort -t '|' -k 1,1 -k 2,3V
}

rows="$(kernels "$@")"
if [[ -z "$rows" ]]; then
  printf 'no kernel in the reports of ptxas\n' >&2
  exit 1
fi
awk -F '|' '$7 + $8 + $9 > 0 {
  printf "%s: %s on %s: %d bytes of stack, %d bytes of spill stores, %d of spill loads\n", $1, $2, $3, $7, $8, $9
  bad = 1
}
END { exit bad }' <<<"$rows" >&2

# The rows as a table with a column for each architecture.
if [[ "$mode" == write ]]; then
  mkdir -p "$(dirname "$table")"
  {
    cat <<EOF
# What each kernel takes of a GPU

Registers of a thread, named barriers of a block and static shared memory of a block in bytes, as ptxas of nvcc $nvcc
reports them: \`registers/barriers/shared\`. No kernel spills registers or keeps an array in local memory (the build fails
where one does), and shared memory is dynamic: the numbers of docs/cuda/counters.md count it.

Written by \`cmake --preset cuda && cmake --build --preset cuda --target kernel_table_write\`; \`./cria test --slow\` compares it
with the kernels.

EOF
    awk -F '|' '
      !($3 in seen) { seen[$3] = 1; archs[++n] = $3 }
      {
        key = $1 "|" $2
        if (!(key in known)) { known[key] = 1; keys[++k] = key }
        cell[key, $3] = $4 "/" $5 "/" $6
      }
      END {
        for (i = 2; i <= n; ++i)
          for (j = i; j > 1 && archs[j] < archs[j - 1]; --j) { t = archs[j]; archs[j] = archs[j - 1]; archs[j - 1] = t }
        head = "| file | kernel |"
        line = "| --- | --- |"
        for (i = 1; i <= n; ++i) { head = head " " archs[i] " |"; line = line " --- |" }
        print head
        print line
        for (i = 1; i <= k; ++i) {
          split(keys[i], part, "|")
          row = "| " part[1] " | `" part[2] "` |"
          for (j = 1; j <= n; ++j) row = row " " cell[keys[i], archs[j]] " |"
          print row
        }
      }' <<<"$rows"
  } >"$table"
  exit 0
fi

if [[ "$mode" != check ]]; then
  printf 'unknown mode %s\n' "$mode" >&2
  exit 2
fi
recorded="$(sed -n 's/.*ptxas of nvcc \([0-9.]*\).*/\1/p' "$table")"
if [[ "$recorded" != "$nvcc" ]]; then
  printf 'SKIP: the table is of nvcc %s, this is %s\n' "$recorded" "$nvcc"
  exit 0
fi
# Cells of the table against the rows; kernels of the table that are gone show as missing.
awk -F '|' '
  function trim(s) { gsub(/^[ `]+|[ `]+$/, "", s); return s }
  FNR == NR {
    if ($2 ~ /^ file /) for (i = 4; i < NF; ++i) column[i] = trim($i)
    else if ($1 == "" && $2 !~ /---/ && NF > 4)
      for (i = 4; i < NF; ++i)
        if (trim($i) != "") want[trim($2) "|" trim($3) "|" column[i]] = trim($i)
    next
  }
  {
    key = $1 "|" $2 "|" $3
    got[key] = $4 "/" $5 "/" $6
    arch[$3] = 1
  }
  END {
    for (key in got) {
      in_table = key in want ? want[key] : "has none"
      if (got[key] != in_table) { print key ": table " in_table ", built " got[key]; bad = 1 }
    }
    for (key in want) {
      split(key, part, "|")
      if (part[3] in arch && !(key in got)) { print key ": in the table, but not in the build"; bad = 1 }
    }
    if (bad) print "write the table anew: cmake --build --preset cuda --target kernel_table_write"
    exit bad
  }' "$table" - <<<"$rows"
printf 'the table fits\n'
