// nf4_matrix.cu: NF4 matrices of the GPU devices as objects: making, importing, exporting and freeing them.
//
// Codes are kept as they come. Scales are turned by the host, into and out of the order of the kernels.
#include "nf4_matrix.h"

#include <algorithm>
#include <vector>

#include "abi/error.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

int log2_of(int64_t x) {
  int shift = 0;
  while (int64_t{1} << (shift + 1) <= x) ++shift;
  return shift;
}

// Kernels find the group of a block by a shift. Groups of another size are kept as so many parts of a power of two, with
// the same maximum.
int group_shift_of(int64_t nested_block_size) {
  return log2_of(nested_block_size & -nested_block_size);
}

int64_t group_count(const cria_nf4 &w) {
  return divide_up(w.view.blocks, int64_t{1} << w.view.group_shift);
}

int64_t code_bytes(const cria_nf4 &w) { return divide_up(w.view.n * w.view.k, 2); }

// Calls visit(part, bytes) for each allocation of a matrix.
template <class Visit>
void for_parts(cria_nf4 &w, Visit visit) {
  Nf4 &v = w.view;
  visit(v.codes, code_bytes(w));
  if (w.nested_block_size == 0) {
    visit(v.scales, v.blocks * 4);
  } else {
    visit(v.scale_codes, v.blocks);
    visit(v.group_absmax, group_count(w) * 4);
  }
  visit(v.maps, (kScaleMap + 256) * 4);
}

template <class T>
void upload(GpuQueue &queue, const T *part, const T *host, int64_t count) {
  if (count > 0) queue.upload(writable(part), host, count * static_cast<int64_t>(sizeof(T)));
}

template <class T>
std::vector<T> downloaded(GpuQueue &queue, const T *part, int64_t count) {
  std::vector<T> host(static_cast<size_t>(count));
  if (count > 0) queue.download(host.data(), part, count * static_cast<int64_t>(sizeof(T)));
  return host;
}

// host[b] and part[scale_place(b)] are the same.
template <class T>
void upload_by_block(GpuQueue &queue, const Nf4 &w, const T *part, const T *host) {
  std::vector<T> placed(static_cast<size_t>(w.blocks));
  for (int64_t b = 0; b < w.blocks; ++b) placed[static_cast<size_t>(scale_place(w, b))] = host[b];
  upload(queue, part, placed.data(), w.blocks);
}

template <class T>
std::vector<T> downloaded_by_block(GpuQueue &queue, const Nf4 &w, const T *part) {
  const std::vector<T> placed = downloaded(queue, part, w.blocks);
  std::vector<T> host(placed.size());
  for (int64_t b = 0; b < w.blocks; ++b) {
    host[static_cast<size_t>(b)] = placed[static_cast<size_t>(scale_place(w, b))];
  }
  return host;
}

void require(const void *part, const char *name) {
  if (!part) fail(CRIA_INVALID_ARGUMENT, "nf4_export: this matrix has no %s", name);
}

template <class T>
void copy_out(const std::vector<T> &from, T *to) {
  std::copy(from.begin(), from.end(), to);
}

}  // namespace

void FreeNf4::operator()(cria_nf4 *w) const {
  for_parts(*w, [&](auto *part, int64_t bytes) { w->gpu().release(writable(part), bytes); });
  delete w;
}

Nf4Owner make_nf4(const char *operation, GpuDevice &device, int64_t n, int64_t k,
                  int64_t block_size, int64_t nested_block_size) {
  Nf4Owner w(new cria_nf4{});
  w->device = &device;
  w->block_size = block_size;
  w->nested_block_size = nested_block_size;
  w->view.n = n;
  w->view.k = k;
  w->view.block_shift = log2_of(block_size);
  w->view.blocks = divide_up(n * k, block_size);
  if (nested_block_size > 0) w->view.group_shift = group_shift_of(nested_block_size);
  for_parts(*w, [&](auto *&part, int64_t bytes) {
    using Part = std::remove_reference_t<decltype(part)>;
    part = static_cast<Part>(device.allocate(operation, bytes));
    w->bytes += bytes;
  });
  return w;
}

cria_status nf4_import(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                       const uint8_t *codes, const float *code_map, const float *absmax,
                       const uint8_t *absmax_codes, int64_t nested_block_size,
                       const float *nested_absmax, const float *nested_map, float nested_offset,
                       cria_nf4 **matrix) {
  GpuQueue &q = queue_of(queue);
  const bool nested = absmax == nullptr && nested_map != nullptr;
  Nf4Owner w = make_nf4("nf4_import", q.gpu(), n, k, block_size, nested ? nested_block_size : 0);
  Nf4 &v = w->view;
  upload(q, v.codes, codes, code_bytes(*w));
  std::copy(code_map, code_map + 16, v.code_map);
  upload(q, v.maps, code_map, 16);
  if (nested) {
    upload_by_block(q, v, v.scale_codes, absmax_codes);
    std::vector<float> groups(static_cast<size_t>(group_count(*w)));
    for (size_t g = 0; g < groups.size(); ++g) {
      groups[g] = nested_absmax[(static_cast<int64_t>(g) << v.group_shift) / nested_block_size];
    }
    upload(q, v.group_absmax, groups.data(), group_count(*w));
    upload(q, v.maps + kScaleMap, nested_map, 256);
    v.nested_offset = nested_offset;
  } else {
    upload_by_block(q, v, v.scales, absmax);
  }
  *matrix = w.release();
  return CRIA_OK;
}

cria_status nf4_info(const cria_nf4 *w, int64_t *n, int64_t *k, int64_t *block_size,
                     int64_t *nested_block_size, int64_t *bytes) {
  if (n) *n = w->view.n;
  if (k) *k = w->view.k;
  if (block_size) *block_size = w->block_size;
  if (nested_block_size) *nested_block_size = w->nested_block_size;
  if (bytes) *bytes = w->bytes;
  return CRIA_OK;
}

cria_status nf4_export(cria_queue *queue, const cria_nf4 *w, uint8_t *codes, float *code_map,
                       float *absmax, uint8_t *absmax_codes, float *nested_absmax,
                       float *nested_map, float *nested_offset) {
  GpuQueue &q = queue_of(queue);
  const Nf4 &v = w->view;
  if (absmax_codes) require(v.scale_codes, "scale codes");
  if (nested_absmax) require(v.group_absmax, "nested maxima");
  if (nested_map) require(v.scale_codes, "nested map");
  if (nested_offset) require(v.scale_codes, "nested offset");

  if (codes) copy_out(downloaded(q, v.codes, code_bytes(*w)), codes);
  if (code_map) std::copy(v.code_map, v.code_map + 16, code_map);
  if (nested_offset) *nested_offset = v.nested_offset;
  if (v.scales) {
    if (absmax) copy_out(downloaded_by_block(q, v, v.scales), absmax);
    return CRIA_OK;
  }
  const std::vector<float> groups = downloaded(q, v.group_absmax, group_count(*w));
  const std::vector<float> map = downloaded(q, v.maps + kScaleMap, 256);
  const std::vector<uint8_t> scales = downloaded_by_block(q, v, v.scale_codes);
  if (absmax_codes) copy_out(scales, absmax_codes);
  if (nested_map) copy_out(map, nested_map);
  if (nested_absmax) {
    for (int64_t g = 0; g < divide_up(v.blocks, w->nested_block_size); ++g) {
      nested_absmax[g] = groups[static_cast<size_t>(g * w->nested_block_size >> v.group_shift)];
    }
  }
  if (absmax) {
    for (int64_t b = 0; b < v.blocks; ++b) {
      const float product =
          map[scales[static_cast<size_t>(b)]] * groups[static_cast<size_t>(b >> v.group_shift)];
      absmax[b] = product + v.nested_offset;
    }
  }
  return CRIA_OK;
}

cria_status nf4_free(cria_nf4 *w) {
  FreeNf4{}(w);
  return CRIA_OK;
}

}  // namespace cria::gpu
