# What the libraries of the GPU devices have in common: sources, and an export of nothing but their entry.
file(GLOB cria_kernel_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/*.cu")
file(GLOB cria_gpu_host_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/host/*.cpp")
list(FILTER cria_gpu_host_sources EXCLUDE REGEX "/(cuda|simt)_[a-z_]*\\.cpp$")
list(APPEND cria_gpu_host_sources "${PROJECT_SOURCE_DIR}/native/abi/dynamic_map.cpp"
                                  "${PROJECT_SOURCE_DIR}/native/abi/memory_account.cpp"
                                  "${PROJECT_SOURCE_DIR}/native/abi/sequences.cpp")
set(cria_gpu_includes "${PROJECT_SOURCE_DIR}/kernels" "${PROJECT_SOURCE_DIR}/native" "${PROJECT_SOURCE_DIR}/native/include")

function(cria_device_library name)
  target_include_directories(${name} PRIVATE ${cria_gpu_includes})
  target_link_libraries(${name} PRIVATE cria_flags Threads::Threads)
  set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  target_link_options(${name} PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/native/cmake/plugin.map")
  if(NOT CRIA_SANITIZE)
    target_link_options(${name} PRIVATE -static-libgcc -static-libstdc++)
  endif()
endfunction()
