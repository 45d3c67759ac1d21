// cuda_tensor_map.cpp: tensor maps by the CUDA driver, whose function is looked up at run time: the library links no driver.
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstring>

#include "abi/error.h"
#include "device/tensor_map.h"

namespace cria::gpu {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode encode() {
  void *function = nullptr;
  cudaDriverEntryPointQueryResult found;
  const cudaError_t status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                              12000, cudaEnableDefault, &found);
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess)
    fail(CRIA_DEVICE_ERROR,
         "cuda: the driver has no cuTensorMapEncodeTiled; it needs CUDA 12 or newer");
  return reinterpret_cast<Encode>(function);
}

CUtensorMapDataType type_of(int element_bytes) {
  switch (element_bytes) {
    case 1:
      return CU_TENSOR_MAP_DATA_TYPE_UINT8;
    case 2:
      return CU_TENSOR_MAP_DATA_TYPE_UINT16;
    case 4:
      return CU_TENSOR_MAP_DATA_TYPE_UINT32;
    default:
      fail(CRIA_DEVICE_ERROR, "make_tensor_map: elements of %d bytes", element_bytes);
  }
}

}  // namespace

TensorMap make_tensor_map(const Tiling &t) {
  static const Encode function = encode();
  static_assert(sizeof(CUtensorMap) == sizeof(TensorMap) &&
                alignof(CUtensorMap) <= alignof(TensorMap));
  // The innermost dimension first; its stride is that of the element.
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(t.columns), static_cast<cuuint64_t>(t.rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(t.pitch)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(t.tile_columns),
                            static_cast<cuuint32_t>(t.tile_rows)};
  const cuuint32_t steps[] = {1, 1};
  CUtensorMap map;
  const CUresult status =
      function(&map, type_of(t.element_bytes), 2, const_cast<void *>(t.base), sizes, strides, box,
               steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
               t.swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
               CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    fail(CRIA_DEVICE_ERROR,
         "make_tensor_map: the driver refuses (%d): %lld x %lld elements of %d bytes, pitch %lld, "
         "tiles of %d x %d%s",
         static_cast<int>(status), static_cast<long long>(t.rows),
         static_cast<long long>(t.columns), t.element_bytes, static_cast<long long>(t.pitch),
         t.tile_rows, t.tile_columns, t.swizzled ? ", swizzled" : "");
  TensorMap out;
  std::memcpy(&out, &map, sizeof map);
  return out;
}

}  // namespace cria::gpu
