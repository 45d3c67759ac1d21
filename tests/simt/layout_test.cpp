// layout_test.cpp: what primitives compute: fragments of the matrix operations by their documented layout, shuffles,
// votes, permutations of bytes, asynchronous copies.
#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

uint32_t half(int x) { return pack_bf16(float(x), 0.0f); }

// a (16, K) and b (K, 8) in row order as bf16, d (16, 8) as float: one mma, operands read by the documented layout.
template <int K>
CRIA_KERNEL(32, 1)
void multiply_once(const bf16 *a, const bf16 *b, const float *c, float *d) {
  int g = lane_index() / 4, t = lane_index() % 4;
  auto pair = [](const bf16 *p, int stride) {
    return uint32_t(load(p).bits) | uint32_t(load(p + stride).bits) << 16;
  };
  uint32_t fa[K / 4], fb[K / 8];
  for (int i = 0; i < K / 4; i++) fa[i] = pair(a + (g + i % 2 * 8) * K + 2 * t + i / 2 * 8, 1);
  for (int i = 0; i < K / 8; i++) fb[i] = pair(b + (2 * t + i * 8) * 8 + g, 8);
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = load(c + (g + i / 2 * 8) * 8 + 2 * t + i % 2);
  if constexpr (K == 16)
    mma_16x8x16(sums, fa, fb);
  else
    mma_16x8x8(sums, fa, fb);
  for (int i = 0; i < 4; i++) store(d + (g + i / 2 * 8) * 8 + 2 * t + i % 2, sums[i]);
}

template <int K>
void check_mma() {
  std::vector<bf16> a, b;
  std::vector<float> c, want;
  auto exact = [](int i) { return i % 251 - 125; };  // distinct neighbours, exact in bf16
  for (int i = 0; i < 16 * K; i++) a.push_back({uint16_t(half(exact(i * 7 + 3)))});
  for (int i = 0; i < K * 8; i++) b.push_back({uint16_t(half(exact(i * 11 + 50)))});
  for (int i = 0; i < 128; i++) c.push_back(float(i * 1000));
  for (int row = 0; row < 16; row++)
    for (int n = 0; n < 8; n++) {
      int sum = (row * 8 + n) * 1000;
      for (int k = 0; k < K; k++)
        sum += exact((row * K + k) * 7 + 3) * exact((k * 8 + n) * 11 + 50);
      want.push_back(float(sum));
    }
  Array<bf16> da(a), db(b);
  Array<float> dc(c), dd(128);
  silent(
      "mma", {}, 32, 0, [&] { multiply_once<K>(da, db, dc, dd); },
      [&] { check(dd.values() == want, "mma of width %d", K); });
}

const Register mma16{"mma_16x8x16", check_mma<16>};
const Register mma8{"mma_16x8x8", check_mma<8>};

// Rows of 8 elements with values 0..255 lie at a pitch of 24 elements; r[m][lane] goes out.
template <int N, bool TRANSPOSED>
CRIA_KERNEL(32, 1)
void load_matrices_once(uint32_t *out) {
  auto s = shared<bf16>(0);
  int lane = lane_index();
  for (int i = 0; i < 8; i++) s.store(lane * 24 + i, bf16{uint16_t(lane * 8 + i)});
  warp_sync();
  uint32_t r[N];
  if constexpr (TRANSPOSED)
    load_matrix_transposed<N>(r, s + lane * 24);
  else
    load_matrix<N>(r, s + lane * 24);
  for (int i = 0; i < N; i++) store(out + i * 32 + lane, r[i]);
}

template <int N, bool TRANSPOSED>
void check_load() {
  Array<uint32_t> out(N * 32);
  std::vector<uint32_t> want;
  for (int m = 0; m < N; m++)
    for (int lane = 0; lane < 32; lane++) {
      int row = lane / 4, column = lane % 4 * 2;
      auto element = [&](int r, int c) {
        return uint32_t(TRANSPOSED ? m * 64 + c * 8 + r : m * 64 + r * 8 + c);
      };
      want.push_back(element(row, column) | element(row, column + 1) << 16);
    }
  silent(
      "load_matrix", {}, 32, 32 * 48, [&] { load_matrices_once<N, TRANSPOSED>(out); },
      [&] { check(out.values() == want, "load_matrix<%d>, transposed %d", N, TRANSPOSED); });
}

const Register load_1{"load_matrix<1>", check_load<1, false>};
const Register load_2{"load_matrix<2>", check_load<2, false>};
const Register load_4{"load_matrix<4>", check_load<4, false>};
const Register load_1t{"load_matrix_transposed<1>", check_load<1, true>};
const Register load_2t{"load_matrix_transposed<2>", check_load<2, true>};
const Register load_4t{"load_matrix_transposed<4>", check_load<4, true>};

void check_permute() {
  bool ok = true;
  uint32_t a = 0x83127F01u, b = 0x04F5867Cu;
  for (uint32_t selector = 0; selector < 0x10000; selector++) {
    uint8_t bytes[8];
    std::memcpy(bytes, &a, 4);
    std::memcpy(bytes + 4, &b, 4);
    uint32_t want = 0;
    for (int i = 0; i < 4; i++) {
      int nibble = int(selector >> (4 * i)) & 15;
      uint8_t byte = bytes[nibble % 8];
      if (nibble >= 8) byte = uint8_t(int8_t(byte) >> 7);
      want += uint32_t(byte) * (1u << (8 * i));
    }
    ok &= byte_permute(a, b, selector) == want;
  }
  check(ok, "byte_permute differs");
  check(lop3<0xF0>(1, 2, 3) == 1 && lop3<0xCC>(1, 2, 3) == 2 && lop3<0xAA>(1, 2, 3) == 3, "lop3");
  check(lop3<0xE8>(12, 10, 6) == 14, "lop3 majority");
  check(pack_bf16(1.00390625f, 1.01171875f) == 0x3F823F80u, "pack_bf16 rounds to even");
}
const Register permute{"byte_permute", check_permute};

// Values of 4 and 8 bytes around the warp, and votes.
CRIA_KERNEL(64, 1)
void exchange_all(uint64_t *out) {
  int lane = lane_index();
  uint64_t wide = (uint64_t(lane) << 40) + 7;
  uint64_t sum = shuffle(wide, 31 - lane) >> 40;
  sum = sum * 64 + uint64_t(shuffle_xor(lane, 5));
  sum = sum * 64 + uint64_t(shuffle_down(lane, 3));
  sum = sum * 64 + uint64_t(shuffle_up(lane, 4));
  sum = sum * 2 + vote_any(lane == 9);
  sum = sum * 2 + vote_all(lane == 9);
  sum = sum * 2 + (ballot(lane % 3 == 0) == 0x49249249u);
  // Halves of a warp, each with its own mask.
  uint32_t mask = lane < 16 ? 0xFFFFu : 0xFFFF0000u;
  sum = sum * 64 + uint64_t(shuffle_xor(lane, 8, mask));
  warp_sync(mask);
  store(out + thread_index(), sum);
}

void check_exchanges() {
  Array<uint64_t> out(64);
  std::vector<uint64_t> want;
  for (int i = 0; i < 64; i++) {
    int lane = i % 32;
    uint64_t sum = uint64_t(31 - lane);
    sum = sum * 64 + uint64_t(lane ^ 5);
    sum = sum * 64 + uint64_t(lane + 3 < 32 ? lane + 3 : lane);
    sum = sum * 64 + uint64_t(lane >= 4 ? lane - 4 : lane);
    sum = (sum * 8 + 5) * 64 + uint64_t(lane ^ 8);
    want.push_back(sum);
  }
  silent(
      "exchange", {}, 64, 0, [&] { exchange_all(out); },
      [&] { check(out.values() == want, "values"); });
}
const Register exchanges{"shuffles and votes", check_exchanges};

// Copies of all sizes with zero fill through three stages of a pipeline.
CRIA_KERNEL(128, 1)
void pipeline(const uint32_t *from, uint32_t *to, int steps, int valid) {
  constexpr int kStages = 3;
  int i = thread_index();
  auto s = shared<uint32_t>(0);
  auto issue = [&](int step) {
    if (step < steps)
      copy_async<16>(s + (step % kStages * 128 + i) * 4, from + (step * 128 + i) * 4, valid);
    copy_async_commit();
  };
  for (int step = 0; step < kStages - 1; step++) issue(step);
  for (int step = 0; step < steps; step++) {
    copy_async_wait<kStages - 2>();
    block_sync();
    issue(step + kStages - 1);
    // The neighbour's vector, so that the barrier matters.
    auto v = s.vec<4>((step % kStages * 128 + (i + 33) % 128) * 4);
    store_vec(to + (step * 128 + i) * 4, v);
  }
}

void check_copies() {
  constexpr int kSteps = 7;
  std::vector<uint32_t> values;
  for (uint32_t i = 0; i < kSteps * 512; i++) values.push_back(i * 0x01010101u + 1);
  Array<uint32_t> from(values), to(kSteps * 512);
  for (int valid : {16, 7, 0}) {
    std::vector<uint32_t> want;
    for (int step = 0; step < kSteps; step++)
      for (int i = 0; i < 128; i++) {
        uint32_t v[4] = {};
        std::memcpy(v, &values[size_t((step * 128 + (i + 33) % 128) * 4)], size_t(valid));
        want.insert(want.end(), v, v + 4);
      }
    silent(
        "pipeline", {}, 128, 3 * 128 * 16, [&] { pipeline(from, to, kSteps, valid); },
        [&] { check(to.values() == want, "pipeline with %d valid bytes", valid); });
  }
}
const Register copies{"copy_async", check_copies};

}  // namespace
}  // namespace simt_test
