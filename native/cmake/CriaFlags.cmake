# Compiler rules for every native target, as the interface target cria_flags.
add_library(cria_flags INTERFACE)
target_compile_features(cria_flags INTERFACE cxx_std_17)
target_compile_options(
  cria_flags
  INTERFACE -Wall
            -Wextra
            -Wshadow
            -Wvla
            $<$<BOOL:${CRIA_WERROR}>:-Werror>
            # GCC 12 reports its own AVX-512 headers here (undefined vectors on purpose).
            $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
            $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>
            -fvisibility=hidden
            $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>
            # Results must not depend on what the compiler fuses: fused multiply-adds are written as intrinsics.
            -ffp-contract=off
            -fno-math-errno
            $<$<CONFIG:Release>:-O3>)
target_compile_definitions(cria_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:NDEBUG>)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CRIA_SANITIZE)
  set(cria_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(cria_flags INTERFACE ${cria_sanitizers} -g)
  target_link_options(cria_flags INTERFACE ${cria_sanitizers})
endif()
