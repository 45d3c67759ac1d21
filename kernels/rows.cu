// rows.cu: rows taken by number from a table (gather, embedding), added to it in the order of the numbers, and scaled.
//
// Bound by memory. Additions to a row of the table must happen in order although its occurrences lie anywhere: a first kernel
// links the occurrences of each number, then the threads of the first one walk the links with the row in registers. So each
// row moves once, and the sums are those of a loop over the numbers, bit for bit.
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

// ---- Taking rows

template <class T>
struct Gather {
  int64_t rows, c;
  const int32_t *index;
  const T *x;
  float *y;
  uint64_t *fault;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const int64_t place = i / c, column = i - place * c;
    const int32_t row = load(index + place);
    if (row < 0 || row >= rows) {
      if (column == 0) atomic_min(fault, uint64_t(place) << 32 | uint32_t(row));
      return;
    }
    const Vec<T, N> in = load_vec<N>(x + row * c + column);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = to_float(in[j]);
    store_vec(y + i, out);
  }
};

struct ScaleRows {
  int64_t cols;
  const float *s, *x;
  float *y;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const float scale = load(s + i / cols);
    const Vec<float, N> in = load_vec<N>(x + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = scale * in[j];
    store_vec(y + i, out);
  }
};

// ---- Adding rows

constexpr int kLinkThreads = 64;  // few, so that all multiprocessors compare
constexpr int kTile = 256;        // numbers compared between two barriers

// link[i]: the next place after i that has index[i] again, n if there is none; complemented where an earlier place has it or
// it is no row, so that a chain starts at each non-negative link. One thread a place; it looks at all numbers.
CRIA_KERNEL(kLinkThreads, 8)
void link_rows_kernel(int64_t n, int64_t rows, const int32_t *index, int64_t *link,
                      uint64_t *fault) {
  const int64_t place = int64_t(block_x()) * kLinkThreads + thread_index();
  const int32_t row = place < n ? load(index + place) : -1;
  bool starts = row >= 0 && row < rows;
  if (place < n && !starts) atomic_min(fault, uint64_t(place) << 32 | uint32_t(row));
  int64_t next = n;
  for (int64_t first = 0; first < n; first += kTile) {
    // Tiles take turns between two buffers, so that one barrier a tile is enough.
    const auto tile = shared<int32_t>(uint32_t(first / kTile % 2) * kTile * 4);
    for (int j = thread_index(); j < kTile; j += kLinkThreads) {
      tile.store(j, first + j < n ? load(index + first + j) : -1);
    }
    block_sync();
    for (int j = 0; j < kTile; j += 4) {
      const Vec<int32_t, 4> other = tile.vec<4>(j);
      for (int k = 0; k < 4; ++k) {
        if (other[k] != row) continue;
        if (first + j + k < place) starts = false;
        if (first + j + k > place) next = minimum(next, first + j + k);
      }
    }
  }
  if (place < n) store(link + place, starts ? next : ~next);
}

struct AddLinked {
  int64_t n, c;
  const int32_t *index;
  const int64_t *link;
  const float *y;
  float *x;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    int64_t place = i / c;
    const int64_t column = i - place * c;
    int64_t next = load(link + place);
    if (next < 0) return;
    float *to = x + load(index + place) * c + column;
    Vec<float, N> sum = load_vec<N>(to);
    for (;;) {
      const Vec<float, N> in = load_vec<N>(y + place * c + column);
      for (int j = 0; j < N; ++j) sum[j] += in[j];
      if (next == n) break;
      place = next;
      next = ~load(link + place);
    }
    store_vec(to, sum);
  }
};

template <class T>
void gather(GpuQueue &queue, const char *name, Fault kind, int64_t n, int64_t rows, int64_t c,
            const int32_t *index, const void *x, float *y) {
  each(queue, name, n * c, vectors_of_4(c, {x, y}),
       Gather<T>{rows, c, index, static_cast<const T *>(x), y, queue.fault_slot(kind, rows)});
}

void add_rows(GpuQueue &queue, const char *name, Fault kind, int64_t n, int64_t rows, int64_t c,
              const int32_t *index, const float *y, float *x) {
  const Scratch link(queue, n * int64_t(sizeof(int64_t)));
  launch(queue, "link_rows", &link_rows_kernel, {divide_up(n, kLinkThreads)}, kLinkThreads,
         2 * kTile * 4, n, rows, index, link.as<int64_t>(), queue.fault_slot(kind, rows));
  each(queue, name, n * c, vectors_of_4(c, {x, y}),
       AddLinked{n, c, index, link.as<int64_t>(), y, x});
}

}  // namespace

cria_status embedding(cria_queue *queue, int64_t t, int64_t v, int64_t c, cria_dtype dtype,
                      const void *table, const int32_t *ids, float *out) {
  if (dtype == CRIA_F32) {
    gather<float>(queue_of(queue), "embedding", Fault::embedding_id, t, v, c, ids, table, out);
  } else {
    gather<bf16>(queue_of(queue), "embedding", Fault::embedding_id, t, v, c, ids, table, out);
  }
  return CRIA_OK;
}

cria_status embedding_bwd(cria_queue *queue, int64_t t, int64_t v, int64_t c, const int32_t *ids,
                          const float *dout, float *dtable) {
  add_rows(queue_of(queue), "embedding_bwd", Fault::embedding_id, t, v, c, ids, dout, dtable);
  return CRIA_OK;
}

cria_status gather_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c, const int32_t *index,
                        const float *x, float *y) {
  gather<float>(queue_of(queue), "gather_rows", Fault::gather_index, n, rows, c, index, x, y);
  return CRIA_OK;
}

cria_status scatter_add_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                             const int32_t *index, const float *y, float *x) {
  add_rows(queue_of(queue), "scatter_add_rows", Fault::scatter_index, n, rows, c, index, y, x);
  return CRIA_OK;
}

cria_status scale_rows(cria_queue *queue, int64_t rows, int64_t cols, const float *s,
                       const float *x, float *y) {
  each(queue_of(queue), "scale_rows", rows * cols, vectors_of_4(cols, {x, y}),
       ScaleRows{cols, s, x, y});
  return CRIA_OK;
}

}  // namespace cria::gpu
