// pack.h: float32 matrices rounded to bf16 operands of matrix products.
#pragma once

#include "device/types.h"
#include "host/gpu_device.h"

namespace cria::gpu {

// The distance of the rows of a packed operand: whole steps of 64 elements, so that each row begins at a line of 128 bytes.
CRIA_BOTH int64_t packed_pitch(int64_t columns) { return round_up(columns, 64); }

inline int64_t packed_bytes(int64_t rows, int64_t columns) {
  return rows * packed_pitch(columns) * static_cast<int64_t>(sizeof(bf16));
}

// The order of the elements in each run of 64. nf4: element 16 t + 4 s + 2 h + e lies at 16 s + 8 h + 2 t + e, so that lane t
// of a quad multiplies, in the four steps of 16, elements 16 t to 16 t + 15: those of 8 bytes of NF4 codes.
enum class PackOrder { plain, nf4 };

// Writes x [rows, columns] to out [rows, packed_pitch(columns)], rounded to nearest even, zeros behind the columns. out is
// aligned to 256 bytes (Scratch).
void pack_rows(GpuQueue &queue, int64_t rows, int64_t columns, const float *x, bf16 *out,
               PackOrder order = PackOrder::plain);

}  // namespace cria::gpu
