// kv_attention.cu: attention of the rows appended last to a key/value cache: decoding.
//
// Query rows of one key/value head (rows of q times heads of the group) are taken 1 or 4 at a time: keys and values are read
// once for all of them. A block sees a chunk of the keys; its groups of lanes, one vector of 16 bytes each across the width
// of a head, take keys in turn and keep a running maximum, sum and output (online softmax). Groups, and chunks in a second
// launch, are merged in their order. Few rows are cut into chunks of 256 keys to fill the GPU (flash-decoding, Dao et al.
// 2023). Bound by memory: the keys and values seen. Float32 throughout, exponentials base 2.
#include <cinttypes>

#include "abi/error.h"
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"
#include "kv_cache.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 128;
constexpr int kWidest = 128;  // of heads; one column for each thread
constexpr int64_t kChunkKeys = 256;
constexpr int64_t kEnoughBlocks = 256;

// How a block is divided when the cache has elements T.
template <class T>
struct Groups {
  static constexpr int kVector = 16 / sizeof(T);    // columns of a lane
  static constexpr int kLanes = kWidest / kVector;  // of a group
  static constexpr int kCount = kThreads / kLanes;
  // A row in shared memory, so placed that neither lanes with their columns nor threads with one each meet in a bank.
  static constexpr int kPitch = kLanes + kWarp / kVector;
  static constexpr int kRow = kVector * kPitch + (kLanes < kWarp ? kLanes : 0);
  CRIA_GPU static int place(int column) { return column % kVector * kPitch + column / kVector; }
};

template <class T>
struct Call {
  const T *keys, *values;  // [kv_heads][rows][width]
  int64_t head_elements;
  int width, d;
  KvLength length;
  int64_t t;
  int heads, group;  // heads of q, and how many share a key/value head
  float scale;       // of scores as exponents of 2
  int64_t chunk_keys, chunks, tiles;
  const float *q;
  float *out;
  float *
      parts;  // [t,heads][chunks][d]: outputs of chunks, not divided by their sums; null for a single chunk
  float *scalars;  // [t,heads][chunks][2]: maximum, sum
};

// Weight of a part with maximum m under the maximum of all; 0 where neither has seen a key.
CRIA_GPU float weight(float m, float most) {
  return exp2_approx(m - (most > -INFINITY ? most : 0));
}

template <class T, int ROWS>
CRIA_KERNEL(kThreads, 3)
void kv_attention_kernel(Call<T> a) {
  using G = Groups<T>;
  constexpr int kKeys = ROWS == 1 ? 4 : 2;  // that a group has in flight
  const int64_t chunk = block_x() % a.chunks;
  const int64_t tile = a.tiles - 1 - block_x() / a.chunks % a.tiles;  // the longest first
  const int kv_head = int(block_x() / (a.chunks * a.tiles));
  const int64_t first = tile * ROWS, rows = a.t * a.group;
  // Row i of the tile: its place in [t,heads], and the keys that it sees.
  const auto row = [&](int i) {
    return (first + i) / a.group * a.heads + kv_head * a.group + (first + i) % a.group;
  };
  const int64_t length = a.length();
  const auto seen = [&](int i) { return length - a.t + (first + i) / a.group + 1; };

  const auto queries = shared<float>(0);
  const int column = thread_index();
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const bool inside = first + i < rows && column < a.d;
    queries.store(i * G::kRow + G::place(column),
                  inside ? load(a.q + row(i) * a.d + column) * a.scale : 0.0f);
  }
  block_sync();
  const int lane = thread_index() % G::kLanes, group = thread_index() / G::kLanes;
  float q[ROWS][G::kVector], out[ROWS][G::kVector] = {}, most[ROWS], sum[ROWS] = {};
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    most[i] = -INFINITY;
#pragma unroll
    for (int j = 0; j < G::kVector; ++j) q[i][j] = queries.load(i * G::kRow + j * G::kPitch + lane);
  }

  const int64_t last = minimum(first + ROWS, rows) - 1 - first;
  const int64_t end = minimum((chunk + 1) * a.chunk_keys, seen(int(last)));
  const int64_t at = kv_head * a.head_elements + lane * G::kVector;
  for (int64_t base = chunk * a.chunk_keys; base < end; base += G::kCount * kKeys) {
    Vec<T, G::kVector> k[kKeys] = {}, v[kKeys] = {};
#pragma unroll
    for (int b = 0; b < kKeys; ++b) {
      const int64_t key = base + b * G::kCount + group;
      if (key < end && lane * G::kVector < a.width) {
        k[b] =
            load_stream(reinterpret_cast<const Vec<T, G::kVector> *>(a.keys + at + key * a.width));
        v[b] = load_stream(
            reinterpret_cast<const Vec<T, G::kVector> *>(a.values + at + key * a.width));
      }
    }
    float score[ROWS][kKeys] = {};
#pragma unroll
    for (int b = 0; b < kKeys; ++b) {
#pragma unroll
      for (int j = 0; j < G::kVector; ++j) {
        const float x = to_float(k[b][j]);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) score[i][b] = fmaf(q[i][j], x, score[i][b]);
      }
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      float top = most[i];
#pragma unroll
      for (int b = 0; b < kKeys; ++b) {
#pragma unroll
        for (int step = G::kLanes / 2; step > 0; step /= 2) {
          score[i][b] += shuffle_xor(score[i][b], step);
        }
        const int64_t key = base + b * G::kCount + group;
        if (key >= minimum(end, seen(i))) score[i][b] = -INFINITY;
        top = fmaxf(top, score[i][b]);
      }
      const float keep = weight(most[i], top);
      most[i] = top;
      sum[i] *= keep;
#pragma unroll
      for (int j = 0; j < G::kVector; ++j) out[i][j] *= keep;
#pragma unroll
      for (int b = 0; b < kKeys; ++b) {
        const float p = weight(score[i][b], top);
        sum[i] += p;
#pragma unroll
        for (int j = 0; j < G::kVector; ++j) out[i][j] = fmaf(p, to_float(v[b][j]), out[i][j]);
      }
    }
  }

  const auto outputs = queries + ROWS * G::kRow;
  const auto scalars = outputs + ROWS * G::kCount * G::kRow;
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int part = i * G::kCount + group;
#pragma unroll
    for (int j = 0; j < G::kVector; ++j) {
      outputs.store(part * G::kRow + j * G::kPitch + lane, out[i][j]);
    }
    if (lane == 0) scalars.template as<Vec<float, 2>>().store(part, {{most[i], sum[i]}});
  }
  block_sync();
  for (int i = 0; i <= last; ++i) {
    float top = -INFINITY, total = 0, x = 0;
    for (int g = 0; g < G::kCount; ++g) {
      top = fmaxf(top, scalars.template as<Vec<float, 2>>().load(i * G::kCount + g)[0]);
    }
    for (int g = 0; g < G::kCount; ++g) {
      const int part = i * G::kCount + g;
      const Vec<float, 2> s = scalars.template as<Vec<float, 2>>().load(part);
      const float w = weight(s[0], top);
      total = fmaf(w, s[1], total);
      x = fmaf(w, outputs.load(part * G::kRow + G::place(column)), x);
    }
    const int64_t to = row(i) * a.chunks + chunk;
    if (!a.parts) {
      if (column < a.d) store(a.out + to * a.d + column, x / total);
    } else {
      if (column < a.d) store(a.parts + to * a.d + column, x);
      if (column == 0) store_vec(a.scalars + to * 2, Vec<float, 2>{{top, total}});
    }
  }
}

// The chunks of one row, in their order.
CRIA_KERNEL(kThreads, 8)
void kv_merge_kernel(int d, int64_t chunks, const float *parts, const float *scalars, float *out) {
  const int64_t first = block_x() * chunks;
  const int column = thread_index();
  float most = -INFINITY, sum = 0, x = 0;
  for (int64_t c = 0; c < chunks; ++c) most = fmaxf(most, load(scalars + (first + c) * 2));
  for (int64_t c = 0; c < chunks; ++c) {
    const Vec<float, 2> s = load_vec<2>(scalars + (first + c) * 2);
    const float w = weight(s[0], most);
    sum = fmaf(w, s[1], sum);
    if (column < d) x = fmaf(w, load(parts + (first + c) * d + column), x);
  }
  if (column < d) store(out + block_x() * int64_t(d) + column, x / sum);
}

template <class T, int ROWS>
void attend(GpuQueue &queue, const cria_kv &cache, int64_t t, int64_t heads, float scale,
            const float *q, float *out) {
  const int64_t group = heads / cache.kv_heads, tiles = divide_up(t * group, ROWS);
  const bool few = cache.kv_heads * tiles < kEnoughBlocks;
  // A graph may find the cache full.
  const int64_t most = queue.recording ? cache.capacity : cache.length;
  const int64_t chunk_keys = few ? kChunkKeys : most;
  const int64_t chunks = divide_up(most, chunk_keys), parts = t * heads * chunks;
  const Scratch scratch(queue, chunks > 1 ? parts * (cache.d + 2) * 4 : 0);
  float *scalars = scratch.as<float>(), *outputs = chunks > 1 ? scalars + parts * 2 : nullptr;

  Call<T> call{static_cast<const T *>(cache.keys),
               static_cast<const T *>(cache.values),
               cache.head_elements(),
               int(cache.width()),
               int(cache.d),
               length_in(queue, cache),
               t,
               int(heads),
               int(group),
               scale * 1.44269504f,
               chunk_keys,
               chunks,
               tiles,
               q,
               out,
               outputs,
               scalars};
  using G = Groups<T>;
  const int shared_floats = ROWS * (G::kRow + G::kCount * (G::kRow + 2));
  launch(queue, "kv_attention", &kv_attention_kernel<T, ROWS>, {cache.kv_heads * tiles * chunks},
         kThreads, shared_floats * 4, call);
  if (chunks > 1) {
    launch(queue, "kv_merge", &kv_merge_kernel, {t * heads}, kThreads, 0, cache.d, chunks, outputs,
           scalars, out);
  }
}

}  // namespace

cria_status kv_attention(cria_queue *queue, const cria_kv *cache, int64_t t, int64_t heads,
                         float scale, const float *q, float *out) {
  if (heads % cache->kv_heads != 0) {
    fail(CRIA_INVALID_ARGUMENT,
         "kv_attention: %" PRId64 " heads are not a multiple of the cache's %" PRId64, heads,
         cache->kv_heads);
  }
  if (t == 0) return CRIA_OK;
  const bool one = t * heads == cache->kv_heads;
  const auto attention = cache->dtype == CRIA_BF16 ? (one ? attend<bf16, 1> : attend<bf16, 4>)
                                                   : (one ? attend<float, 1> : attend<float, 4>);
  attention(queue_of(queue), *cache, t, heads, scale, q, out);
  return CRIA_OK;
}

}  // namespace cria::gpu
