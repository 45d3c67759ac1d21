# Configures (first time only) and builds the native part into build/native; used by Maven and by ./cria.
#   cmake [-DTARGET=name] [-DBUILD_TYPE=Release] [-DBUILD_DIR=dir] [-DCRIA_CUDA=ON] -P native/cmake/build.cmake
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
if(NOT BUILD_DIR)
  set(BUILD_DIR "${root}/build/native")
endif()
if(NOT CRIA_CUDA)
  set(CRIA_CUDA OFF)
endif()
if(NOT BUILD_TYPE)
  set(BUILD_TYPE Release)
endif()

if(NOT EXISTS "${BUILD_DIR}/CMakeCache.txt")
  # Ninja where there is one; later builds keep the generator of the first.
  find_program(ninja NAMES ninja ninja-build)
  set(generator)
  if(ninja AND NOT DEFINED ENV{CMAKE_GENERATOR})
    set(generator -G Ninja)
  endif()
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${root}" -B "${BUILD_DIR}" ${generator} "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}"
            "-DCRIA_CUDA=${CRIA_CUDA}"
    RESULT_VARIABLE status)
  if(status)
    # A cache of a failed configuration would hide the failure next time.
    file(REMOVE "${BUILD_DIR}/CMakeCache.txt")
    message(FATAL_ERROR "configuring the native build in ${BUILD_DIR} failed")
  endif()
endif()

include(ProcessorCount)
ProcessorCount(cores)
if(cores EQUAL 0)
  set(cores 1)
endif()
set(target)
if(TARGET)
  set(target --target ${TARGET})
endif()
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BUILD_DIR}" -j ${cores} ${target} RESULT_VARIABLE status)
if(status)
  message(FATAL_ERROR "the native build in ${BUILD_DIR} failed")
endif()
