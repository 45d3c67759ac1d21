// cuda_hopper.cu: one kernel for each function of kernels/device/cuda_hopper.h, as in cuda.cu.
#include "device/hopper.h"

using namespace cria::gpu;

#define TEST(name) extern "C" __global__ void test_##name

using Object = Shared<uint64_t>;

TEST(barrier_init)(uint32_t b, int arrivals) { barrier_init(Object(b), arrivals); }
TEST(barrier_invalidate)(uint32_t b) { barrier_invalidate(Object(b)); }
TEST(barrier_arrive)(uint32_t b) { barrier_arrive(Object(b)); }
TEST(barrier_arrive_expect)(uint32_t b, int bytes) { barrier_arrive_expect(Object(b), bytes); }
TEST(barrier_wait)(uint32_t b, int parity) { barrier_wait(Object(b), parity); }
TEST(proxy_fence)() { proxy_fence(); }

TEST(tile_load)
(uint32_t to, CRIA_GRID_CONSTANT const TensorMap map, int column, int row, uint32_t b) {
  tile_load(Shared<bf16>(to), map, column, row, Object(b));
}
TEST(tile_prefetch)(CRIA_GRID_CONSTANT const TensorMap map) { tile_prefetch(map); }

TEST(matrix)(uint64_t *out, uint32_t tile, int step) { *out = matrix(Shared<bf16>(tile), step); }

// The sums of a product are read and written in place.
template <int N>
struct Sums {
  float d[N / 2];
};
struct Left {
  uint32_t a[4];
};
template <int N>
__device__ void product(Sums<N> *out, Sums<N> sums, const Left &left, uint64_t b) {
  wgmma<N>(sums.d, left.a, b);
  *out = sums;
}
template <int N>
__device__ void product_of_shared(Sums<N> *out, Sums<N> sums, uint64_t a, uint64_t b) {
  wgmma<N>(sums.d, a, b);
  *out = sums;
}
TEST(wgmma_64)(Sums<64> *out, Sums<64> d, Left left, uint64_t b) { product<64>(out, d, left, b); }
TEST(wgmma_128)(Sums<128> *out, Sums<128> d, Left left, uint64_t b) {
  product<128>(out, d, left, b);
}
TEST(wgmma_256)(Sums<256> *out, Sums<256> d, Left left, uint64_t b) {
  product<256>(out, d, left, b);
}
TEST(wgmma_64_shared)(Sums<64> *out, Sums<64> d, uint64_t a, uint64_t b) {
  product_of_shared<64>(out, d, a, b);
}
TEST(wgmma_128_shared)(Sums<128> *out, Sums<128> d, uint64_t a, uint64_t b) {
  product_of_shared<128>(out, d, a, b);
}
TEST(wgmma_256_shared)(Sums<256> *out, Sums<256> d, uint64_t a, uint64_t b) {
  product_of_shared<256>(out, d, a, b);
}
TEST(wgmma_fence)() { wgmma_fence(); }
TEST(wgmma_commit)() { wgmma_commit(); }
TEST(wgmma_wait)() { wgmma_wait<3>(); }
TEST(wgmma_hold)(Sums<64> *out, Sums<64> d) {
  wgmma_hold(d.d);
  *out = d;
}

TEST(elect_one)(bool *out) { *out = elect_one(); }
TEST(register_increase)() { register_increase<232>(); }
TEST(register_decrease)() { register_decrease<40>(); }
