# libcria_cuda: the CUDA device, built with -DCRIA_CUDA=ON (preset "cuda") where nvcc is. Its kernels for one architecture
# only, a quick check: cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES=80-real
option(CRIA_CUDA "Build the CUDA device" OFF)
if(NOT CRIA_CUDA)
  return()
endif()
# GPUs newer than these get the PTX.
set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 90a-real 90-virtual CACHE STRING "GPUs to compile for")
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
include(CriaDevices)

file(GLOB cuda_host_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/host/cuda_*.cpp")
add_library(cria_cuda SHARED ${cria_gpu_host_sources} ${cuda_host_sources})
cria_device_library(cria_cuda)
target_link_libraries(cria_cuda PRIVATE CUDA::cudart_static)

# Kernels are compiled once per GPU; what ptxas reports of them stays beside each object. A spill or an array in local memory
# is an error.
set(kernel_targets)
function(cria_add_kernels objects architectures)
  add_library(${objects} OBJECT ${ARGN})
  target_include_directories(${objects} PRIVATE ${cria_gpu_includes})
  target_link_libraries(${objects} PRIVATE cria_flags)
  target_compile_options(
    ${objects} PRIVATE --expt-relaxed-constexpr -fmad=false -Werror=all-warnings
                       -Xptxas=-v,--warn-on-spills,--warn-on-local-memory-usage)
  set_target_properties(
    ${objects}
    PROPERTIES CUDA_STANDARD 17
               CUDA_STANDARD_REQUIRED ON
               CUDA_ARCHITECTURES "${architectures}"
               CUDA_COMPILER_LAUNCHER "bash;${PROJECT_SOURCE_DIR}/native/cmake/keep_ptxas_report.sh")
  target_link_libraries(cria_cuda PRIVATE ${objects})
  set(kernel_targets ${kernel_targets} ${objects} PARENT_SCOPE)
endfunction()

# Files *_sm90a.cu use instructions of the H100 that no other GPU has.
set(sm90a_kernels ${cria_kernel_sources})
list(FILTER sm90a_kernels INCLUDE REGEX "_sm90a\\.cu$")
set(common_kernels ${cria_kernel_sources})
list(FILTER common_kernels EXCLUDE REGEX "_sm90a\\.cu$")
cria_add_kernels(cria_cuda_kernels "${CMAKE_CUDA_ARCHITECTURES}" ${common_kernels})
if(sm90a_kernels)
  cria_add_kernels(cria_cuda_sm90a_kernels 90a-real ${sm90a_kernels})
endif()

# docs/cuda/registers.md: written from a build for all GPUs (target kernel_table_write), or compared with this build
# (kernel_table_check).
list(TRANSFORM kernel_targets REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE kernel_objects)
foreach(mode write check)
  add_custom_target(
    kernel_table_${mode}
    COMMAND bash "${PROJECT_SOURCE_DIR}/native/cmake/kernel_table.sh" ${mode}
            "${PROJECT_SOURCE_DIR}/docs/cuda/registers.md" ${CMAKE_CUDA_COMPILER_VERSION} ${kernel_objects}
    COMMAND_EXPAND_LISTS VERBATIM)
  add_dependencies(kernel_table_${mode} ${kernel_targets})
endforeach()
