# Compiles native/cpu/tier/*.cpp once per instruction-set tier; which copy runs is decided at run time.
#
# A tier file puts its code into the namespace CRIA_TIER_NS, so that the copies do not collide, and may test CRIA_TIER:
# 0 portable, 1 avx2, 2 avx512, 3 avx512bf16. A function that a tier file shares with other files must be in that
# namespace or be static: an inline function outside it would be merged across tiers and could run on the wrong CPU.
set(CRIA_TIERS portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND CRIA_TIERS avx2 avx512 avx512bf16)
endif()
set(CRIA_TIER_FLAGS_portable)
set(CRIA_TIER_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(CRIA_TIER_FLAGS_avx512 ${CRIA_TIER_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi
                           -mprefer-vector-width=512)
set(CRIA_TIER_FLAGS_avx512bf16 ${CRIA_TIER_FLAGS_avx512} -mavx512bf16)

function(cria_add_tiers library)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/cpu/tier/*.cpp")
  if(NOT sources)
    return()
  endif()
  list(LENGTH CRIA_TIERS count)
  target_compile_definitions(${library} PRIVATE CRIA_TIER_COUNT=${count})
  set(number 0)
  foreach(tier IN LISTS CRIA_TIERS)
    set(objects cria_tier_${tier})
    add_library(${objects} OBJECT ${sources})
    target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/native" "${PROJECT_SOURCE_DIR}/native/include")
    target_compile_definitions(${objects} PRIVATE CRIA_TIER=${number} CRIA_TIER_NS=${tier} CRIA_TIER_COUNT=${count})
    target_compile_options(${objects} PRIVATE ${CRIA_TIER_FLAGS_${tier}})
    target_link_libraries(${objects} PRIVATE cria_flags Threads::Threads)
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${objects}>)
    math(EXPR number "${number} + 1")
  endforeach()
endfunction()
