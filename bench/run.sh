# The jmh command of ./cria (sourced by it): builds the benchmarks and runs them.
# shellcheck shell=bash disable=SC2154 # root and log come from ./cria

# cria_jmh [--peers] [OPTION_OF_JMH...]
cria_jmh() {
  local profile=() options=() threads home
  if [[ "${1:-}" == --peers ]]; then
    shift
    profile=(-Ppeers)
    # What the libraries unpack stays in the build folder; all of them compute with as many threads as Cria.
    threads="$(nproc)"
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$threads}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-$threads}"
    export DJL_CACHE_DIR="$root/build/peers/djl" DJL_OFFLINE=true
    options=("-Dorg.bytedeco.javacpp.cachedir=$root/build/peers/javacpp" --add-modules=jdk.incubator.vector)
  fi
  build
  need_toolchain
  say "building the benchmarks (output in ${log#"$PWD"/})"
  start_log
  # Clean, because classes of the other profile may be there.
  if ! maven -q -Dskip.native "${profile[@]}" -pl bench clean ||
    ! maven -q -Dskip.native "${profile[@]}" -pl bench -am process-classes; then
    show_failure "the build of the benchmarks"
    exit 1
  fi
  home="$(find_java $run_java java)" || die "running needs Java $run_java or newer; set JAVA_HOME to one"
  # JMH starts the measured processes with the same options.
  # shellcheck disable=SC2086 # the options are words
  exec "$home/bin/java" -XX:+UseSerialGC -Xms64m -Xmx2g --enable-native-access=ALL-UNNAMED \
    "-Dcria.library.path=$library_folder" "-Dcria.bench.results=$root/build/bench" "${options[@]}" ${CRIA_JAVA_OPTS:-} \
    -cp "$root/bench/target/classes:$(<"$root/bench/target/runtime-path")" dev.cria.bench.Main "$@"
}
