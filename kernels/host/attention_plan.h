// attention_plan.h: the tables that tell the attention kernels which rows see which keys, made on the host from checked
// sequences. Their size is linear in the rows of the batch.
#pragma once

#include <cstdint>
#include <vector>

#include "abi/sequences.h"
#include "host/gpu_device.h"

namespace cria::gpu {

// Query rows row .. row + rows of the batch, positions position .. of their sequence. They see the prefix and, each up to
// itself, the first `keys` rows of the sequence; keys = prefix = 0 for rows that belong to no sequence.
struct alignas(16) QueryBlock {
  int32_t row, rows, position, keys;
  int32_t prefix_row, prefix;
};

// Keys row .. row + rows of the batch, positions position .. of their sequence. The sequence's views are those of the
// sequence itself, then of the sequences that have their prefix in it; no views for rows that belong to no sequence.
struct alignas(16) KeyBlock {
  int32_t row, rows, position;
  int32_t first_view, views;
};

// Query rows row .. row + rows that see keys low .. high of a sequence, counted from its start.
struct alignas(16) View {
  int32_t row, rows, low, high;
};

struct KeyPlan {
  std::vector<KeyBlock> blocks;
  std::vector<View> views;
};

// Blocks start at the first row of their sequence, so that a sequence gives the same bits wherever it lies in the batch.
// Those with most work come first.
std::vector<QueryBlock> query_blocks(const PackedSequences &packed, int64_t rows_per_block);
KeyPlan key_plan(const PackedSequences &packed, int64_t rows_per_block);

// A copy of `rows` on the device, for one operation.
template <class T>
class Table : public Scratch {
 public:
  Table(GpuQueue &queue, const std::vector<T> &rows)
      : Scratch(queue, static_cast<int64_t>(rows.size() * sizeof(T))) {
    queue.upload(as<void>(), rows.data(), static_cast<int64_t>(rows.size() * sizeof(T)));
  }
  const T *data() const { return as<T>(); }
};

}  // namespace cria::gpu
