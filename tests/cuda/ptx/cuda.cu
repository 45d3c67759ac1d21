// cuda.cu: one kernel for each function of kernels/device/cuda.h that stands for an instruction. Its operands are
// parameters, each different, so that the emitted PTX shows where every one of them goes: check.sh compares it with
// cuda.txt. The kernel of a function f is test_f or test_f_variant.
#include "device/device.h"

using namespace cria::gpu;

#define TEST(name) extern "C" __global__ void test_##name

using Vec4f = Vec<float, 4>;
using Vec4u = Vec<uint32_t, 4>;
using Vec2u = Vec<uint32_t, 2>;

// ---- Coordinates

extern "C" CRIA_KERNEL(96, 3) void test_CRIA_KERNEL(int *out) { *out = 1; }
TEST(thread_index)(int *out) { *out = thread_index(); }
TEST(lane_index)(int *out) { *out = lane_index(); }
TEST(warp_index)(int *out) { *out = warp_index(); }
TEST(block_x)(int *out) { *out = block_x(); }
TEST(block_y)(int *out) { *out = block_y(); }
TEST(block_z)(int *out) { *out = block_z(); }
TEST(grid_x)(int *out) { *out = grid_x(); }
TEST(grid_y)(int *out) { *out = grid_y(); }
TEST(grid_z)(int *out) { *out = grid_z(); }

// ---- Global memory

TEST(load)(float *out, const float *p) { *out = load(p); }
TEST(load_16)(Vec4f *out, const Vec4f *p) { *out = load(p); }
TEST(load_stream_2)(uint16_t *out, const uint16_t *p) { *out = load_stream(p); }
TEST(load_stream_4)(float *out, const float *p) { *out = load_stream(p); }
TEST(load_stream_8)(Vec2u *out, const Vec2u *p) { *out = load_stream(p); }
TEST(load_stream_16)(Vec4u *out, const Vec4u *p) { *out = load_stream(p); }
TEST(store)(float *p, float value) { store(p, value); }
TEST(store_16)(Vec4f *p, Vec4f value) { store(p, value); }
TEST(atomic_add_i32)(int32_t *out, int32_t *p, int32_t v) { *out = atomic_add(p, v); }
TEST(atomic_add_u32)(uint32_t *out, uint32_t *p, uint32_t v) { *out = atomic_add(p, v); }
TEST(atomic_add_u64)(uint64_t *out, uint64_t *p, uint64_t v) { *out = atomic_add(p, v); }
TEST(atomic_min_u64)(uint64_t *out, uint64_t *p, uint64_t v) { *out = atomic_min(p, v); }

// ---- Shared memory

TEST(shared)(float *out, uint32_t offset) { *out = shared<float>(offset).load(); }
TEST(load_shared)(float *out, uint32_t offset, int i) { *out = Shared<float>(offset).load(i); }
TEST(store_shared)(uint32_t offset, int i, float value) { Shared<float>(offset).store(i, value); }
TEST(vec)(Vec4f *out, uint32_t offset, int i) { *out = Shared<float>(offset).vec<4>(i); }
TEST(set_vec)(uint32_t offset, int i, Vec4f value) { Shared<float>(offset).set_vec(i, value); }
TEST(operator)(uint32_t *out, uint32_t offset, int i) {
  *out = (Shared<float>(offset) + i).offset();
}
TEST(as)(uint32_t *out, uint32_t offset, int i) {
  *out = Shared<float>(offset).as<uint64_t>().load(i) >> 32;
}
TEST(offset)(uint32_t *out, uint32_t offset) { *out = Shared<float>(offset).offset(); }
TEST(address)(uint32_t *out, uint32_t offset) { *out = Shared<float>(offset).address(); }

// ---- Asynchronous copies

TEST(copy_async_4)(uint32_t to, const void *from, int valid) {
  copy_async<4>(Shared<float>(to), from, valid);
}
TEST(copy_async_8)(uint32_t to, const void *from, int valid) {
  copy_async<8>(Shared<float>(to), from, valid);
}
TEST(copy_async_16)(uint32_t to, const void *from, int valid) {
  copy_async<16>(Shared<float>(to), from, valid);
}
TEST(copy_async_16_whole)(uint32_t to, const void *from) {
  copy_async<16>(Shared<float>(to), from);
}
TEST(copy_async_commit)() { copy_async_commit(); }
TEST(copy_async_wait_0)() { copy_async_wait<0>(); }
TEST(copy_async_wait_3)() { copy_async_wait<3>(); }

// ---- Warp and block

TEST(shuffle)(int *out, int v, int lane, uint32_t mask) { *out = shuffle(v, lane, mask); }
TEST(shuffle_all)(float *out, float v, int lane) { *out = shuffle(v, lane); }
TEST(shuffle_8)(uint64_t *out, uint64_t v, int lane, uint32_t mask) {
  *out = shuffle(v, lane, mask);
}
TEST(shuffle_xor)(int *out, int v, int bits, uint32_t mask) { *out = shuffle_xor(v, bits, mask); }
TEST(shuffle_down)(int *out, int v, int n, uint32_t mask) { *out = shuffle_down(v, n, mask); }
TEST(shuffle_up)(int *out, int v, int n, uint32_t mask) { *out = shuffle_up(v, n, mask); }
TEST(vote_any)(int *out, int c, uint32_t mask) { *out = vote_any(c != 0, mask); }
TEST(vote_all)(int *out, int c, uint32_t mask) { *out = vote_all(c != 0, mask); }
TEST(ballot)(uint32_t *out, int c, uint32_t mask) { *out = ballot(c != 0, mask); }
TEST(warp_sync)(uint32_t mask) { warp_sync(mask); }
TEST(warp_sync_all)() { warp_sync(); }
TEST(block_sync)() { block_sync(); }
TEST(named_sync)(int id, int threads) { named_sync(id, threads); }

// ---- Matrices

template <int N>
CRIA_GPU void keep(uint32_t *out, const uint32_t (&r)[N]) {
  for (int i = 0; i < N; ++i) out[i] = r[i];
}

#define TEST_LOAD_MATRIX(name, n)                 \
  TEST(name##_##n)(uint32_t *out, uint32_t row) { \
    uint32_t r[n];                                \
    name(r, Shared<bf16>(row));                   \
    keep(out, r);                                 \
  }
TEST_LOAD_MATRIX(load_matrix, 1)
TEST_LOAD_MATRIX(load_matrix, 2)
TEST_LOAD_MATRIX(load_matrix, 4)
TEST_LOAD_MATRIX(load_matrix_transposed, 1)
TEST_LOAD_MATRIX(load_matrix_transposed, 2)
TEST_LOAD_MATRIX(load_matrix_transposed, 4)

TEST(mma_16x8x16)(float *out, Vec4f d, Vec4u a, Vec2u b) {
  mma_16x8x16(d.v, a.v, b.v);
  for (int i = 0; i < 4; ++i) out[i] = d[i];
}
TEST(mma_16x8x8)(float *out, Vec4f d, Vec2u a, Vec<uint32_t, 1> b) {
  mma_16x8x8(d.v, a.v, b.v);
  for (int i = 0; i < 4; ++i) out[i] = d[i];
}

// ---- Bits and math

TEST(byte_permute)(uint32_t *out, uint32_t a, uint32_t b, uint32_t s) {
  *out = byte_permute(a, b, s);
}
TEST(lop3)(uint32_t *out, uint32_t a, uint32_t b, uint32_t c) { *out = lop3<0xCA>(a, b, c); }
TEST(pack_bf16)(uint32_t *out, float low, float high) { *out = pack_bf16(low, high); }
TEST(exp2_approx)(float *out, float x) { *out = exp2_approx(x); }
TEST(rcp_approx)(float *out, float x) { *out = rcp_approx(x); }
TEST(rsqrt_approx)(float *out, float x) { *out = rsqrt_approx(x); }
