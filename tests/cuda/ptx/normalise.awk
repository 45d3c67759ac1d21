# normalise.awk: reduces PTX to what its kernels do with their parameters: one paragraph for each kernel, a line for each
# instruction, inline PTX marked with "asm". A register that only carries a parameter, a constant, a special register or a
# symbol is replaced by it (p0, p1+4: parameter and byte); the others are numbered by their first appearance.
# Names of kernels lose the prefix test_.

function known(register) {
  if (!(register in name)) name[register] = "r" count++
  return name[register]
}

# The line with its registers replaced. %tid.x and its like stay.
function replaced(line,   out) {
  out = ""
  while (match(line, /%[a-z]+[0-9]+/)) {
    out = out substr(line, 1, RSTART - 1) known(substr(line, RSTART, RLENGTH))
    line = substr(line, RSTART + RLENGTH)
  }
  return out line
}

{
  sub(/;$/, "")
  gsub(/[ \t]+/, " ")
  sub(/^ /, "")
}
/begin inline asm/ { mark = "asm "; next }
/end inline asm/ { mark = ""; next }
/^(\/\/|\.reg|\.param|[{}()]*$)/ { next }
/^\.visible \.entry/ {
  sub(/^\.visible \.entry test_/, "")
  sub(/\(.*/, "")
  if (inside) print ""
  print
  inside = 1
  count = 0
  split("", name)
  next
}
!inside || /^ret$/ { next }
/^ld\.param/ {
  from = $0
  sub(/.*_param_/, "p", from)
  sub(/\]$/, "", from)
  target = $2
  sub(/,$/, "", target)
  name[target] = from
  next
}
# An address of global memory is the parameter that holds it; a copy is what is copied.
/^(cvta\.to\.global\.u64|mov\.[a-z0-9]+) %[a-z]+[0-9]+, [^{]*$/ && mark == "" {
  target = $2
  sub(/,$/, "", target)
  name[target] = replaced($3)
  next
}
{ print "  " mark replaced($0) }
