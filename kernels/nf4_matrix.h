// nf4_matrix.h: the GPU devices' NF4 matrix: codes in the byte order of bitsandbytes, scales in that of the kernels.
#pragma once

#include "device/device.h"
#include "host/gpu_device.h"

namespace cria::gpu {

// What kernels see of a matrix [n, k].
struct Nf4 {
  int64_t n, k;
  int64_t blocks;
  int block_shift;       // log2 of the block size
  int group_shift;       // log2 of the scales that share a nested maximum
  const uint8_t *codes;  // the even element in the high nibble
  // Either float scales or codes of the second level. Where blocks are 64 weights of one row, scales go down the
  // columns of blocks [k / 64, n]: the rows of a tile need scales that lie side by side. Else they go by block.
  const float *scales;
  const uint8_t *scale_codes;
  const float *group_absmax;
  const float *maps;  // the 16 values of codes, then the 256 of scale codes
  float nested_offset;
  float code_map[16];

  // Whether each aligned run of 64 elements lies in one row and has one scale: the case of the fast kernels.
  CRIA_BOTH bool regular() const { return blocks > 0 && k % 64 == 0 && block_shift >= 6; }
  CRIA_BOTH bool by_columns() const { return k % 64 == 0 && block_shift == 6; }
};

constexpr int kScaleMap = 16;  // where the second map begins in `maps`

// Where the scale of a block lies.
CRIA_BOTH int64_t scale_place(const Nf4 &w, int64_t block) {
  if (!w.by_columns()) return block;
  const int64_t columns = w.k / 64;
  return block % columns * w.n + block / columns;
}

// A scale as stored, to be loaded ahead of its use.
struct RawScale {
  float absmax;   // the scale, or the maximum of its group
  uint32_t code;  // of the second level
};

CRIA_GPU RawScale load_scale(const Nf4 &w, int64_t block, int64_t place) {
  if (w.scales) return {load(w.scales + place), 0};
  return {load(w.group_absmax + (block >> w.group_shift)), load(w.scale_codes + place)};
}

// The raw scale of the run of 64 elements that begins at (row, 64 * column) of a regular matrix.
CRIA_GPU RawScale load_run_scale(const Nf4 &w, int64_t row, int64_t column) {
  const int64_t block = (row * w.k + column * 64) >> w.block_shift;
  return load_scale(w, block, w.by_columns() ? column * w.n + row : block);
}

// map(code): the value of a scale code.
template <class Map>
CRIA_GPU float scale_of(const Nf4 &w, RawScale raw, Map map) {
  return w.scales ? raw.absmax : map(raw.code) * raw.absmax + w.nested_offset;
}

// The canonical value of the element at a flat index, for what is not regular.
CRIA_GPU float weight_at(const Nf4 &w, int64_t i) {
  const uint32_t byte = load(w.codes + i / 2);
  const uint32_t code = i % 2 ? byte & 15 : byte >> 4;
  const int64_t block = i >> w.block_shift;
  const float scale = scale_of(w, load_scale(w, block, scale_place(w, block)),
                               [&](uint32_t c) { return load(w.maps + kScaleMap + c); });
  return to_float(to_bf16(load(w.maps + code) * scale));
}

}  // namespace cria::gpu

struct cria_nf4 {
  cria_device *device;
  int64_t block_size;
  int64_t nested_block_size;  // 0 without double quantisation
  int64_t bytes;              // counted on the device
  cria::gpu::Nf4 view;

  cria::gpu::GpuDevice &gpu() const { return static_cast<cria::gpu::GpuDevice &>(*device); }
};

namespace cria::gpu {

struct FreeNf4 {
  void operator()(cria_nf4 *w) const;
};
using Nf4Owner = std::unique_ptr<cria_nf4, FreeNf4>;

// A matrix with its memory, contents undefined but for the shape. nested_block_size 0: plain scales.
Nf4Owner make_nf4(const char *operation, GpuDevice &device, int64_t n, int64_t k,
                  int64_t block_size, int64_t nested_block_size);

// Memory of a part, to be written.
template <class T>
T *writable(const T *part) {
  return const_cast<T *>(part);
}

}  // namespace cria::gpu
