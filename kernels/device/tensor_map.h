// tensor_map.h: how a matrix in device memory is cut into tiles, for tile_load of hopper.h.
#pragma once

#include <cstdint>

namespace cria::gpu {

// What the hardware reads; made on the host and given to kernels by value: CRIA_GRID_CONSTANT const TensorMap map.
struct alignas(128) TensorMap {
  uint64_t words[16];
};

// A row-major matrix and its tiles. The matrix and each of its rows (pitch, in bytes) begin at a multiple of 16 bytes; a row
// of a tile is a multiple of 16 bytes; a tile has at most 256 rows and columns. Swizzled tiles have rows of 128 bytes, and the
// 16 bytes c of row r lie at c ^ (r % 8), so that 8 rows of a column of 16 bytes are in different banks.
struct Tiling {
  const void *base;
  int element_bytes;  // 1, 2 or 4
  int64_t rows, columns, pitch;
  int tile_rows, tile_columns;
  bool swizzled;
};

// Throws cria::Error where the tiling cannot be: on CUDA by cuTensorMapEncodeTiled, on the emulator in its own words.
TensorMap make_tensor_map(const Tiling &tiling);

}  // namespace cria::gpu

#if defined(__CUDACC__)
#define CRIA_GRID_CONSTANT __grid_constant__
#else
#define CRIA_GRID_CONSTANT
#endif
