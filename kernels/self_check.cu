// self_check.cu: one tiny kernel for each primitive, against a plain model of what it means, on the device itself.
//
// The emulator proves kernels on its own version of the primitives; this proves the other version, the PTX, on the GPU at hand.
#include <utility>
#include <vector>

#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

using Words = std::vector<uint32_t>;

// Word i of a fixed random stream (the mixing function of cria.h's dropout).
CRIA_BOTH uint32_t word(uint32_t i) {
  uint32_t z = i * 0x9E3779B9u + 0x7F4A7C15u;
  z ^= z >> 16;
  z *= 0x85EBCA6Bu;
  z ^= z >> 13;
  z *= 0xC2B2AE35u;
  return z ^ (z >> 16);
}

// A pair of bf16 that holds two small integers, so that sums of products are exact.
CRIA_BOTH uint32_t integer_pair(uint32_t i) {
  const auto half = [](uint32_t r) { return bits_of(float(int(r % 17) - 8)) >> 16; };
  return half(word(2 * i)) | half(word(2 * i + 1)) << 16;
}

CRIA_KERNEL(32, 1) void shuffle_kernel(uint32_t *out) {
  const uint32_t mine = word(uint32_t(lane_index()));
  const uint64_t wide = uint64_t(mine) << 32 | uint32_t(lane_index());
  store(out + lane_index(), shuffle(mine, (lane_index() * 7 + 3) % 32));
  store(out + 32 + lane_index(), shuffle_xor(mine, 5));
  store(out + 64 + lane_index(), shuffle_down(mine, 3));
  store(out + 96 + lane_index(), shuffle_up(mine, 2));
  store(out + 128 + lane_index(), uint32_t(shuffle(wide, 31 - lane_index()) >> 32));
}

Words shuffle_model() {
  Words want;
  for (uint32_t i = 0; i < 32; ++i) want.push_back(word((i * 7 + 3) % 32));
  for (uint32_t i = 0; i < 32; ++i) want.push_back(word(i ^ 5));
  for (uint32_t i = 0; i < 32; ++i) want.push_back(word(i + 3 < 32 ? i + 3 : i));
  for (uint32_t i = 0; i < 32; ++i) want.push_back(word(i >= 2 ? i - 2 : i));
  for (uint32_t i = 0; i < 32; ++i) want.push_back(word(31 - i));
  return want;
}

CRIA_KERNEL(32, 1) void vote_kernel(uint32_t *out) {
  const uint32_t odd = ballot(lane_index() % 2 == 1);
  const uint32_t any = vote_any(lane_index() == 13);
  const uint32_t none = vote_any(lane_index() > 31);
  const uint32_t all = vote_all(lane_index() < 32);
  const uint32_t most = vote_all(lane_index() != 13);
  store(out + lane_index(), odd ^ (any << 1 | none << 2 | all << 3 | most << 4));
}

Words vote_model() { return Words(32, 0xAAAAAAAAu ^ (1u << 1 | 1u << 3)); }

// Two halves of the block pass words to each other, each under a barrier of its own.
CRIA_KERNEL(128, 1) void barrier_kernel(uint32_t *out) {
  const Shared<uint32_t> words = shared<uint32_t>(0);
  const int half = thread_index() / 64, place = thread_index() % 64;
  words.store(thread_index(), word(uint32_t(thread_index())));
  named_sync(1 + half, 64);
  const uint32_t other = words.load(half * 64 + 63 - place);
  block_sync();
  words.store(thread_index(), other);
  block_sync();
  const uint32_t crossed = words.load(127 - thread_index());
  store(out + thread_index(), crossed);
}

Words barrier_model() {
  Words want;
  for (uint32_t i = 0; i < 128; ++i) {
    const uint32_t from = 127 - i, half = from / 64;
    want.push_back(word(half * 64 + 63 - from % 64));
  }
  return want;
}

// Copies of 16, 8 and 4 bytes, some of them cut short; the rest must be zero.
CRIA_KERNEL(32, 1) void copy_async_kernel(const uint32_t *in, uint32_t *out) {
  const Shared<uint32_t> words = shared<uint32_t>(0);
  const int lane = lane_index();
  copy_async<16>(words + lane * 4, in + lane * 4, lane % 2 ? 16 : lane % 16);
  copy_async_commit();
  copy_async<8>(words + 128 + lane * 2, in + 128 + lane * 2, lane % 3 ? 8 : 0);
  copy_async_commit();
  copy_async<4>(words + 192 + lane, in + 192 + lane, lane % 5 ? 4 : 2);
  copy_async_commit();
  copy_async_wait<1>();
  uint32_t early = 0;
  for (int i = 0; i < 4; ++i) early += words.load(lane * 4 + i);
  copy_async_wait<0>();
  warp_sync();
  for (int i = lane; i < 224; i += 32) store(out + i, words.load(i));
  store(out + 224 + lane, early);
}

Words copy_async_model() {
  Words want(256, 0);
  const auto put = [&](int first, int valid) {
    for (int b = 0; b < valid; ++b) {
      const int at = first * 4 + b;
      want[size_t(at / 4)] |= word(uint32_t(at / 4)) & 0xFFu << (at % 4 * 8);
    }
  };
  for (int lane = 0; lane < 32; ++lane) {
    put(lane * 4, lane % 2 ? 16 : lane % 16);
    put(128 + lane * 2, lane % 3 ? 8 : 0);
    put(192 + lane, lane % 5 ? 4 : 2);
  }
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) want[size_t(224 + lane)] += want[size_t(lane * 4 + i)];
  }
  return want;
}

// Four 8x8 matrices of unique elements, rows of 16 bytes at addresses that are permuted.
template <int N, bool TRANSPOSED>
CRIA_KERNEL(32, 1)
void load_matrix_kernel(uint32_t *out) {
  const Shared<uint32_t> words = shared<uint32_t>(0);
  const int lane = lane_index();
  for (int i = 0; i < 4; ++i)
    words.store(lane * 4 + i, uint32_t(lane * 8 + i * 2) | uint32_t(lane * 8 + i * 2 + 1) << 16);
  warp_sync();
  const Shared<bf16> row = words.template as<bf16>() + (31 - lane) * 8;
  uint32_t r[N];
  if constexpr (TRANSPOSED) {
    load_matrix_transposed(r, row);
  } else {
    load_matrix(r, row);
  }
#pragma unroll
  for (int i = 0; i < N; ++i) store(out + lane * N + i, r[i]);
}

template <int N, bool TRANSPOSED>
Words load_matrix_model() {
  Words want;
  for (int lane = 0; lane < 32; ++lane) {
    for (int m = 0; m < N; ++m) {
      uint32_t pair = 0;
      for (int h = 0; h < 2; ++h) {
        int row = lane / 4, column = lane % 4 * 2 + h;
        if (TRANSPOSED) std::swap(row, column);
        pair |= uint32_t((31 - (m * 8 + row)) * 8 + column) << (16 * h);
      }
      want.push_back(pair);
    }
  }
  return want;
}

template <int K>
CRIA_KERNEL(32, 1)
void mma_kernel(float *out) {
  constexpr int A = K / 4, B = K / 8;
  uint32_t a[A], b[B];
  float d[4];
  const uint32_t lane = uint32_t(lane_index());
#pragma unroll
  for (int i = 0; i < A; ++i) a[i] = integer_pair(lane * 4 + uint32_t(i));
#pragma unroll
  for (int i = 0; i < B; ++i) b[i] = integer_pair(1000 + lane * 2 + uint32_t(i));
#pragma unroll
  for (int i = 0; i < 4; ++i) d[i] = float(int(lane) - i);
  if constexpr (K == 16) {
    mma_16x8x16(d, a, b);
  } else {
    mma_16x8x8(d, a, b);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) store(out + lane * 4 + uint32_t(i), d[i]);
}

template <int K>
Words mma_model() {
  float a[16][16] = {}, b[16][8] = {};
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const int g = int(lane) / 4, t = int(lane) % 4;
    for (int i = 0; i < K / 4; ++i) {
      const uint32_t pair = integer_pair(lane * 4 + uint32_t(i));
      const int row = g + i % 2 * 8, k = 2 * t + i / 2 * 8;
      a[row][k] = low_float(pair);
      a[row][k + 1] = high_float(pair);
    }
    for (int i = 0; i < K / 8; ++i) {
      const uint32_t pair = integer_pair(1000 + lane * 2 + uint32_t(i));
      b[2 * t + i * 8][g] = low_float(pair);
      b[2 * t + i * 8 + 1][g] = high_float(pair);
    }
  }
  Words want;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float sum = float(lane - i);
      for (int k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
      want.push_back(bits_of(sum));
    }
  }
  return want;
}

CRIA_KERNEL(32, 1) void bits_kernel(uint32_t *out) {
  const uint32_t i = uint32_t(lane_index()), a = word(i), b = word(100 + i), c = word(200 + i);
  store(out + i, byte_permute(a, b, c & 0x7777));
  store(out + 32 + i, byte_permute(a, b, c & 0xFFFF));
  store(out + 64 + i, lop3<0xE8>(a, b, c));
  store(out + 96 + i, lop3<0x6A>(a, b, c));
}

Words bits_model() {
  Words want;
  const auto permute = [](uint32_t a, uint32_t b, uint32_t selector) {
    const uint64_t both = uint64_t(b) << 32 | a;
    uint32_t d = 0;
    for (int i = 0; i < 4; ++i) {
      const uint32_t s = selector >> (4 * i) & 0xF;
      uint32_t byte = uint32_t(both >> (8 * (s & 7))) & 0xFF;
      if (s & 8) byte = byte & 0x80 ? 0xFF : 0;
      d |= byte << (8 * i);
    }
    return d;
  };
  for (uint32_t i = 0; i < 32; ++i)
    want.push_back(permute(word(i), word(100 + i), word(200 + i) & 0x7777));
  for (uint32_t i = 0; i < 32; ++i)
    want.push_back(permute(word(i), word(100 + i), word(200 + i) & 0xFFFF));
  for (uint32_t i = 0; i < 32; ++i) {
    const uint32_t a = word(i), b = word(100 + i), c = word(200 + i);
    want.push_back((a & b) | (a & c) | (b & c));  // majority: 0xE8
  }
  for (uint32_t i = 0; i < 32; ++i) {
    want.push_back((word(i) & word(100 + i)) ^ word(200 + i));  // 0x6A
  }
  return want;
}

// Ties to even, carries into the exponent, infinities and a NaN.
CRIA_BOTH float rounding_case(int i) {
  constexpr uint32_t cases[16] = {0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001,
                                  0x3FFFFFFF, 0x7F7FFFFF, 0x7F800000, 0xFF800000,
                                  0x00000000, 0x80000000, 0xC0490FDB, 0x3EAAAAAB,
                                  0x00018000, 0x42F6E979, 0x7FC00000, 0xBF7F8000};
  return float_of(i < 16 ? cases[i] : word(uint32_t(i)) & 0xBFFFFFFFu);
}

CRIA_KERNEL(32, 1) void pack_kernel(uint32_t *out) {
  const int i = lane_index();
  store(out + i, pack_bf16(rounding_case(i), rounding_case((i + 5) % 32)));
}

Words pack_model() {
  const auto round = [](float x) -> uint32_t {
    if (x != x) return 0x7FFF;
    const uint32_t bits = bits_of(x);
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  };
  Words want;
  for (int i = 0; i < 32; ++i) {
    want.push_back(round(rounding_case(i)) | round(rounding_case((i + 5) % 32)) << 16);
  }
  return want;
}

CRIA_KERNEL(64, 1) void atomic_kernel(uint64_t *out) {
  atomic_add(out, uint64_t(thread_index()) << 30);
  atomic_min(out + 1, uint64_t(word(uint32_t(thread_index()))) << 8);
  atomic_add(reinterpret_cast<uint32_t *>(out + 2), uint32_t(thread_index()));
  atomic_add(reinterpret_cast<int32_t *>(out + 3), -thread_index());
}

Words atomic_model() {
  uint64_t sum = 0, least = ~uint64_t{0};
  for (uint32_t i = 0; i < 64; ++i) {
    sum += uint64_t(i) << 30;
    const uint64_t value = uint64_t(word(i)) << 8;
    least = value < least ? value : least;
  }
  sum += ~uint64_t{0};  // every word starts from all ones
  return {uint32_t(sum),       uint32_t(sum >> 32),
          uint32_t(least),     uint32_t(least >> 32),
          2016u - 1u,          ~0u,
          uint32_t(-2016 - 1), ~0u};
}

CRIA_KERNEL(32, 1) void load_stream_kernel(const uint32_t *in, uint32_t *out) {
  const int i = lane_index();
  const Vec<uint32_t, 4> four = load_stream(reinterpret_cast<const Vec<uint32_t, 4> *>(in + i * 4));
  const Vec<uint32_t, 2> two =
      load_stream(reinterpret_cast<const Vec<uint32_t, 2> *>(in + 128 + i * 2));
  const uint32_t one = load_stream(in + 192 + i);
  for (int j = 0; j < 4; ++j) store(out + i * 4 + j, four[j]);
  for (int j = 0; j < 2; ++j) store(out + 128 + i * 2 + j, two[j]);
  store(out + 192 + i, one);
}

Words stream_model() {
  Words want;
  for (uint32_t i = 0; i < 224; ++i) want.push_back(word(i));
  return want;
}

// Values in [1, 4), where one unit in the last place of the result is known.
CRIA_KERNEL(32, 1) void approx_kernel(float *out) {
  const int i = lane_index();
  const float x = 1.0f + float(i) * (3.0f / 32);
  store(out + i, exp2_approx(x));
  store(out + 32 + i, rcp_approx(x));
  store(out + 64 + i, rsqrt_approx(x));
}

// Errors in units of 2 ulp of the true value.
double approx_worst(const Words &got) {
  double worst = 0;
  for (int i = 0; i < 96; ++i) {
    const double x = 1.0f + float(i % 32) * (3.0f / 32);
    const double want = i < 32 ? std::exp2(x) : i < 64 ? 1 / x : 1 / std::sqrt(x);
    const double ulp = std::exp2(std::floor(std::log2(want)) - 23);
    worst = std::fmax(worst, std::fabs(double(float_of(got[size_t(i)])) - want) / (2 * ulp));
  }
  return worst;
}

// The output of one block: `words` words, all ones beforehand.
template <class T>
Words run(GpuQueue &queue, const char *name, void (*kernel)(T *), int threads, int words,
          int shared_bytes = 0) {
  const int64_t bytes = int64_t(words) * 4;
  Scratch out(queue, bytes);
  queue.gpu().runtime->fill(queue.stream, out.as<void>(), 0xFF, bytes);
  launch(queue, name, kernel, {1}, threads, shared_bytes, out.as<T>());
  Words result(static_cast<size_t>(words));
  queue.download(result.data(), out.as<void>(), bytes);
  return result;
}

// The same for a kernel that reads the random stream.
Words run(GpuQueue &queue, const char *name, void (*kernel)(const uint32_t *, uint32_t *),
          int words, int shared_bytes = 0) {
  const int64_t bytes = int64_t(words) * 4;
  Words stream(256), result(static_cast<size_t>(words));
  for (uint32_t i = 0; i < 256; ++i) stream[i] = word(i);
  Scratch in(queue, 1024), out(queue, bytes);
  queue.upload(in.as<void>(), stream.data(), 1024);
  launch(queue, name, kernel, {1}, kWarp, shared_bytes, in.as<uint32_t>(), out.as<uint32_t>());
  queue.download(result.data(), out.as<void>(), bytes);
  return result;
}

// 0 where all words are right, else above 1.
double equal(const Words &got, const Words &want) {
  double wrong = 0;
  for (size_t i = 0; i < want.size(); ++i) wrong += got[i] != want[i];
  return wrong > 0 ? 1 + wrong : 0;
}

struct Check {
  const char *name;
  double (*worst)(GpuQueue &);
};

template <int N, bool TRANSPOSED>
double check_load_matrix(GpuQueue &queue) {
  return equal(run(queue, "check_load_matrix", &load_matrix_kernel<N, TRANSPOSED>, 32, 32 * N, 512),
               load_matrix_model<N, TRANSPOSED>());
}

template <int K>
double check_mma(GpuQueue &queue) {
  return equal(run(queue, "check_mma", &mma_kernel<K>, 32, 128), mma_model<K>());
}

const Check kChecks[] = {
    {"shuffle",
     [](GpuQueue &q) {
       return equal(run(q, "check_shuffle", &shuffle_kernel, 32, 160), shuffle_model());
     }},
    {"vote",
     [](GpuQueue &q) { return equal(run(q, "check_vote", &vote_kernel, 32, 32), vote_model()); }},
    {"block_sync, named_sync",
     [](GpuQueue &q) {
       return equal(run(q, "check_barrier", &barrier_kernel, 128, 128, 512), barrier_model());
     }},
    {"copy_async",
     [](GpuQueue &q) {
       return equal(run(q, "check_copy_async", &copy_async_kernel, 256, 1024), copy_async_model());
     }},
    {"load_matrix<1>", &check_load_matrix<1, false>},
    {"load_matrix<2>", &check_load_matrix<2, false>},
    {"load_matrix<4>", &check_load_matrix<4, false>},
    {"load_matrix_transposed<1>", &check_load_matrix<1, true>},
    {"load_matrix_transposed<2>", &check_load_matrix<2, true>},
    {"load_matrix_transposed<4>", &check_load_matrix<4, true>},
    {"mma_16x8x16", &check_mma<16>},
    {"mma_16x8x8", &check_mma<8>},
    {"byte_permute, lop3",
     [](GpuQueue &q) { return equal(run(q, "check_bits", &bits_kernel, 32, 128), bits_model()); }},
    {"pack_bf16",
     [](GpuQueue &q) { return equal(run(q, "check_pack", &pack_kernel, 32, 32), pack_model()); }},
    {"atomic_add, atomic_min",
     [](GpuQueue &q) {
       return equal(run(q, "check_atomic", &atomic_kernel, 64, 8), atomic_model());
     }},
    {"load_stream",
     [](GpuQueue &q) {
       return equal(run(q, "check_load_stream", &load_stream_kernel, 224), stream_model());
     }},
    {"exp2, rcp, rsqrt",
     [](GpuQueue &q) { return approx_worst(run(q, "check_approx", &approx_kernel, 32, 96)); }},
};

}  // namespace

cria_status check_primitive(cria_queue *queue, int32_t index, const char **name, double *worst) {
  const bool known = index < int32_t(sizeof kChecks / sizeof kChecks[0]);
  *name = known ? kChecks[index].name : nullptr;
  *worst = known ? kChecks[index].worst(queue_of(queue)) : 0;
  return CRIA_OK;
}

}  // namespace cria::gpu
