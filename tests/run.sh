# The test and format commands of ./cria (sourced by it): runs every check and ends with one line of counts.
# shellcheck shell=bash disable=SC2154 # root and log come from ./cria

clang_version=19 # one version for all: formats differ between releases
passed=0
failed=0
skipped=0

# Prints the pinned clang tool $1, installing its package where that is allowed; fails where there is none.
clang_tool() {
  local tool="$1-$clang_version"
  if ! have "$tool"; then
    install_packages "$tool" || { apt-get update >/dev/null 2>&1 && install_packages "$tool"; } || return 1
  fi
  printf '%s' "$tool"
}

native_files() {
  cd "$root" && git ls-files -co --exclude-standard -- \
    'native/*.h' 'native/*.c' 'native/*.cpp' 'tests/*.h' 'tests/*.cpp' 'kernels/*.h' 'kernels/*.cpp' 'kernels/*.cu' 'tests/*.cu'
}

# report passed|failed|skipped NAME: counts a check and says so.
report() {
  printf '%-8s %s\n' "$1" "$2"
  case "$1" in
    passed) passed=$((passed + 1)) ;;
    failed) failed=$((failed + 1)) ;;
    skipped) skipped=$((skipped + 1)) ;;
  esac
}

# step NAME COMMAND...: a check that passes or fails as one; its output goes to the log, and here if it fails.
step() {
  local name="$1" output="$root/build/step.log"
  shift
  if "$@" >"$output" 2>&1; then
    report passed "$name"
  else
    tail -n 60 "$output"
    report failed "$name"
  fi
  cat "$output" >>"$log"
}

# add_counts PASSED FAILED SKIPPED NAME: adds the tests of a suite.
add_counts() {
  printf '%s: %d passed, %d failed, %d skipped\n' "$4" "$1" "$2" "$3"
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

# Names the files that clang-format would change.
unformatted() {
  local files
  mapfile -t files < <(native_files)
  (cd "$root" && "$1" --dry-run "${files[@]}") 2>&1 | sed -n 's/^\([^:]*\):[0-9].*warning.*/not formatted: \1/p' |
    sort -u | { ! grep .; }
}

check_clang_format() {
  local tool
  if tool="$(clang_tool clang-format)"; then
    step "C and C++ format ($tool; ./cria format repairs it)" unformatted "$tool"
  else
    report skipped "C and C++ format: clang-format-$clang_version is not installed"
  fi
}

# Static checks of one instruction-set tier: the tiers are the same sources.
tidy() {
  local commands="$root/build/tidy"
  cmake -S "$root" -B "$commands" -DCRIA_TIERS=avx512bf16 >/dev/null &&
    (cd "$root" && "run-clang-tidy-$clang_version" -quiet -p "$commands" -j "$(nproc)" \
      -extra-arg=-Wno-unknown-warning-option "^$root/(native|kernels)/" 2>/dev/null) | { ! grep -A 3 -E 'error:'; }
}

check_clang_tidy() {
  if clang_tool clang-tidy >/dev/null; then
    step "C++ static checks (clang-tidy-$clang_version)" tidy
  else
    report skipped "C++ static checks: clang-tidy-$clang_version is not installed"
  fi
}

# run_counted NAME PROGRAM ARGUMENT...: the program ends with a line "N passed, N failed".
run_counted() {
  local name="$1" output="$root/build/${1// /-}.log" status=0
  shift
  "$@" >"$output" 2>&1 || status=$?
  local counts
  counts="$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$output" | tail -n 1)" || true
  if [[ -z "$counts" ]]; then
    tail -n 40 "$output"
    printf '\n' # the last line of a program that crashed may be cut
    report failed "$name: no result (exit code $status)"
    return
  fi
  local p f
  read -r p f <<<"$(tr -dc '0-9 ' <<<"$counts")"
  if ((f > 0 || status != 0)); then
    grep '^FAIL' "$output" | head -n 40 || true
    ((f > 0)) || f=1
  fi
  add_counts "$p" "$f" 0 "$name"
}

# sharded PROGRAM ARGUMENT...: its cases, divided among as many processes as there are processors (for memory 8 at most); prints
# what they print and the sum of their counts, which it leaves out if a process has none.
sharded() {
  local shards i status=0 processes=() logs=()
  shards="$(nproc)"
  ((shards <= 8)) || shards=8
  for ((i = 1; i <= shards; i++)); do
    logs+=("$root/build/shard-$i.log")
    "$@" --shard "$i/$shards" >"$root/build/shard-$i.log" 2>&1 &
    processes+=($!)
  done
  for i in "${processes[@]}"; do wait "$i" || status=$?; done
  awk -v wanted="$shards" '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++; next } { print }
    END { if (n == wanted) print p " passed, " f " failed" }' "${logs[@]}"
  return "$status"
}

check_native() {
  if ! cmake -P "$root/native/cmake/build.cmake" >>"$log" 2>&1; then
    show_failure "the native build"
    report failed "native build; what needs it was not run"
    return 1
  fi
  local junit="$root/build/native/ctest.xml" name
  rm -f "$junit"
  local without=(-LE slow)
  [[ -z "$slow" ]] || without=()
  (cd "$root/build/native" && ctest -E '^conformance$' "${without[@]}" --output-on-failure --output-junit "$junit") >>"$log" 2>&1 || true
  while IFS=' ' read -r state name; do
    case "$state" in
      run) report passed "$name" ;;
      fail)
        report failed "$name"
        grep -A 40 -F "$name" "$log" | tail -n 40
        ;;
      *) report skipped "$name" ;;
    esac
  done < <([[ -f "$junit" ]] && sed -n 's/.*<testcase name="\([^"]*\)".* status="\([a-z]*\)".*/\2 \1/p' "$junit")
  if [[ -x "$root/build/native/cria_conformance" ]]; then
    run_counted "native conformance" "$root/build/native/cria_conformance"
    # Three settings have all modes of asynchronous copies, 24 all of them under all eight schedules.
    run_counted "conformance of the CUDA kernels on the emulator" sharded "$root/build/native/cria_conformance" --device simt \
      --runs "$([[ -n "$slow" ]] && echo 24 || echo 8)" ${slow:+--slow}
    run_counted "conformance of the kernels for sm_90a on the emulator" sharded "$root/build/native/cria_conformance" --device simt \
      --arch sm_90a --filter "nf4 linear" --runs "$([[ -n "$slow" ]] && echo 24 || echo 3)"
  fi
  return 0
}

# Installs SIMDe where that is allowed; fails where it is not there.
have_simde() {
  local header='#include <simde/x86/avx512.h>'
  "${CXX:-c++}" -x c++ -E - <<<"$header" >/dev/null 2>&1 && return
  install_packages libsimde-dev || { apt-get update >/dev/null 2>&1 && install_packages libsimde-dev; } || return 1
  "${CXX:-c++}" -x c++ -E - <<<"$header" >/dev/null 2>&1
}

# The AVX-512 tiers in terms of AVX2, where the processor has AVX2 only.
check_emulated() {
  if ! grep -q '^skip avx512' "$root/build/native-conformance.log" || ! grep -qw avx2 /proc/cpuinfo; then
    return 0
  elif ! have_simde; then
    report skipped "conformance of the emulated AVX-512 tiers: libsimde-dev is not installed"
  elif ! (cd "$root" && cmake --preset emulated && cmake --build build/emulated --target cria_conformance -j "$(nproc)") \
    >>"$log" 2>&1; then
    show_failure "the build of the emulated AVX-512 tiers"
    report failed "build of the emulated AVX-512 tiers"
  else
    local tier
    for tier in avx512 avx512bf16; do
      run_counted "conformance of the emulated tier $tier" "$root/build/emulated/cria_conformance" --tier "$tier"
    done
    if [[ -n "$slow" ]]; then
      step "parity of models on the emulated tier avx512bf16" env -C "$root" mvn -B -ntp -q -Dskip.native=true \
        "-Dcria.library.path=$root/build/emulated/lib" -pl java/llm -am "-Dtest=*ParityTest,SmolTest,StoriesTest" \
        -Dsurefire.failIfNoSpecifiedTests=false verify
    fi
  fi
}

# Each synchronising call of the kernels, removed in turn, must be noticed.
check_mutations() {
  step "mutations of the CUDA kernels" "$root/build/native/cria_conformance" --mutate
  step "mutations of the kernels for sm_90a" "$root/build/native/cria_conformance" --mutate --arch sm_90a --filter "nf4 linear"
}

# The native tests once more, under AddressSanitizer and UndefinedBehaviorSanitizer.
check_sanitized() {
  if ! (cd "$root" && cmake --preset sanitize && cmake --build build/sanitize -j "$(nproc)") >>"$log" 2>&1; then
    show_failure "the sanitized build"
    report failed "sanitized build"
  elif [[ -x "$root/build/sanitize/cria_conformance" ]]; then
    # Some cases ask for more memory than there is; AddressSanitizer would end the program instead of returning null.
    ASAN_OPTIONS=allocator_may_return_null=1 \
      run_counted "sanitized conformance" "$root/build/sanitize/cria_conformance"
  fi
}

# The CUDA kernels for sm_80: warnings, spills and arrays in local memory are errors of this build. With --slow for every
# GPU, and docs/cuda/registers.md must fit what it made.
check_cuda_kernels() {
  local build="$root/build/cuda" target=kernel_table_check architectures=()
  if [[ -z "$slow" ]]; then
    build="$root/build/cuda-sm80"
    target=cria_cuda_kernels
    architectures=(-DCMAKE_CUDA_ARCHITECTURES=80-real)
  fi
  cmake -S "$root" --preset cuda -B "$build" "${architectures[@]}" &&
    cmake --build "$build" --target "$target" -j "$(nproc)"
}

check_cuda() {
  if have nvcc; then
    step "CUDA kernels and their registers" check_cuda_kernels
  else
    report skipped "CUDA kernels: no nvcc on this machine"
  fi
}

# Sums the surefire reports below the root, one line per module.
count_java() {
  local reports module
  for reports in "$root"/{java/*,tests/*,bench}/target/surefire-reports; do
    [[ -d "$reports" ]] || continue
    module="${reports#"$root"/}"
    read -r p f s < <(
      cat "$reports"/TEST-*.xml 2>/dev/null | tr '\n' ' ' | grep -oE '<testsuite [^>]*>' |
        awk 'function n(k) { return match($0, " " k "=\"[0-9]+\"") ? substr($0, RSTART + length(k) + 3) + 0 : 0 }
             { t += n("tests"); f += n("failures") + n("errors"); s += n("skipped") }
             END { print t - f - s, f + 0, s + 0 }'
    )
    add_counts "$p" "$f" "$s" "${module%/target*}"
  done
}

check_java() {
  local before=$failed output="$root/build/maven-test.log"
  rm -rf "$root"/{java/*,tests/*,bench}/target/surefire-reports
  local status=0
  (cd "$root" && mvn -B -ntp -Dmaven.test.failure.ignore=true "$@" verify) >"$output" 2>&1 || status=$?
  count_java
  if ((status != 0 || failed > before)); then
    errors_of "$output" || true
    printf 'all of the output is in %s\n' "$output"
    # A broken build has no failed test to count.
    ((failed > before)) || report failed "Java build"
  fi
}

# The Java program of the README as a user's project.
check_consumer() {
  step "Java program of the README, a Maven project on the installed artifacts" "$root/tests/consumer/run.sh"
}

cria_test() {
  local slow=''
  case "$*" in
    '') ;;
    --slow) slow=1 ;;
    *) usage_error "test: unknown argument '$*'; usage: ./cria test [--slow]" ;;
  esac
  need_toolchain
  start_log
  export CRIA_TEST_DATA="${CRIA_TEST_DATA:-$root/../shared/data}"
  [[ -d "$CRIA_TEST_DATA" ]] || printf 'no test data in %s: tests that need it are skipped\n' "$CRIA_TEST_DATA"
  check_clang_format
  step "Java format (./cria format repairs it)" env -C "$root" mvn -B -ntp -q spotless:check
  if check_native; then
    check_emulated
    check_clang_tidy
    check_cuda
    if [[ -n "$slow" ]]; then
      check_mutations
      check_sanitized
      check_java -DexcludedGroups=
    else
      check_java
    fi
    check_consumer
  fi
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}

cria_format() {
  (($# == 0)) || usage_error "format takes no arguments"
  need_toolchain
  start_log
  local tool files
  maven -q spotless:apply || { show_failure "formatting Java"; exit 1; }
  tool="$(clang_tool clang-format)" || die "C and C++ were left as they are: clang-format-$clang_version is not installed"
  mapfile -t files < <(native_files)
  (cd "$root" && "$tool" -i "${files[@]}")
}
