# The SIMT emulator, which runs the GPU kernels' source on the CPU, and its self-test.
file(GLOB simt_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/simt/*.cpp")
add_library(cria_simt_core OBJECT ${simt_sources})
target_include_directories(
  cria_simt_core PUBLIC "${PROJECT_SOURCE_DIR}/kernels" "${PROJECT_SOURCE_DIR}/native"
                        "${PROJECT_SOURCE_DIR}/native/include")
target_compile_definitions(cria_simt_core PUBLIC CRIA_SIMT)
# Kernel sources carry pragmas of nvcc.
target_compile_options(cria_simt_core PUBLIC -Wno-unknown-pragmas)
target_link_libraries(cria_simt_core PUBLIC cria_flags Threads::Threads)

if(CRIA_BUILD_TESTS)
  file(GLOB simt_test_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/simt/*.cpp")
  add_executable(cria_simt_test ${simt_test_sources})
  target_link_libraries(cria_simt_test PRIVATE cria_simt_core)
  add_test(NAME simt COMMAND cria_simt_test)
  set_tests_properties(simt PROPERTIES TIMEOUT 300)
endif()
