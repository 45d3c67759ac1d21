// hopper_test.cpp: barrier objects, copies of tiles and asynchronous products: right kernels are silent and exact, and each
// way to use them wrongly is reported.
#include "device/hopper.h"

#include <cmath>
#include <cstring>

#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

enum Defect {
  kNone,
  kNoInitFence,
  kNoInitBarrier,
  kNoFullWait,
  kWrongPhase,
  kNoEmptyWait,
  kEarlyRelease,
  kOneReleaseMissing,
  kOneReleaseTooMany,
  kExpectTooMuch,
  kExpectTooLittle,
  kNoWgmmaFence,
  kNoCommit,
  kSumsReadEarly,
  kSumsWrittenEarly,
  kLeftWrittenEarly,
  kOneWarpApart,
};

constexpr int kStages = 2;
constexpr int kDepth = 64;  // of a tile, in elements

// The primitives exist on this GPU alone.
struct OnHopper {
  const std::string before = simt::settings().architecture;
  OnHopper() { simt::settings().architecture = "sm_90a"; }
  ~OnHopper() { simt::settings().architecture = before; }
};

// d (64, N) = a (64, depth) x b (N, depth)^T, by a warpgroup; a fifth warp keeps two stages of tiles filled. a comes from
// registers or as tiles.
template <int N, bool LEFT_IN_REGISTERS>
CRIA_KERNEL(160, 1)
void product(CRIA_GRID_CONSTANT const TensorMap a_map, CRIA_GRID_CONSTANT const TensorMap b_map,
             const bf16 *a, float *d, int depth, Defect defect) {
  constexpr int kRight = N * kDepth * 2, kLeft = LEFT_IN_REGISTERS ? 0 : 64 * kDepth * 2;
  constexpr int kStage = kRight + kLeft;
  auto full = [](int stage) { return shared<uint64_t>(kStages * kStage) + stage; };
  auto empty = [](int stage) { return shared<uint64_t>(kStages * kStage) + (kStages + stage); };
  if (thread_index() == 0) {
    for (int s = 0; s < kStages; s++) {
      barrier_init(full(s), 1);
      barrier_init(empty(s), 4 + (defect == kOneReleaseMissing) - (defect == kOneReleaseTooMany));
    }
    if (defect != kNoInitFence) proxy_fence();
  }
  if (defect != kNoInitBarrier) block_sync();
  int tiles = depth / kDepth;
  if (warp_index() == 4) {
    if (elect_one()) {
      for (int tile = 0; tile < tiles; tile++) {
        int s = tile % kStages;
        if (defect != kNoEmptyWait) barrier_wait(empty(s), tile / kStages % 2 ^ 1);
        int extra = defect == kExpectTooMuch ? 16 : defect == kExpectTooLittle ? -16 : 0;
        barrier_arrive_expect(full(s), kStage + extra);
        tile_load(shared<bf16>(s * kStage), b_map, tile * kDepth, 0, full(s));
        if (!LEFT_IN_REGISTERS)
          tile_load(shared<bf16>(s * kStage + kRight), a_map, tile * kDepth, 0, full(s));
      }
    }
    return;
  }
  int row = warp_index() * 16 + lane_index() / 4, t = lane_index() % 4;
  float sums[N / 2] = {};
  for (int tile = 0; tile < tiles; tile++) {
    int s = tile % kStages;
    uint32_t left[4][4] = {};
    for (int i = 0; LEFT_IN_REGISTERS && i < 16; i++) {
      auto pair = load_vec<2>(a + (row + i % 2 * 8) * depth + tile * kDepth + i / 4 * 16 +
                              i / 2 % 2 * 8 + 2 * t);
      left[i / 4][i % 4] = uint32_t(pair[0].bits) | uint32_t(pair[1].bits) << 16;
    }
    if (defect != kNoFullWait)
      barrier_wait(full(s), (tile / kStages + (defect == kWrongPhase)) % 2);
    if (defect != kNoWgmmaFence) wgmma_fence();
    auto right = shared<bf16>(s * kStage);
    for (int step = 0; step < kDepth / 16; step++) {
      if constexpr (LEFT_IN_REGISTERS)
        wgmma<N>(sums, left[step], matrix(right, step));
      else
        wgmma<N>(sums, matrix(shared<bf16>(s * kStage + kRight), step), matrix(right, step));
      if (defect == kOneWarpApart && warp_index() == 2) break;
    }
    if (defect == kLeftWrittenEarly) left[1][2] ^= 1;
    if (defect == kSumsWrittenEarly) sums[3] = 0;
    if (defect == kSumsReadEarly) store(d + thread_index(), sums[0]);
    if (defect != kNoCommit) wgmma_commit();
    bool releases = lane_index() == 0;
    if (defect == kEarlyRelease && releases) barrier_arrive(empty(s));
    wgmma_wait<0>();
    if (defect != kEarlyRelease && releases) barrier_arrive(empty(s));
  }
  if (defect == kSumsReadEarly) return;
  for (int i = 0; i < N / 2; i++)
    store(d + (row + i / 2 % 2 * 8) * N + i / 4 * 8 + 2 * t + i % 2, sums[i]);
}

std::vector<bf16> integers(int count, int seed) {
  std::vector<bf16> out;
  for (int i = 0; i < count; i++)
    out.push_back({uint16_t(pack_bf16(float((i * 37 + seed + i / 64) % 31 - 15), 0.0f))});
  return out;
}

template <int N, bool LEFT_IN_REGISTERS>
struct Problem {
  static constexpr int kDepthInAll = 320, kRows = 50;  // of b: less than the tile
  static constexpr int kShared =
      kStages * (N + (LEFT_IN_REGISTERS ? 0 : 64)) * kDepth * 2 + 2 * kStages * 8;
  std::vector<bf16> a_values = integers(64 * kDepthInAll, 3),
                    b_values = integers(kRows * kDepthInAll, 11);
  Array<bf16> a{a_values}, b{b_values};
  Array<float> d{64 * N};
  TensorMap a_map =
      make_tensor_map({a.get(), 2, 64, kDepthInAll, kDepthInAll * 2, 64, kDepth, true});
  TensorMap b_map =
      make_tensor_map({b.get(), 2, kRows, kDepthInAll, kDepthInAll * 2, N, kDepth, true});

  std::function<void()> body(Defect defect) {
    return
        [=] { product<N, LEFT_IN_REGISTERS>(a_map, b_map, a.get(), d.get(), kDepthInAll, defect); };
  }
  void expect(Defect defect, const char *name, std::initializer_list<const char *> words) {
    reported(name, 160, kShared, body(defect), words);
  }
};

template <int N, bool LEFT_IN_REGISTERS>
void check_product() {
  OnHopper hopper;
  using P = Problem<N, LEFT_IN_REGISTERS>;
  P p;
  std::vector<float> want;
  for (int row = 0; row < 64; row++)
    for (int n = 0; n < N; n++) {
      float sum = 0;
      for (int k = 0; n < P::kRows && k < P::kDepthInAll; k++)
        sum += to_float(p.a_values[size_t(row * P::kDepthInAll + k)]) *
               to_float(p.b_values[size_t(n * P::kDepthInAll + k)]);
      want.push_back(sum);
    }
  silent(
      "product", {}, 160, P::kShared,
      [&] {
        product<N, LEFT_IN_REGISTERS>(p.a_map, p.b_map, p.a.get(), p.d.get(), P::kDepthInAll,
                                      kNone);
      },
      [&] { check(p.d.values() == want, "product of %d columns", N); });
}
const Register product_64{"wgmma of 64 columns", check_product<64, true>};
const Register product_128{"wgmma of 128 columns", check_product<128, true>};
const Register product_256{"wgmma of 256 columns", check_product<256, true>};
const Register product_shared{"wgmma of 64 columns, all in shared memory",
                              check_product<64, false>};

void check_defects() {
  OnHopper hopper;
  Problem<64, true> p;
  for (simt::AsyncMode mode :
       {simt::AsyncMode::lazy, simt::AsyncMode::eager, simt::AsyncMode::random}) {
    simt::settings().async = mode;
    p.expect(kNoInitFence, "init without a fence", {"no proxy_fence"});
    p.expect(kNoInitBarrier, "init without a barrier", {});
    p.expect(kNoFullWait, "no wait for the tile", {});
    p.expect(kWrongPhase, "wait on the wrong phase", {});
    p.expect(kNoEmptyWait, "stage filled early", {});
    p.expect(kEarlyRelease, "stage released before the products are done", {});
    p.expect(kOneReleaseMissing, "a release is missing", {"deadlock", "lacks 1 of 5 arrivals"});
    p.expect(kOneReleaseTooMany, "a release too many", {});
    p.expect(kExpectTooMuch, "too many bytes announced", {"deadlock", "16 bytes"});
    p.expect(kExpectTooLittle, "too few bytes announced", {"16 bytes more were copied"});
    p.expect(kNoWgmmaFence, "no wgmma_fence", {"no wgmma_fence"});
    p.expect(kNoCommit, "no wgmma_commit", {});
    p.expect(kSumsWrittenEarly, "sums written early", {"sums of lane", "written before"});
    p.expect(kLeftWrittenEarly, "left operand written early", {"left operand", "written before"});
    p.expect(kOneWarpApart, "a warp goes its own way", {"different calls"});
    // Registers are not watched: the sums hold a NaN until the wait.
    simt::launch("sums read early", {}, 160, p.kShared, p.body(kSumsReadEarly));
    check(std::isnan(p.d.values()[0]), "sums read early are NaN");
  }
  simt::settings().async = simt::AsyncMode::lazy;
}
const Register defects{"wgmma pipelines gone wrong", check_defects};

// Threads store a swizzled matrix themselves; the products then see it only after a fence and a barrier.
template <bool FENCE, bool BARRIER, bool LATE_FENCE>
CRIA_KERNEL(128, 1)
void stored(float *d) {
  auto b = shared<bf16>(0);
  for (int i = thread_index(); i < 64 * 64; i += 128) {
    int row = i / 64, chunk = i / 8 % 8;
    b.store(row * 64 + (chunk ^ row % 8) * 8 + i % 8, to_bf16(float(row == i % 64)));
  }
  if (FENCE) proxy_fence();
  if (BARRIER) block_sync();
  if (LATE_FENCE) proxy_fence();
  int t = lane_index() % 4, row = warp_index() * 16 + lane_index() / 4;
  float sums[32] = {};
  uint32_t a[4][4];
  for (int i = 0; i < 16; i++) {
    int r = row + i % 2 * 8, k = i / 4 * 16 + i / 2 % 2 * 8 + 2 * t;
    a[i / 4][i % 4] = pack_bf16(float(r * 64 + k) / 16, float(r * 64 + k + 1) / 16);
  }
  wgmma_fence();
  for (int step = 0; step < 4; step++) wgmma<64>(sums, a[step], matrix(b, step));
  wgmma_commit();
  wgmma_wait<0>();
  for (int i = 0; i < 32; i++)
    store(d + (row + i / 2 % 2 * 8) * 64 + i / 4 * 8 + 2 * t + i % 2, sums[i]);
}

void check_stored() {
  OnHopper hopper;
  Array<float> d(64 * 64);
  std::vector<float> want;
  for (int i = 0; i < 64 * 64; i++) want.push_back(to_float(to_bf16(float(i) / 16)));
  silent(
      "stored", {}, 128, 64 * 128, [&] { stored<true, true, false>(d); },
      [&] { check(d.values() == want, "a product with the identity"); });
  reported("no proxy fence", 128, 64 * 128, [&] { stored<false, true, false>(d); },
           {"without a proxy_fence"});
  reported("proxy fence after the barrier", 128, 64 * 128, [&] { stored<false, true, true>(d); },
           {"without a proxy_fence"});
  reported("no barrier", 128, 64 * 128, [&] { stored<true, false, false>(d); }, {});
}
const Register proxies{"stores before products", check_stored};

// Tiles that threads read themselves: every element at its place, zero outside of the matrix.
template <class T>
CRIA_KERNEL(32, 1)
void read_tile(CRIA_GRID_CONSTANT const TensorMap map, T *out, int column, int row, int elements,
               bool wait) {
  auto tile = shared<T>(0);
  auto ready = shared<uint64_t>(64 * 1024);
  if (thread_index() == 0) {
    barrier_init(ready, 1);
    proxy_fence();
    barrier_arrive_expect(ready, elements * int(sizeof(T)));
    tile_load(tile, map, column, row, ready);
  }
  warp_sync();
  if (wait) barrier_wait(ready, 0);
  for (int i = thread_index(); i < elements; i += 32) store(out + i, tile.load(i));
  warp_sync();
  if (thread_index() == 0) barrier_invalidate(ready);
}

template <class T>
void check_tiles(int rows, int columns, int pitch, int tile_rows, int tile_columns, bool swizzled) {
  std::vector<T> values;
  for (int i = 0; i < rows * pitch; i++) values.push_back(T(i * 7 + i / 256));
  Array<T> matrix(values), out(tile_rows * tile_columns);
  TensorMap map = make_tensor_map({matrix.get(), int(sizeof(T)), rows, columns,
                                   pitch * int64_t(sizeof(T)), tile_rows, tile_columns, swizzled});
  for (int column : {0, 5, columns - 3, -2})
    for (int row : {0, 2, rows - 1}) {
      std::vector<T> want(size_t(tile_rows * tile_columns), T(0));
      for (int r = 0; r < tile_rows; r++)
        for (int c = 0; c < tile_columns; c++) {
          bool inside = r + row < rows && c + column >= 0 && c + column < columns;
          size_t byte = size_t(r * tile_columns + c) * sizeof(T);
          if (swizzled) byte ^= size_t(r % 8) * 16;
          if (inside) want[byte / sizeof(T)] = values[size_t((r + row) * pitch + c + column)];
        }
      silent(
          "tile", {}, 32, (64 << 10) + 8,
          [&] { read_tile<T>(map, out, column, row, tile_rows * tile_columns, true); },
          [&] { check(out.values() == want, "tile at column %d, row %d", column, row); });
    }
}

void check_all_tiles() {
  OnHopper hopper;
  check_tiles<uint8_t>(9, 40, 48, 5, 32, false);
  check_tiles<uint8_t>(40, 200, 208, 16, 128, true);
  check_tiles<uint16_t>(20, 70, 72, 8, 64, true);
  check_tiles<float>(7, 30, 32, 4, 32, true);
  check_tiles<float>(7, 30, 32, 3, 12, false);

  Array<float> x(std::vector<float>(64 * 32, 1.0f)), out(1024);
  TensorMap map = make_tensor_map({x.get(), 4, 64, 32, 128, 8, 32, true});
  reported("no wait", 32, (64 << 10) + 8, [&] { read_tile<float>(map, out, 0, 0, 256, false); },
           {"may still write"});
  Array<float> unwritten(64 * 32);
  TensorMap other = make_tensor_map({unwritten.get(), 4, 64, 32, 128, 8, 32, true});
  reported("unwritten", 32, (64 << 10) + 8, [&] { read_tile<float>(other, out, 0, 0, 256, true); },
           {"never written"});
  TensorMap wide = make_tensor_map({x.get(), 4, 65, 32, 128, 8, 32, true});
  reported("out of bounds", 32, (64 << 10) + 8,
           [&] { read_tile<float>(wide, out, 0, 60, 256, true); }, {"out of bounds"});
  auto with_object = [&](auto f) {
    return [=] {
      auto b = shared<uint64_t>(4096);
      if (thread_index() == 0) {
        barrier_init(b, 1);
        proxy_fence();
        f(b);
      }
    };
  };
  reported("misaligned", 32, 8192,
           with_object([map](Shared<uint64_t> b) { tile_load(shared<float>(128), map, 0, 0, b); }),
           {"misaligned destination"});
  reported("not waited for", 32, 8192, with_object([map](Shared<uint64_t> b) {
             barrier_arrive_expect(b, 1024);
             tile_load(shared<float>(0), map, 0, 0, b);
           }),
           {});
  reported("read as memory", 32, 8192, with_object([](Shared<uint64_t> b) { b.load(); }),
           {"barrier object"});
  reported("written as memory", 32, 8192,
           with_object([](Shared<uint64_t> b) { b.as<float>().store(1, 0.0f); }),
           {"barrier object"});
  reported("used when gone", 32, 8192, with_object([](Shared<uint64_t> b) {
             barrier_invalidate(b);
             barrier_arrive(b);
           }),
           {"there is none"});
  int refused = 0;
  for (int what = 0; what < 6; what++) {
    Tiling t{x.get(), 4, 64, 32, 128, 8, 32, true};
    if (what == 0) t.base = x.get() + 1;
    if (what == 1) t.pitch = 132;
    if (what == 2) t.tile_columns = 16;
    if (what == 3) t.tile_rows = 257;
    if (what == 4) t.element_bytes = 3;
    if (what == 5) t.columns = 33;
    try {
      make_tensor_map(t);
    } catch (const cria::Error &) {
      refused++;
    }
  }
  check(refused == 6, "%d of 6 wrong tilings are refused", refused);
}
const Register tiles{"copies of tiles", check_all_tiles};

void check_other_gpus() {
  reported("barrier object", 32, 64, [] { barrier_init(shared<uint64_t>(0), 1); }, {"only sm_90a"});
  reported("product", 128, 1024,
           [] {
             float d[32] = {};
             uint32_t a[4] = {};
             wgmma_fence();
             wgmma<64>(d, a, matrix(shared<bf16>(0)));
           },
           {"only sm_90a"});
}
const Register other_gpus{"other GPUs", check_other_gpus};

}  // namespace
}  // namespace simt_test
