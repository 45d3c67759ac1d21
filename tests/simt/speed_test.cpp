// speed_test.cpp: what the emulator's own work costs; runs only when asked for by name ("cria_simt_test speed").
#include <cstdio>
#include <ctime>

#include "device/hopper.h"
#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

double nanoseconds(int threads, int shared_bytes, const std::function<void()> &body, int64_t blocks,
                   int64_t operations) {
  // Processor time, which other work on the machine disturbs less; long enough for a coarse clock.
  std::clock_t start = std::clock(), taken = 0;
  int64_t runs = 0;
  for (; taken < CLOCKS_PER_SEC / 5; runs++) {
    simt::launch("speed", {blocks, 1, 1}, threads, shared_bytes, body);
    taken = std::clock() - start;
  }
  return double(taken) / CLOCKS_PER_SEC * 1e9 / double(runs * operations);
}

void shuffles(int n) {
  for (int i = 0; i < n; i++) shuffle_xor(i, 1);
}
void barriers(int n) {
  for (int i = 0; i < n; i++) block_sync();
}
template <class V>
void loads(const V *x, int n) {
  for (int i = 0; i < n; i++) load(x + i * 256 + thread_index());
}
template <class V>
void stores(V *x, int n) {
  for (int i = 0; i < n; i++) store(x + i * 256 + thread_index(), V{});
}
template <int N>
void shared_accesses(int n, bool read) {
  auto s = shared<float>(thread_index() * 4 * N);
  s.set_vec(0, Vec<float, N>{});
  for (int i = 0; i < n; i++) {
    if (read)
      s.template vec<N>();
    else
      s.set_vec(0, Vec<float, N>{});
  }
}
void multiplies(int n) {
  float d[4] = {};
  uint32_t a[4] = {}, b[2] = {};
  for (int i = 0; i < n; i++) mma_16x8x16(d, a, b);
}
void rows(int n) {
  auto s = shared<float>(thread_index() * 16);
  s.set_vec(0, Vec<float, 4>{});
  warp_sync();
  uint32_t r[4];
  for (int i = 0; i < n; i++) load_matrix<4>(r, s.as<bf16>());
}
void asynchronous(const float *x, int n) {
  for (int i = 0; i < n; i++) {
    copy_async<16>(shared<float>(thread_index() * 16), x + thread_index() * 4);
    copy_async_commit();
    copy_async_wait<0>();
  }
}

void products(int n) {
  for (int i = thread_index(); i < 128 * 8; i += 128)
    shared<float>(0).set_vec(4 * i, Vec<float, 4>{});
  proxy_fence();
  block_sync();
  float d[64] = {};
  uint32_t a[4] = {};
  for (int i = 0; i < n; i++) {
    wgmma_fence();
    for (int step = 0; step < 4; step++) wgmma<128>(d, a, matrix(shared<bf16>(0), step));
    wgmma_commit();
    wgmma_wait<0>();
  }
}
void tiles(const TensorMap &map, int n) {
  auto b = shared<uint64_t>(16384);
  if (thread_index() == 0) {
    barrier_init(b, 1);
    proxy_fence();
    for (int i = 0; i < n; i++) {
      barrier_arrive_expect(b, 16384);
      tile_load(shared<float>(0), map, 0, 0, b);
      barrier_wait(b, i % 2);
    }
  }
}

void check_speed() {
  const simt::Settings before = simt::settings();
  Array<float> x(std::vector<float>(size_t{1} << 20, 1.0f));
  const TensorMap map = make_tensor_map({x.get(), 4, 128, 32, 128, 128, 32, true});
  auto *vectors = reinterpret_cast<Vec<float, 4> *>(x.get());
  for (const char *mode : {"checks on", "checks off", "counters on"}) {
    simt::settings().checks = mode != std::string("checks off");
    simt::settings().counters = mode == std::string("counters on");
    auto line = [&](const char *what, double ns) {
      std::printf("%-12s %-28s %8.1f ns\n", mode, what, ns);
    };
    line("empty thread", nanoseconds(256, 0, [] {}, 2000, 2000 * 256));
    line("shuffle, per lane", nanoseconds(256, 0, [] { shuffles(2000); }, 1, 256 * 2000));
    line("block barrier, per thread", nanoseconds(256, 0, [] { barriers(500); }, 1, 256 * 500));
    line("load 4", nanoseconds(256, 0, [&] { loads(x.get(), 1000); }, 1, 256 * 1000));
    line("load 16", nanoseconds(256, 0, [&] { loads(vectors, 1000); }, 1, 256 * 1000));
    line("store 4", nanoseconds(256, 0, [&] { stores(x.get(), 1000); }, 1, 256 * 1000));
    line("store 16", nanoseconds(256, 0, [&] { stores(vectors, 1000); }, 1, 256 * 1000));
    line("shared read 4",
         nanoseconds(256, 4096, [] { shared_accesses<1>(1000, true); }, 1, 256000));
    line("shared read 16",
         nanoseconds(256, 4096, [] { shared_accesses<4>(1000, true); }, 1, 256000));
    line("shared write 16",
         nanoseconds(256, 4096, [] { shared_accesses<4>(1000, false); }, 1, 256000));
    line("mma_16x8x16, per warp", nanoseconds(256, 0, [] { multiplies(500); }, 1, 8 * 500));
    line("load_matrix<4>, per warp", nanoseconds(256, 4096, [] { rows(500); }, 1, 8 * 500));
    line("copy_async 16 with wait",
         nanoseconds(256, 16384, [&] { asynchronous(x, 500); }, 1, 256 * 500));
    simt::settings().architecture = "sm_90a";
    line("wgmma<128>, per warpgroup", nanoseconds(128, 16384, [] { products(50); }, 1, 200));
    line("tile of 16 KB", nanoseconds(32, 16392, [&] { tiles(map, 50); }, 1, 50));
  }
  simt::settings() = before;
}
const Register speed{"speed", check_speed};

}  // namespace
}  // namespace simt_test
