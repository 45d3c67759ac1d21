// strides.h: boxes of elements walked with two sets of strides, reduced to as few axes as possible.
#pragma once

#include <cstdint>

namespace cria {

// dims[0..rank) of a box and the strides, in elements, of two tensors over it; last axis fastest.
struct Box {
  int32_t rank = 0;
  int64_t dims[8];
  int64_t a[8];
  int64_t b[8];

  // Drops axes of length 1 and joins neighbours that both tensors step through evenly. An empty box
  // keeps one axis of length 0; a single element becomes one axis of length 1.
  static Box collapse(int32_t rank, const int64_t *dims, const int64_t *a, const int64_t *b) {
    Box box;
    for (int32_t i = 0; i < rank; ++i) {
      if (dims[i] == 0) return Box{1, {0}, {0}, {0}};
      if (dims[i] == 1) continue;
      const int32_t last = box.rank - 1;
      if (last >= 0 && box.a[last] == a[i] * dims[i] && box.b[last] == b[i] * dims[i]) {
        box.dims[last] *= dims[i];
        box.a[last] = a[i];
        box.b[last] = b[i];
      } else {
        box.dims[box.rank] = dims[i];
        box.a[box.rank] = a[i];
        box.b[box.rank] = b[i];
        ++box.rank;
      }
    }
    return box.rank > 0 ? box : Box{1, {1}, {0}, {0}};
  }
};

}  // namespace cria
