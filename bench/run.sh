# The jmh command of ./cria (sourced by it): builds the benchmarks and runs them.
# shellcheck shell=bash disable=SC2154 # root and log come from ./cria

# cria_jmh [--peers] [OPTION_OF_JMH...]
cria_jmh() {
  local target="$root/bench/target" profile=() options=() command threads home
  command="./cria jmh"
  (($# == 0)) || command+="$(printf ' %q' "$@")"
  if [[ "${1:-}" == --peers ]]; then
    shift
    target="$root/bench/target/peers"
    profile=(-Ppeers)
    # All compute with as many threads as Cria does, and unpack their libraries into the build folder.
    threads="$(nproc)"
    export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS="$threads"
    export DJL_CACHE_DIR="$root/build/peers/djl" OPT_OUT_TRACKING=true
    options=("-Dorg.bytedeco.javacpp.cachedir=$root/build/peers/javacpp" --add-modules=jdk.incubator.vector
      --sun-misc-unsafe-memory-access=allow)
  fi
  build
  need_toolchain
  start_log
  say "building the benchmarks (output in ${log#"$PWD"/})"
  maven -q -Dskip.native "${profile[@]}" -pl bench -am process-classes || {
    show_failure "the build of the benchmarks"
    exit 1
  }
  home="$(find_java $run_java java)" || die "running needs Java $run_java or newer; set JAVA_HOME to one"
  # JMH starts the measured processes with the same options.
  # shellcheck disable=SC2086 # the options are words
  exec "$home/bin/java" -XX:+UseSerialGC -Xms64m -Xmx2g --enable-native-access=ALL-UNNAMED \
    "-Dcria.library.path=$library_folder" "-Dcria.bench.results=$root/build/bench" "-Dcria.bench.command=$command" \
    "${options[@]}" ${CRIA_JAVA_OPTS:-} \
    -cp "$target/classes:$(<"$target/runtime-path")" dev.cria.bench.Main "$@"
}
