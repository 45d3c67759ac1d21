#!/usr/bin/env bash
# Runs the compiler command given as arguments and keeps what ptxas reports of its kernels in OBJECT.ptxas, OBJECT being
# the argument after -o. Other output is shown, and all of it if the compiler fails.
set -u
object=
for ((i = 1; i < $#; ++i)); do
  if [[ "${!i}" == -o ]]; then
    next=$((i + 1))
    object="${!next}"
  fi
done
report="$object.ptxas"
if "$@" 2>"$report"; then
  sed '/^ptxas info/d; /bytes stack frame/d' "$report" >&2
else
  status=$?
  cat "$report" >&2
  exit "$status"
fi
