#!/usr/bin/env bash
# Compiles and runs the Java program of the README as a Maven project of its own on the installed artifacts.
#
# The artifacts go to a local repository in build/consumer that shows everything else of the user's own one through
# links: nothing of Cria gets into ~/.m2, and nothing is downloaded twice.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$root/build/consumer"
repository="$work/repository"
classes=66 # class files of Java 22
: "${JAVA_HOME:?must name the JDK}"

fail() {
  printf 'consumer: %s\n' "$*" >&2
  exit 1
}

# Links what the local repository $1 holds below $2, all but artifacts of Cria.
overlay() {
  local entry
  mkdir -p "$repository$2"
  for entry in "$1$2"/*; do
    case "$entry" in
      "$1/dev") overlay "$1" /dev ;;
      "$1/dev/cria") ;;
      *) [[ ! -e "$entry" ]] || ln -s "$entry" "$repository$2" ;;
    esac
  done
}

# Prints the versions of all class files in the folder $1.
class_versions() {
  find "$1" -name '*.class' -exec od -An -tu1 -j6 -N2 {} \; | awk '{ print $1 * 256 + $2 }' | sort -u | xargs
}

# Where Maven keeps what it downloads, as the build found it.
local_repository() {
  tr ':' '\n' <"$root/java/cli/target/runtime-path" | sed -n 's|/info/picocli/picocli/.*||p'
}

rm -rf "$work"
mkdir -p "$work"/{project/src/main/java,jars}
mkdir -p "$repository/dev"
overlay "$(local_repository)" ''
mvn=(mvn -B -ntp -q "-Dmaven.repo.local=$repository")

# The artifacts: for Java 22, with the native library inside.
(cd "$root" && "${mvn[@]}" -Dmaven.test.skip -Dskip.native -pl java/llm -am install)
for jar in "$repository"/dev/cria/{cria,cria-llm}/*/*.jar; do
  (cd "$work/jars" && "$JAVA_HOME/bin/jar" xf "$jar")
done
version="$(class_versions "$work/jars")"
[[ "$version" == "$classes" ]] || fail "class files of the artifacts have version '$version', not $classes"
[[ -n "$(find "$work/jars/META-INF/native" -name libcria.so)" ]] || fail "no native library in the artifacts"

# The program, a model and data.
program="$work/project/src/main/java/FineTune.java"
sed -n '/^```java$/,/^```$/p' "$root/README.md" | sed '1d;$d' >"$program"
lines="$(wc -l <"$program")"
((lines > 0 && lines <= 20)) || fail "the program of the README has $lines lines; 1 to 20 are promised"
cp "$root/tests/consumer/pom.xml" "$work/project"
"$root/cria" init --config "$root/tests/consumer/config.json" --quiet "$work/model" \
  --tokenizer "$root/java/llm/src/test/resources/dev/cria/llm/tokenizer/bpe-smollm/tokenizer.json"
for n in {1..40}; do
  printf '{"prompt": "What follows %d?", "completion": " It is %d."}\n' "$n" $((n + 1))
done >"$work/data.jsonl"

version="$(basename "$(dirname "$(echo "$repository"/dev/cria/cria-llm/*/*.jar)")")"
cd "$work/project"
"${mvn[@]}" "-Dcria.version=$version" compile exec:exec "-Dexec.executable=$JAVA_HOME/bin/java" \
  "-Dexec.args=--enable-native-access=ALL-UNNAMED -cp %classpath FineTune $work/model $work/data.jsonl $work/adapter What" \
  >"$work/output"

# What it made.
cat "$work/output"
version="$(class_versions target/classes)"
[[ "$version" == "$classes" ]] || fail "class files of the project have version '$version', not $classes"
[[ -s "$work/adapter/adapter_model.safetensors" ]] || fail "no adapter_model.safetensors was written"
grep -q '"r" *: *16' "$work/adapter/adapter_config.json" || fail "adapter_config.json does not have rank 16"
grep -q '[^[:space:]]' "$work/output" || fail "the program printed no text"
