// tensor_map_test.cpp: what the driver is asked for a tiling, by a double of its function.
#include <cuda.h>

#include <cstring>

#include "device/tensor_map.h"
#include "harness.h"

namespace {

struct Asked {
  int calls = 0;
  CUtensorMapDataType type;
  unsigned rank;
  const void *base;
  std::vector<cuuint64_t> sizes, strides;
  std::vector<cuuint32_t> box, steps;
  CUtensorMapInterleave interleave;
  CUtensorMapSwizzle swizzle;
  CUtensorMapFloatOOBfill fill;
  CUresult answer = CUDA_SUCCESS;
} g_asked;
bool g_driver_is_old = true;

CUresult encode(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *base,
                const cuuint64_t *sizes, const cuuint64_t *strides, const cuuint32_t *box,
                const cuuint32_t *steps, CUtensorMapInterleave interleave,
                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill fill) {
  g_asked = {g_asked.calls + 1,
             type,
             rank,
             base,
             {sizes, sizes + rank},
             {strides, strides + rank - 1},
             {box, box + rank},
             {steps, steps + rank},
             interleave,
             swizzle,
             fill,
             g_asked.answer};
  std::memset(map, 0x5A, sizeof *map);
  return g_asked.answer;
}

}  // namespace

extern "C" cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function,
                                                        unsigned version, unsigned long long,
                                                        cudaDriverEntryPointQueryResult *found) {
  const bool known = std::strcmp(name, "cuTensorMapEncodeTiled") == 0 && version == 12000;
  *found = known && !g_driver_is_old ? cudaDriverEntryPointSuccess
                                     : cudaDriverEntryPointVersionNotSufficent;
  *function = reinterpret_cast<void *>(&encode);
  return cudaSuccess;
}

namespace runtime_test {
namespace {

using cria::gpu::make_tensor_map;

std::string refusal(const cria::gpu::Tiling &tiling) {
  try {
    make_tensor_map(tiling);
  } catch (const cria::Error &e) {
    check(e.status == CRIA_DEVICE_ERROR, "status %d", e.status);
    return e.message;
  }
  return "";
}

const Register tensor_maps{
    "tensor maps", [] {
      int memory = 0;
      const cria::gpu::Tiling tiling = {&memory, 2, 300, 3200, 6464, 64, 32, true};
      check(refusal(tiling).find("CUDA 12") != std::string::npos, "an old driver");
      g_driver_is_old = false;

      const cria::gpu::TensorMap map = make_tensor_map(tiling);
      for (const uint64_t word : map.words) check(word == 0x5A5A5A5A5A5A5A5A, "the map is lost");
      // The innermost dimension comes first, and only the others have a stride, in bytes.
      check(g_asked.rank == 2 && g_asked.type == CU_TENSOR_MAP_DATA_TYPE_UINT16 &&
                g_asked.base == &memory,
            "type or address");
      check(g_asked.sizes == std::vector<cuuint64_t>{3200, 300}, "sizes");
      check(g_asked.strides == std::vector<cuuint64_t>{6464}, "strides");
      check(g_asked.box == std::vector<cuuint32_t>{32, 64}, "box");
      check(g_asked.steps == std::vector<cuuint32_t>{1, 1}, "steps");
      check(g_asked.swizzle == CU_TENSOR_MAP_SWIZZLE_128B &&
                g_asked.interleave == CU_TENSOR_MAP_INTERLEAVE_NONE &&
                g_asked.fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            "modes");
      make_tensor_map({&memory, 1, 5, 64, 64, 5, 64, false});
      check(g_asked.type == CU_TENSOR_MAP_DATA_TYPE_UINT8 &&
                g_asked.swizzle == CU_TENSOR_MAP_SWIZZLE_NONE,
            "bytes");
      make_tensor_map({&memory, 4, 5, 64, 256, 5, 32, true});
      check(g_asked.type == CU_TENSOR_MAP_DATA_TYPE_UINT32, "words");

      const int calls = g_asked.calls;
      check(refusal({&memory, 8, 5, 64, 512, 5, 32, true}).find("8 bytes") != std::string::npos &&
                g_asked.calls == calls,
            "elements of 8 bytes");
      g_asked.answer = CUDA_ERROR_INVALID_VALUE;
      const std::string message = refusal(tiling);
      for (const char *word : {"refuses (1)", "300 x 3200", "6464", "64 x 32", "swizzled"})
        check(message.find(word) != std::string::npos, "no \"%s\" in: %s", word, message.c_str());
      g_asked.answer = CUDA_SUCCESS;
    }};

}  // namespace
}  // namespace runtime_test
