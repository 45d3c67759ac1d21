#!/usr/bin/env bash
# Runs the compiler command given as arguments and keeps what ptxas reports of its kernels in OBJECT.ptxas, OBJECT being
# the argument after -o. Other messages are shown.
set -u
object=
for ((i = 1; i < $#; ++i)); do
  if [[ "${!i}" == -o ]]; then
    next=$((i + 1))
    object="${!next}"
  fi
done
status=0
"$@" 2>"$object.ptxas" || status=$?
sed '/^ptxas info/d; /bytes stack frame/d' "$object.ptxas" >&2
exit "$status"
