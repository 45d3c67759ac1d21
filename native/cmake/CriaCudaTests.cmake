# Tests around CUDA that need no GPU. Those that need nvcc or its headers are reported as skipped without them.
find_program(CRIA_NVCC nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda/bin)
set(cuda_tests "${PROJECT_SOURCE_DIR}/tests/cuda")

# cria_cuda_test(NAME NEEDED COMMAND...): a test that is skipped where NEEDED was not found.
function(cria_cuda_test name needed)
  if(needed)
    add_test(NAME ${name} COMMAND ${ARGN})
  else()
    add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" -E echo "SKIP: no CUDA toolkit on this machine")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 SKIP_REGULAR_EXPRESSION "SKIP:")
endfunction()

add_test(NAME kernel_table_script COMMAND bash "${cuda_tests}/kernel_table_test.sh")
file(GLOB wrapper_tests CONFIGURE_DEPENDS "${cuda_tests}/ptx/*.cu")
foreach(source IN LISTS wrapper_tests)
  get_filename_component(name "${source}" NAME_WE)
  cria_cuda_test(ptx_${name} "${CRIA_NVCC}" bash "${cuda_tests}/ptx/check.sh" "${CRIA_NVCC}" ${name})
  cria_cuda_test(ptx_${name}_mutated "${CRIA_NVCC}" bash "${cuda_tests}/ptx/check.sh" "${CRIA_NVCC}" ${name} --mutate)
  set_tests_properties(ptx_${name}_mutated PROPERTIES LABELS slow)
endforeach()
