# libcria_simt: the CUDA kernels on the SIMT emulator, the device "simt".
include(CriaDevices)
file(GLOB simt_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/simt/*.cpp")
if(NOT simt_sources)
  return()
endif()
# A kernel file is C++ here. Its wrapper leaves the .cu file to nvcc.
set(simt_kernels)
foreach(source IN LISTS cria_kernel_sources)
  get_filename_component(name "${source}" NAME_WE)
  set(wrapper "${PROJECT_BINARY_DIR}/simt/${name}.cpp")
  file(CONFIGURE OUTPUT "${wrapper}" CONTENT "#include \"@source@\"\n" @ONLY)
  set_source_files_properties("${wrapper}" PROPERTIES OBJECT_DEPENDS "${source}")
  list(APPEND simt_kernels "${wrapper}")
endforeach()
# The emulator alone, for its self-test.
add_library(cria_simt_core OBJECT ${simt_sources})
target_include_directories(cria_simt_core PUBLIC ${cria_gpu_includes})
target_compile_definitions(cria_simt_core PUBLIC CRIA_SIMT)
# psabi: GCC notes arguments aligned like a tensor map, whose passing changed with version 4.6.
target_compile_options(cria_simt_core PUBLIC -Wno-unknown-pragmas -Wno-psabi)
target_link_libraries(cria_simt_core PUBLIC cria_flags Threads::Threads)

add_library(cria_simt SHARED ${simt_kernels} ${cria_gpu_host_sources}
                             "${PROJECT_SOURCE_DIR}/kernels/host/simt_runtime.cpp")
cria_device_library(cria_simt)
target_link_libraries(cria_simt PRIVATE cria_simt_core)
