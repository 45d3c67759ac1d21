// nf4_linear.cu: linear layers with LoRA over NF4 weights: which kernels, in which order.
#include "nf4_linear.h"

#include "host/launch.h"
#include "host/operations.h"
#include "pack.h"

namespace cria::gpu {
namespace {

// Up to here the codes are read once for each 16 rows, from the L2 cache after the first time; beyond, packing x pays.
constexpr int64_t kFewRows = 32;

// Whether kernels of files *_sm90a.cu run: on the GPUs of architecture sm_90. The emulator tells the two apart, so as to be
// tested with either kernel.
bool has_sm90a(const GpuQueue &queue) {
#if defined(CRIA_SIMT)
  constexpr const char *kName = "sm_90a";
#else
  constexpr const char *kName = "sm_90";
#endif
  return queue.gpu().runtime->architecture() == kName;
}

}  // namespace

cria_status nf4_linear(cria_queue *queue, const cria_nf4 *matrix, int64_t m, const float *x,
                       int64_t rank, const float *a, const float *b, float scale, float dropout,
                       uint64_t key, float *t, float *y) {
  GpuQueue &q = queue_of(queue);
  const Nf4 &w = matrix->view;
  if (rank > 0) lora_t(q, m, w.k, {rank, a, b, scale, {dropout, key}}, x, t);
  const LoraTerm lora{rank, t, b, scale, vectors_of_4(rank, {t, b})};
  if (m <= kFewRows) {
    nf4_forward_few(q, w, m, x, lora, y);
  } else {
    const Scratch packed(q, packed_bytes(m, w.k));
    pack_rows(q, m, w.k, x, packed.as<bf16>(), PackOrder::nf4);
    const auto forward = w.regular() && has_sm90a(q) ? nf4_forward_sm90a : nf4_forward;
    forward(q, w, m, packed.as<bf16>(), lora, y);
  }
  return CRIA_OK;
}

cria_status nf4_linear_bwd(cria_queue *queue, const cria_nf4 *matrix, int64_t m, const float *x,
                           int64_t rank, const float *a, const float *b, float scale, float dropout,
                           uint64_t key, const float *t, const float *dy, int32_t accumulate_dx,
                           float *dx, float *da, float *db) {
  GpuQueue &q = queue_of(queue);
  const Nf4 &w = matrix->view;
  const Adapter lora{rank, a, b, scale, {dropout, key}};
  const Scratch scratch(q, m * rank * 4), operand(q, dx ? packed_bytes(m, w.n) : 0);
  float *u = scratch.as<float>();
  bf16 *packed = dx ? operand.as<bf16>() : nullptr;
  if (rank > 0 && (dx || da)) {
    lora_u(q, m, w.n, lora, dy, u, packed);
  } else if (dx) {
    pack_rows(q, m, w.n, dy, packed);
  }
  if (dx) {
    nf4_backward(q, w, m, packed, {rank, u, a, 1, vectors_of_4(rank, {u})}, lora.dropout,
                 accumulate_dx != 0, dx);
  }
  if (rank > 0 && da) lora_da(q, m, w.k, lora, u, x, da);
  if (rank > 0 && db) lora_db(q, m, w.n, lora, dy, t, db);
  return CRIA_OK;
}

}  // namespace cria::gpu
