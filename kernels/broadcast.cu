// broadcast.cu: operations on boxes of elements with strides: binary operations with broadcasting, copies.
//
// A thread finds its places in both tensors by dividing its element number by the dimensions, after neighbouring axes have
// been joined: mostly one division. A copy whose two sides run along different axes goes through tiles in shared memory, so
// that both read and write whole sectors.
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "abi/strides.h"
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 4;  // elements (or runs) of a thread, kThreads apart: their loads overlap
constexpr int kBlockElements = kThreads * kEach;

struct Offsets {
  int64_t a, b;
};

// The places of element i of the box.
CRIA_GPU Offsets offsets_of(const Box &box, int64_t i) {
  Offsets at{0, 0};
  for (int32_t axis = box.rank - 1; axis > 0; --axis) {
    const int64_t next = i / box.dims[axis], place = i - next * box.dims[axis];
    at.a += place * box.a[axis];
    at.b += place * box.b[axis];
    i = next;
  }
  at.a += i * box.a[0];
  at.b += i * box.b[0];
  return at;
}

int64_t count_of(const Box &box) {
  int64_t n = 1;
  for (int32_t i = 0; i < box.rank; ++i) n *= box.dims[i];
  return n;
}

// NaN in either operand of a maximum or minimum gives NaN.
CRIA_GPU float combine(cria_binary_op op, float a, float b) {
  switch (op) {
    case CRIA_ADD:
      return a + b;
    case CRIA_SUB:
      return a - b;
    case CRIA_MUL:
      return a * b;
    case CRIA_DIV:
      return a / b;
    case CRIA_MAX:
      return a != a ? a : b != b ? b : fmaxf(a, b);
    default:
      return a != a ? a : b != b ? b : fminf(a, b);
  }
}

CRIA_KERNEL(kThreads, 4)
void binary_kernel(int64_t n, Box box, cria_binary_op op, const float *a, const float *b,
                   float *y) {
  const int64_t first = int64_t(block_x()) * kBlockElements + thread_index();
  float p[kEach], q[kEach];
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    const int64_t i = first + j * kThreads;
    if (i >= n) continue;
    const Offsets at = offsets_of(box, i);
    p[j] = load(a + at.a);
    q[j] = load(b + at.b);
  }
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    const int64_t i = first + j * kThreads;
    if (i < n) store(y + i, combine(op, p[j], q[j]));
  }
}

// Moves n runs of N elements; the dimensions of the box count runs.
template <class T, int N>
CRIA_KERNEL(kThreads, 4)
void copy_strided_kernel(int64_t n, Box box, const T *x, T *y) {
  const int64_t first = int64_t(block_x()) * kBlockElements + thread_index();
  Vec<T, N> value[kEach];
  int64_t to[kEach];
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    const int64_t i = first + j * kThreads;
    if (i >= n) continue;
    const Offsets at = offsets_of(box, i);
    value[j] = load_vec<N>(x + at.a);
    to[j] = at.b;
  }
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    if (first + j * kThreads < n) store_vec(y + to[j], value[j]);
  }
}

// ---- Copies between different fastest axes

constexpr int kTile = 32;                    // edge of a tile
constexpr int kTileRows = kThreads / kTile;  // rows that the block handles at once

// Elements from one row of a tile to the next in shared memory: an odd number of words, so that a column touches all banks.
template <class T>
constexpr int kPitch = kTile + 4 / int(sizeof(T));

// The last axis of the box is the fastest of the target, the one before it that of the source.
template <class T>
CRIA_KERNEL(kThreads, 4)
void transpose_kernel(Box box, const T *x, T *y) {
  const int row_axis = box.rank - 2, col_axis = box.rank - 1;
  const int64_t rows = box.dims[row_axis], cols = box.dims[col_axis];
  const int64_t col_tiles = divide_up(cols, kTile), row_tiles = divide_up(rows, kTile);
  const int64_t plane = block_x() / (col_tiles * row_tiles);
  const int64_t row0 = block_x() / col_tiles % row_tiles * kTile;
  const int64_t col0 = block_x() % col_tiles * kTile;
  int64_t from = row0 * box.a[row_axis] + col0 * box.a[col_axis];
  int64_t to = row0 * box.b[row_axis] + col0 * box.b[col_axis];
  int64_t rest = plane;
  for (int axis = row_axis - 1; axis >= 0; --axis) {
    const int64_t next = rest / box.dims[axis], place = rest - next * box.dims[axis];
    from += place * box.a[axis];
    to += place * box.b[axis];
    rest = next;
  }
  const int along = thread_index() % kTile, across = thread_index() / kTile;
  const Shared<T> tile = shared<T>(0);
#pragma unroll
  for (int i = across; i < kTile; i += kTileRows) {
    if (row0 + along < rows && col0 + i < cols) {
      tile.store(i * kPitch<T> + along,
                 load(x + from + along * box.a[row_axis] + i * box.a[col_axis]));
    }
  }
  block_sync();
#pragma unroll
  for (int i = across; i < kTile; i += kTileRows) {
    if (row0 + i < rows && col0 + along < cols) {
      store(y + to + i * box.b[row_axis] + along * box.b[col_axis],
            tile.load(along * kPitch<T> + i));
    }
  }
}

// ---- Host

void swap_axes(Box &box, int32_t i, int32_t j) {
  std::swap(box.dims[i], box.dims[j]);
  std::swap(box.a[i], box.a[j]);
  std::swap(box.b[i], box.b[j]);
}

// The axis below `end` that `strides` steps through fastest; one that repeats elements (stride 0) comes after all others.
int32_t fastest_axis(const int64_t *strides, int32_t end) {
  const auto step = [&](int32_t i) { return strides[i] ? std::llabs(strides[i]) : INT64_MAX; };
  int32_t best = end - 1;
  for (int32_t i = end - 2; i >= 0; --i) {
    if (step(i) < step(best)) best = i;
  }
  return best;
}

// Whether the last axis consists of runs of `count` elements that lie together, aligned, on both sides.
bool has_runs(const Box &box, int64_t count, const void *x, const void *y, int64_t element_bytes) {
  const int32_t last = box.rank - 1;
  bool even = box.a[last] == 1 && box.b[last] == 1 && box.dims[last] % count == 0;
  for (int32_t i = 0; i < last; ++i) even = even && box.a[i] % count == 0 && box.b[i] % count == 0;
  const auto addresses = reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y);
  return even && addresses % static_cast<uintptr_t>(count * element_bytes) == 0;
}

// The order of copying is free: the fastest axis of the target is the last of the box.
template <class T>
void copy_box(GpuQueue &queue, Box box, const void *from, void *to) {
  const auto *x = static_cast<const T *>(from);
  auto *y = static_cast<T *>(to);
  const int64_t n = count_of(box);
  const int32_t last = box.rank - 1;
  if constexpr (sizeof(T) < 4) {
    if (has_runs(box, 2, from, to, sizeof(T))) {
      for (int32_t i = 0; i < last; ++i) {
        box.a[i] /= 2;
        box.b[i] /= 2;
      }
      box.dims[last] /= 2;
      using Wider = std::conditional_t<sizeof(T) == 1, uint16_t, uint32_t>;
      return copy_box<Wider>(queue, box, from, to);
    }
  } else if (has_runs(box, 4, from, to, sizeof(T))) {
    box.dims[last] /= 4;
    box.a[last] = box.b[last] = 4;
    launch(queue, "copy_strided", &copy_strided_kernel<T, 4>, {divide_up(n / 4, kBlockElements)},
           kThreads, 0, n / 4, box, x, y);
    return;
  }
  const int32_t source = fastest_axis(box.a, box.rank);
  // In axes shorter than this most threads of a tile would idle.
  constexpr int64_t kLeast = kTile / 4;
  if (source != last && box.a[last] != 0 && box.dims[source] >= kLeast &&
      box.dims[last] >= kLeast) {
    swap_axes(box, source, last - 1);
    const int64_t tiles = divide_up(box.dims[last - 1], kTile) * divide_up(box.dims[last], kTile);
    launch(queue, "copy_strided_transpose", &transpose_kernel<T>,
           {n / (box.dims[last - 1] * box.dims[last]) * tiles}, kThreads,
           int(kTile * kPitch<T> * sizeof(T)), box, x, y);
    return;
  }
  launch(queue, "copy_strided", &copy_strided_kernel<T, 1>, {divide_up(n, kBlockElements)},
         kThreads, 0, n, box, x, y);
}

}  // namespace

cria_status binary(cria_queue *queue, cria_binary_op op, int32_t rank, const int64_t *dims,
                   const float *a, const int64_t *a_strides, const float *b,
                   const int64_t *b_strides, float *y) {
  const Box box = Box::collapse(rank, dims, a_strides, b_strides);
  const int64_t n = count_of(box);
  launch(queue_of(queue), "binary", &binary_kernel, {divide_up(n, kBlockElements)}, kThreads, 0, n,
         box, op, a, b, y);
  return CRIA_OK;
}

cria_status copy_strided(cria_queue *queue, int32_t element_bytes, int32_t rank,
                         const int64_t *dims, const void *x, const int64_t *x_strides, void *y,
                         const int64_t *y_strides) {
  Box box = Box::collapse(rank, dims, x_strides, y_strides);
  swap_axes(box, fastest_axis(box.b, box.rank), box.rank - 1);
  switch (element_bytes) {
    case 1:
      copy_box<uint8_t>(queue_of(queue), box, x, y);
      break;
    case 2:
      copy_box<uint16_t>(queue_of(queue), box, x, y);
      break;
    default:
      copy_box<uint32_t>(queue_of(queue), box, x, y);
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
