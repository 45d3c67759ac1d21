# Native tests: the conformance program on the ABI, the library's exports, and the C examples built from an installed prefix.
file(GLOB conformance_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/conformance/*.cpp")
if(conformance_sources)
  add_executable(cria_conformance ${conformance_sources})
  target_link_libraries(cria_conformance PRIVATE cria cria_flags ${CMAKE_DL_LIBS})
  add_test(NAME conformance COMMAND cria_conformance)
  set_tests_properties(conformance PROPERTIES TIMEOUT 900)
endif()

if(TARGET cria_simt_core)
  file(GLOB simt_test_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/simt/*.cpp")
  add_executable(cria_simt_test ${simt_test_sources})
  target_link_libraries(cria_simt_test PRIVATE cria_simt_core)
  add_test(NAME simt COMMAND cria_simt_test)
  set_tests_properties(simt PROPERTIES TIMEOUT 300)
endif()

if(NOT CRIA_SANITIZE)
  add_test(
    NAME library_exports
    COMMAND "${CMAKE_COMMAND}" "-DLIBRARY=$<TARGET_FILE:cria>" "-DHEADER=${PROJECT_SOURCE_DIR}/native/include/cria.h"
            "-DNM=${CMAKE_NM}" "-DREADELF=${CMAKE_READELF}" -P "${PROJECT_SOURCE_DIR}/native/cmake/test_library.cmake")
endif()

# A sanitized library needs a sanitized program around it, which a plain user's build of an example is not.
file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/examples/*.c")
if(NOT CRIA_SANITIZE)
  foreach(example IN LISTS examples)
    get_filename_component(name "${example}" NAME_WE)
    foreach(way cmake pkg-config)
      add_test(
        NAME example_${name}_${way}
        COMMAND
          "${CMAKE_COMMAND}" "-DWAY=${way}" "-DEXAMPLE=${example}" "-DBUILD_DIR=${PROJECT_BINARY_DIR}"
          "-DWORK=${PROJECT_BINARY_DIR}/examples/${name}-${way}" "-DCC=${CMAKE_C_COMPILER}"
          "-DLIBDIR=${CMAKE_INSTALL_LIBDIR}" "-DGENERATOR=${CMAKE_GENERATOR}" -P
          "${PROJECT_SOURCE_DIR}/native/cmake/test_example.cmake")
      # Reported as skipped, not as passed, where there is no pkg-config.
      set_tests_properties(example_${name}_${way} PROPERTIES TIMEOUT 300 SKIP_REGULAR_EXPRESSION "SKIP:")
    endforeach()
  endforeach()
endif()

include(CriaCudaTests)

# docs/cuda/counters.md and docs/cuda/mutations.md, by the targets kernel_counters_table and mutations_table.
if(TARGET cria_simt)
  file(GLOB check_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/check/*.cpp")
  add_executable(cria_kernel_counters EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/tests/counters/kernel_counters.cpp"
                                                       ${check_sources})
  target_include_directories(cria_kernel_counters PRIVATE "${PROJECT_SOURCE_DIR}/native" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(cria_kernel_counters PRIVATE cria cria_flags ${CMAKE_DL_LIBS})
  add_custom_target(
    kernel_counters_table
    COMMAND cria_kernel_counters > "${PROJECT_SOURCE_DIR}/docs/cuda/counters.md"
    DEPENDS cria_simt
    VERBATIM)
  set(mutations "${PROJECT_SOURCE_DIR}/docs/cuda/mutations.md")
  add_custom_target(
    mutations_table
    COMMAND cria_conformance --mutate > "${mutations}"
    COMMAND "${CMAKE_COMMAND}" -E echo "" >> "${mutations}"
    COMMAND cria_conformance --mutate --arch sm_90a --filter "nf4 linear" >> "${mutations}"
    DEPENDS cria_simt
    VERBATIM)
endif()
