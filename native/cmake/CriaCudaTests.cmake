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

# cuBLAS: its calls on a test double, and our declarations against its header (also of the package nvidia-cublas: give its folder
# as CRIA_CUBLAS_INCLUDE).
add_library(cria_fake_cublas MODULE "${cuda_tests}/cublas/fake_cublas.cpp")
target_link_libraries(cria_fake_cublas PRIVATE cria_flags)
set(cublas_includes "${PROJECT_SOURCE_DIR}/kernels" "${PROJECT_SOURCE_DIR}/native" "${PROJECT_SOURCE_DIR}/native/include")
add_executable(cria_cublas_test "${cuda_tests}/cublas/cublas_test.cpp" "${PROJECT_SOURCE_DIR}/kernels/host/cublas.cpp")
target_include_directories(cria_cublas_test PRIVATE ${cublas_includes})
target_link_libraries(cria_cublas_test PRIVATE cria_flags ${CMAKE_DL_LIBS})
add_test(NAME cublas COMMAND cria_cublas_test "$<TARGET_FILE:cria_fake_cublas>")

find_package(CUDAToolkit QUIET)
find_path(CRIA_CUBLAS_INCLUDE cublas_v2.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
list(TRANSFORM cublas_includes PREPEND "-I" OUTPUT_VARIABLE cublas_flags)
if(CRIA_CUBLAS_INCLUDE AND CUDAToolkit_FOUND)
  list(GET CUDAToolkit_INCLUDE_DIRS 0 cuda_include)
  add_test(NAME cublas_header
           COMMAND "${CMAKE_CXX_COMPILER}" -std=c++17 -Wall -Wextra -Werror -fsyntax-only ${cublas_flags} -isystem
                   "${CRIA_CUBLAS_INCLUDE}" -isystem "${cuda_include}" "${cuda_tests}/cublas/header_test.cpp")
else()
  add_test(NAME cublas_header COMMAND "${CMAKE_COMMAND}" -E echo "SKIP: no cublas_v2.h on this machine")
endif()
set_tests_properties(cublas cublas_header PROPERTIES TIMEOUT 300 SKIP_REGULAR_EXPRESSION "SKIP:")

# The host side of the CUDA device on a test double of the CUDA runtime, whose header it needs.
find_path(CRIA_CUDA_INCLUDE cuda_runtime_api.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATHS /usr/local/cuda/include)
if(CRIA_CUDA_INCLUDE)
  file(GLOB runtime_test_sources CONFIGURE_DEPENDS "${cuda_tests}/runtime/*.cpp")
  set(host_sources cuda_runtime.cpp cuda_tensor_map.cpp gpu_device.cpp graph.cpp)
  list(TRANSFORM host_sources PREPEND "${PROJECT_SOURCE_DIR}/kernels/host/")
  add_executable(cria_runtime_test ${runtime_test_sources} ${host_sources} "${PROJECT_SOURCE_DIR}/native/abi/memory_account.cpp")
  target_include_directories(cria_runtime_test PRIVATE ${cublas_includes})
  target_include_directories(cria_runtime_test SYSTEM PRIVATE "${CRIA_CUDA_INCLUDE}")
  target_link_libraries(cria_runtime_test PRIVATE cria_flags Threads::Threads)
endif()
cria_cuda_test(cuda_runtime "${CRIA_CUDA_INCLUDE}" cria_runtime_test)
