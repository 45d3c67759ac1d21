# Compiles native/cpu/tier/*.cpp once per instruction-set tier; which copy runs is decided at run time.
#
# A tier file puts its code into the namespace CRIA_TIER_NS, so that the copies do not collide, and may test CRIA_TIER:
# 0 portable, 1 avx2, 2 avx512, 3 avx512bf16. A function that a tier file shares with other files must be in that
# namespace or be static: an inline function outside it would be merged across tiers and could run on the wrong CPU.
# (Templates of the standard library are merged too; lower tiers come first on the link line, so theirs is kept.)
set(cria_all_tiers portable avx2 avx512 avx512bf16)
set(cria_default_tiers portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(cria_default_tiers "${cria_all_tiers}")
endif()
set(CRIA_TIERS "${cria_default_tiers}" CACHE STRING "Instruction-set tiers to compile, lowest first")
set(CRIA_TIER_FLAGS_portable)
set(CRIA_TIER_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(CRIA_TIER_FLAGS_avx512 ${CRIA_TIER_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi
                           -mprefer-vector-width=512)
set(CRIA_TIER_FLAGS_avx512bf16 ${CRIA_TIER_FLAGS_avx512} -mavx512bf16)
if(CRIA_EMULATE_AVX512)
  # Vectors of 64 bytes are passed between functions of one file only.
  set(CRIA_TIER_FLAGS_avx512 ${CRIA_TIER_FLAGS_avx2} -Wno-psabi)
  set(CRIA_TIER_FLAGS_avx512bf16 ${CRIA_TIER_FLAGS_avx512})
endif()

function(cria_add_tiers library)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/cpu/tier/*.cpp")
  if(NOT sources)
    return()
  endif()
  list(LENGTH CRIA_TIERS count)
  target_compile_definitions(${library} PRIVATE CRIA_TIER_COUNT=${count}
                                                $<$<BOOL:${CRIA_EMULATE_AVX512}>:CRIA_EMULATE_AVX512>)
  foreach(tier IN LISTS CRIA_TIERS)
    list(FIND cria_all_tiers ${tier} number)
    set(objects cria_tier_${tier})
    add_library(${objects} OBJECT ${sources})
    target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/native" "${PROJECT_SOURCE_DIR}/native/include")
    target_compile_definitions(${objects} PRIVATE CRIA_TIER=${number} CRIA_TIER_NS=${tier} CRIA_TIER_COUNT=${count})
    target_compile_options(${objects} PRIVATE ${CRIA_TIER_FLAGS_${tier}})
    if(CRIA_EMULATE_AVX512 AND number GREATER_EQUAL 2)
      target_precompile_headers(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/tests/emulation/avx512.h")
    endif()
    target_link_libraries(${objects} PRIVATE cria_flags Threads::Threads)
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
