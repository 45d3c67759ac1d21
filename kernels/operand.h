// operand.h: float32 activations as operands of products with weights of float32 or bf16.
#pragma once

#include <optional>

#include "host/gpu_device.h"
#include "pack.h"
#include "product.h"

namespace cria::gpu {

// A matrix [rows, columns] as elements of type T: itself, or rounded to bf16 in scratch memory.
template <class T>
class Rows {
 public:
  Rows(GpuQueue &queue, int64_t rows, int64_t columns, const float *x) {
    if constexpr (sizeof(T) == sizeof(float)) {
      data_ = x;
      pitch_ = columns;
    } else {
      packed_.emplace(queue, packed_bytes(rows, columns));
      pack_rows(queue, rows, columns, x, packed_->as<bf16>());
      data_ = packed_->as<bf16>();
      pitch_ = packed_pitch(columns);
    }
  }
  Operand<T> along_k() const { return {data_, pitch_, true}; }
  Operand<T> across_k() const { return {data_, pitch_, false}; }

 private:
  const T *data_;
  int64_t pitch_;
  std::optional<Scratch> packed_;
};

// Calls use with the weight as what it holds.
template <class Use>
void by_dtype(cria_dtype dtype, const void *weight, Use use) {
  if (dtype == CRIA_BF16) {
    use(static_cast<const bf16 *>(weight));
  } else {
    use(static_cast<const float *>(weight));
  }
}

}  // namespace cria::gpu
