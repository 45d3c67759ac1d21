# Compiler rules for every native target, as the interface target cria_flags.
set(cria_rules
    -Wall
    -Wextra
    -Wshadow
    -fvisibility=hidden
    # Results must not depend on what the compiler fuses: fused multiply-adds are written as intrinsics.
    -ffp-contract=off
    -fno-math-errno)
if(CRIA_WERROR)
  list(APPEND cria_rules -Werror)
endif()
add_library(cria_flags INTERFACE)
target_compile_features(cria_flags INTERFACE cxx_std_17)
target_compile_options(
  cria_flags
  INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:${cria_rules};-Wvla>"
            # GCC 12 reports its own AVX-512 headers here (undefined vectors on purpose).
            "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>"
            $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>
            $<$<CONFIG:Release>:-O3>
            # The same rules for the compiler behind nvcc.
            "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=$<JOIN:${cria_rules},$<COMMA>>>")
target_compile_definitions(cria_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:NDEBUG>)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CRIA_SANITIZE)
  set(cria_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(cria_flags INTERFACE ${cria_sanitizers} -g)
  target_link_options(cria_flags INTERFACE ${cria_sanitizers})
endif()
