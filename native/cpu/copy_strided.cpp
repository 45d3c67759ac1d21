// copy_strided.cpp: copies a box of elements between two strided layouts: transposes, slices, expansions.
#include <algorithm>
#include <cstring>

#include "abi/strides.h"
#include "cpu/cpu_device.h"
#include "cpu/kernels/gemm.h"
#include "cpu/operations.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kTile =
    32;  // edge of the tiles in which two axes are walked, so that both sides stay in cache
constexpr int64_t kGrain = 16384;  // elements per task

int64_t magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

// The order of copying is free: the fastest axis of the target comes last and the fastest other axis
// of the source before it.
void order_axes(Box &box) {
  const auto move = [&](int32_t from, int32_t to) {
    std::swap(box.dims[from], box.dims[to]);
    std::swap(box.a[from], box.a[to]);
    std::swap(box.b[from], box.b[to]);
  };
  for (int32_t place = box.rank - 1; place >= 0 && place >= box.rank - 2; --place) {
    const int64_t *strides = place == box.rank - 1 ? box.b : box.a;
    int32_t best = place;
    for (int32_t i = 0; i < place; ++i) {
      if (magnitude(strides[i]) < magnitude(strides[best])) best = i;
    }
    move(best, place);
  }
}

// rows x cols elements; cols is the fastest axis of the target.
template <class T>
void copy_tile(const GemmKernels &kernels, int64_t rows, int64_t cols, const T *x, int64_t x_row,
               int64_t x_col, T *y, int64_t y_row, int64_t y_col) {
  if (sizeof(T) == 4 && x_row == 1 && y_col == 1) {
    kernels.transpose(cols, rows, x, x_col, y, y_row);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T *from = x + r * x_row;
    T *to = y + r * y_row;
    if (x_col == 1 && y_col == 1) {
      std::memcpy(to, from, static_cast<size_t>(cols) * sizeof(T));
    } else {
      for (int64_t c = 0; c < cols; ++c) to[c * y_col] = from[c * x_col];
    }
  }
}

template <class T>
void copy_box(CpuDevice &device, Box box, const T *x, T *y) {
  if (box.rank == 1) {  // a second axis of length 1
    box = Box{2, {1, box.dims[0]}, {0, box.a[0]}, {0, box.b[0]}};
  }
  order_axes(box);
  const GemmKernels &kernels = gemm_kernels(device.tier);
  const int32_t row_axis = box.rank - 2, col_axis = box.rank - 1;
  const int64_t rows = box.dims[row_axis], cols = box.dims[col_axis];
  // Where both sides run along the same axis, whole runs are copied; else square tiles.
  const int64_t tile_cols = box.a[col_axis] == 1 && box.b[col_axis] == 1 ? 4096 : kTile;
  const int64_t row_tiles = divide_up(rows, kTile);
  const int64_t col_tiles = divide_up(cols, tile_cols);
  int64_t planes = 1;
  for (int32_t i = 0; i < row_axis; ++i) planes *= box.dims[i];
  const int64_t tile = std::min(rows, kTile) * std::min(cols, tile_cols);
  device.parallel_range(
      planes * row_tiles * col_tiles, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, tile)),
      [&](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t col = unit % col_tiles * tile_cols;
          const int64_t row = unit / col_tiles % row_tiles * kTile;
          int64_t plane = unit / col_tiles / row_tiles;
          int64_t from = row * box.a[row_axis] + col * box.a[col_axis];
          int64_t to = row * box.b[row_axis] + col * box.b[col_axis];
          for (int32_t i = row_axis - 1; i >= 0; --i) {
            from += plane % box.dims[i] * box.a[i];
            to += plane % box.dims[i] * box.b[i];
            plane /= box.dims[i];
          }
          copy_tile(kernels, std::min(kTile, rows - row), std::min(tile_cols, cols - col), x + from,
                    box.a[row_axis], box.a[col_axis], y + to, box.b[row_axis], box.b[col_axis]);
        }
      });
}

}  // namespace

cria_status copy_strided(cria_queue *queue, int32_t element_bytes, int32_t rank,
                         const int64_t *dims, const void *x, const int64_t *x_strides, void *y,
                         const int64_t *y_strides) {
  CpuDevice &device = device_of(queue);
  const Box box = Box::collapse(rank, dims, x_strides, y_strides);
  switch (element_bytes) {
    case 1:
      copy_box(device, box, static_cast<const uint8_t *>(x), static_cast<uint8_t *>(y));
      break;
    case 2:
      copy_box(device, box, static_cast<const uint16_t *>(x), static_cast<uint16_t *>(y));
      break;
    default:
      copy_box(device, box, static_cast<const uint32_t *>(x), static_cast<uint32_t *>(y));
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
