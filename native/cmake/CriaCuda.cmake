# libcria_cuda: the CUDA device, built with -DCRIA_CUDA=ON (preset "cuda") where nvcc is.
option(CRIA_CUDA "Build the CUDA device" OFF)
if(NOT CRIA_CUDA)
  return()
endif()
set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 90a-real 90-virtual CACHE STRING "GPUs to compile for")
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
include(CriaDevices)
add_library(cria_cuda SHARED ${cria_kernel_sources} ${cria_gpu_host_sources}
                             "${PROJECT_SOURCE_DIR}/kernels/host/cuda_runtime.cpp")
cria_device_library(cria_cuda)
target_link_libraries(cria_cuda PRIVATE CUDA::cudart_static)
set_target_properties(cria_cuda PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
target_compile_options(
  cria_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr -fmad=false -Werror=all-warnings
                    -Xptxas=--warn-on-spills,--warn-on-local-memory-usage,-v>)
