# Installs libcria into a fresh prefix, builds one C example against it as a user would, and runs it.
#   WAY        cmake (find_package) or pkg-config
#   EXAMPLE    the .c file          BUILD_DIR  the build to install from    WORK  scratch folder, emptied first
#   CC         the C compiler       LIBDIR     library folder of the prefix GENERATOR  of the build
cmake_policy(VERSION 3.22)
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status)
  if(status)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "failed (${status}): ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${prefix}")
if(WAY STREQUAL "cmake")
  file(
    WRITE "${WORK}/source/CMakeLists.txt"
    "cmake_minimum_required(VERSION 3.22)
project(example C)
find_package(cria 0.1 REQUIRED)
add_executable(example \"${EXAMPLE}\")
target_link_libraries(example PRIVATE cria::cria m)
")
  run("${CMAKE_COMMAND}" -S "${WORK}/source" -B "${WORK}/build" -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${prefix}"
      "-DCMAKE_C_COMPILER=${CC}")
  run("${CMAKE_COMMAND}" --build "${WORK}/build")
  run("${WORK}/build/example")
else()
  find_program(pkg_config NAMES pkg-config pkgconf)
  if(NOT pkg_config)
    message("SKIP: no pkg-config on this machine")
    return()
  endif()
  set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
  execute_process(
    COMMAND "${pkg_config}" --cflags --libs cria
    OUTPUT_VARIABLE flags
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE status)
  if(status)
    message(FATAL_ERROR "pkg-config does not know cria in ${prefix}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run("${CC}" -std=c11 -Wall -Wextra -Werror "${EXAMPLE}" -o "${WORK}/example" ${flags} -lm)
  set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBDIR}")
  run("${WORK}/example")
endif()
