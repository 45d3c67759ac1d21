/*
 * cria.h - the C interface of Cria: 4-bit NF4 linear layers with LoRA, attention, losses and
 * optimisers for training LLaMA-family language models.
 *
 * Example (error handling left out; native/examples/nf4_linear.c is a whole program):
 *
 *     cria_device *device;  cria_queue *queue;  cria_nf4 *w;
 *     cria_device_open("cpu", 0, &device);
 *     cria_queue_create(device, &queue);
 *     cria_nf4_quantize(queue, n, k, 64, 1, CRIA_F32, weights, &w);
 *     cria_nf4_linear(queue, w, m, x, 0, NULL, NULL, 0, 0, 0, NULL, y);       // y = x W^T
 *
 * Conventions
 *   - Every function that can fail returns a cria_status. On anything but CRIA_OK,
 *     cria_last_error() holds one sentence for the calling thread: operation, what was wrong, the
 *     values. Nothing aborts, throws, prints or calls back.
 *   - Tensors are addresses in the memory of the device (on "cpu": ordinary addresses), dense and
 *     row-major, last dimension fastest, with no alignment beyond that of the element. Activations
 *     and gradients are float32. Sizes are int64_t counts of elements; a size of 0 is legal: there is
 *     nothing to read or write along it, and a sum over nothing is 0. Outputs are overwritten unless
 *     "+=" is documented. Inputs and outputs must not overlap unless "in place" is documented.
 *   - Every computing call takes a queue. Calls of one queue run in order; an asynchronous error
 *     surfaces at the latest in cria_queue_synchronize. The "cpu" device computes before it returns.
 *   - Results are deterministic: the same bits for the same inputs, device and instruction-set tier,
 *     whatever the number of threads.
 *   - A device may be shared by threads; a queue is used by one thread at a time.
 *   - Letters: T rows (packed tokens), C model width, H query heads, G key/value heads, D head width,
 *     V vocabulary, R LoRA rank, [M,K] x [N,K]^T -> [M,N] in linear layers.
 */
#ifndef CRIA_H
#define CRIA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define CRIA_API __declspec(dllexport)
#else
#define CRIA_API __attribute__((visibility("default")))
#endif

/* Raised whenever a prototype in this file changes. */
#define CRIA_ABI_VERSION 1

typedef int32_t cria_status;
enum {
  CRIA_OK = 0,
  CRIA_INVALID_ARGUMENT = 1, /* a size, pointer, enum value or combination is wrong */
  CRIA_OUT_OF_MEMORY = 2,    /* the device (or its limit) has no room */
  CRIA_UNSUPPORTED = 3,      /* legal, but this device or build does not do it */
  CRIA_NOT_FINITE = 4,       /* an input that must be finite is not */
  CRIA_DEVICE_ERROR = 5,     /* the device or its driver failed */
  CRIA_INTERNAL = 6          /* a defect of the library */
};

/* Element types. */
typedef int32_t cria_dtype;
enum {
  CRIA_F32 = 0,
  CRIA_BF16 = 1, /* upper half of a float32, rounded to nearest even */
  CRIA_F16 = 2,  /* IEEE binary16; source of casts and quantisation only */
  CRIA_I32 = 3,
  CRIA_U8 = 4
};

typedef struct cria_device cria_device; /* a place with memory that computes */
typedef struct cria_queue cria_queue;   /* an ordered list of work on a device */
typedef struct cria_nf4 cria_nf4; /* a quantised matrix [N,K]; its layout belongs to the device */
typedef struct cria_kv cria_kv;   /* keys and values of one sequence in one layer */
typedef struct cria_graph cria_graph; /* recorded work of a queue */

/* ------------------------------------------------------------------ library, devices, memory */

/* CRIA_ABI_VERSION of the loaded library. */
CRIA_API int32_t cria_abi_version(void);

/* Release, e.g. "0.1.0". Static storage. */
CRIA_API const char *cria_version(void);

/* The message of the last failed call of this thread ("" if none). Valid until its next failure. */
CRIA_API const char *cria_last_error(void);

/*
 * The table of entry points, one line each: "name(argument letters)result letter\n" with i int32,
 * l int64, f float, d double, p pointer, v none. Example: "cria_fill(plfp)i". Bindings compare it
 * with their own descriptors. Static storage.
 */
CRIA_API const char *cria_entry_points(void);

/*
 * Opens a device: "cpu"; "cuda:0" and "simt" where those libraries are installed.
 * threads: worker threads of a CPU device, 0 for one per processor the process may use.
 * The environment variable CRIA_MAX_ISA (portable, avx2, avx512, avx512bf16) caps the
 * instruction-set tier of "cpu". Errors: unknown name, unknown tier, missing library.
 */
CRIA_API cria_status cria_device_open(const char *name, int32_t threads, cria_device **device);

/* Closes a device. Its queues, NF4 matrices, caches and memory must have been freed: if some are
 * alive the call fails with CRIA_INVALID_ARGUMENT, says how many bytes, and the device stays open. NULL is legal. */
CRIA_API cria_status cria_device_close(cria_device *device);

CRIA_API const char *cria_device_name(const cria_device *device); /* "cpu" */
CRIA_API const char *cria_device_isa(
    const cria_device *device); /* active tier, e.g. "avx512bf16" */
CRIA_API int32_t
cria_device_threads(const cria_device *device); /* worker threads, caller included */

/* Bytes now held by callers (cria_alloc, NF4 matrices, caches), the most ever held, and the bytes of
 * scratch memory that the device keeps for its own kernels. Any pointer may be NULL. */
CRIA_API cria_status cria_device_memory(const cria_device *device, int64_t *live, int64_t *peak,
                                        int64_t *scratch);
/* Starts the peak anew from the bytes now live. */
CRIA_API cria_status cria_device_reset_peak(cria_device *device);
/* Refuses allocations that would take live bytes above limit (0: no limit) with CRIA_OUT_OF_MEMORY. */
CRIA_API cria_status cria_device_set_limit(cria_device *device, int64_t limit);

/* Allocates device memory aligned to 64 bytes, not initialised. bytes 0 gives a unique address. */
CRIA_API cria_status cria_alloc(cria_device *device, int64_t bytes, void **address);
/* Frees memory of cria_alloc. NULL is legal; an address that is not live is CRIA_INVALID_ARGUMENT. */
CRIA_API cria_status cria_free(cria_device *device, void *address);

CRIA_API cria_status cria_queue_create(cria_device *device, cria_queue **queue);
CRIA_API cria_status cria_queue_destroy(cria_queue *queue); /* synchronises first; NULL is legal */
/* Waits for all work of the queue and reports its first error. */
CRIA_API cria_status cria_queue_synchronize(cria_queue *queue);

/* Copies bytes from host to device, device to host (returns when done), device to device. */
CRIA_API cria_status cria_upload(cria_queue *queue, int64_t bytes, const void *host, void *device);
CRIA_API cria_status cria_download(cria_queue *queue, int64_t bytes, const void *device,
                                   void *host);
CRIA_API cria_status cria_copy(cria_queue *queue, int64_t bytes, const void *from, void *to);

/* ------------------------------------------------------------------ graphs
 * Work that is recorded once and run again with one call: for a GPU, where launching a small operation takes as long as
 * running it.
 *
 * Between begin and end, what the queue is given is recorded instead of run, with its arguments: sizes, scalars and
 * addresses are those of the recording, and what the addresses hold is read anew at each run. A key/value cache is appended
 * to, and attended over, at the length that it has at each run. Tensors, matrices and caches that the recorded work uses must
 * stay alive until the graph is freed. Operations that wait or pass values between host and device while they run (upload,
 * download, results in host memory, arrays in host memory) fail with CRIA_UNSUPPORTED while recording, which goes on after a
 * call that failed.
 */

/* Waits for the queue, then records. Errors: CRIA_UNSUPPORTED on "cpu", which runs everything at once. */
CRIA_API cria_status cria_graph_begin(cria_queue *queue);
CRIA_API cria_status cria_graph_end(cria_queue *queue, cria_graph **graph);
/* Runs the recorded work, in order with the other work of the queue that it was recorded from. Errors: a cache is full. */
CRIA_API cria_status cria_graph_launch(cria_queue *queue, const cria_graph *graph);
/* Waits for the queue. NULL is legal. All graphs of a queue are freed before it is destroyed. */
CRIA_API cria_status cria_graph_free(cria_graph *graph);

/* ------------------------------------------------------------------ NF4 matrices
 * The format of bitsandbytes: codes of 4 bits in blocks over the flat row-major index, one absolute
 * maximum per block, optionally quantised again to 8 bits in groups of 256 (double quantisation).
 * The meaning of a stored weight is bf16(code_value * scale): float32 product, one rounding. */

/*
 * Quantises w [N,K] of dtype f32, bf16 or f16 (device memory). block_size: 32..4096, a power of two;
 * any K. double_quant: 0 or 1. A block of zeros gets code 7.
 * Errors: CRIA_NOT_FINITE with the index of the first non-finite weight.
 * Source: QLoRA (Dettmers et al. 2023); rounding as bitsandbytes' reference backend.
 */
CRIA_API cria_status cria_nf4_quantize(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                                       int32_t double_quant, cria_dtype dtype, const void *w,
                                       cria_nf4 **matrix);

/*
 * Builds a matrix from stored parts (host memory, copied).
 *   codes         uint8 [ceil(N*K/2)], the even element in the high nibble
 *   code_map      float [16], the stored quant_map
 *   absmax        float [blocks] when absmax_codes is NULL, else NULL; blocks = ceil(N*K/block_size)
 *   absmax_codes  uint8 [blocks], nested_absmax float [ceil(blocks/nested_block_size)],
 *   nested_map    float [256], nested_offset: the double-quantised scales
 * The parts are kept as given: cria_nf4_export returns them bit for bit.
 */
CRIA_API cria_status cria_nf4_import(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                                     const uint8_t *codes, const float *code_map,
                                     const float *absmax, const uint8_t *absmax_codes,
                                     int64_t nested_block_size, const float *nested_absmax,
                                     const float *nested_map, float nested_offset,
                                     cria_nf4 **matrix);

/* Shape and format. Any pointer may be NULL. nested_block_size is 0 without double quantisation. */
CRIA_API cria_status cria_nf4_info(const cria_nf4 *matrix, int64_t *n, int64_t *k,
                                   int64_t *block_size, int64_t *nested_block_size, int64_t *bytes);

/* Copies the parts to host memory, shapes as in cria_nf4_import; a NULL pointer skips that part.
 * absmax gives the float scales of each block (reconstructed when double-quantised). Errors: a part
 * of the second level is wanted from a matrix without double quantisation. */
CRIA_API cria_status cria_nf4_export(cria_queue *queue, const cria_nf4 *matrix, uint8_t *codes,
                                     float *code_map, float *absmax, uint8_t *absmax_codes,
                                     float *nested_absmax, float *nested_map, float *nested_offset);

/* Writes rows [row, row + rows) as dtype f32 or bf16 to out [rows,K]; f32 holds the canonical bf16 values. */
CRIA_API cria_status cria_nf4_dequantize(cria_queue *queue, const cria_nf4 *matrix, int64_t row,
                                         int64_t rows, cria_dtype dtype, void *out);

CRIA_API cria_status cria_nf4_free(cria_nf4 *matrix); /* NULL is legal */

/* ------------------------------------------------------------------ linear layers with LoRA
 *
 *   t = drop(x) A^T            [M,R]
 *   y = x W^T + scale * t B^T  [M,N]      x [M,K], W [N,K], A [R,K], B [N,R], all of A, B, x, t, y float32
 *
 * rank 0 means no adapter: a, b and t may be NULL. t is written for the backward call.
 * dropout p in [0,1): element (m,k) of x is kept iff h(key, m*K + k) >= floor(p * 2^32) and then
 * multiplied by 1/(1-p), where, with e = m*K + k split into 32-bit halves and all arithmetic modulo 2^32,
 *   h = fmix(fmix(lo(key) + 0x9E3779B9 * lo(e)) ^ hi(key) ^ hi(e)),
 *   fmix(z): z ^= z >> 16; z *= 0x85EBCA6B; z ^= z >> 13; z *= 0xC2B2AE35; z ^= z >> 16.
 * Projections of one input share a mask by sharing the key. p = 0 keeps everything.
 *
 * With float32 weights all arithmetic is float32. With bf16 or NF4 weights a device may round x (and
 * dy) to bf16 before multiplying; sums are float32.
 * Source: LoRA (Hu et al. 2021), QLoRA (Dettmers et al. 2023).
 *
 * Backward, from dy [M,N], with u = scale * dy B [M,R]:
 *   dx = dy W + drop'(u A)     overwritten, or += when accumulate_dx is 1; NULL: not wanted
 *   da += u^T drop(x)          [R,K], NULL: not wanted
 *   db += scale * dy^T t       [N,R], NULL: not wanted
 *   dw += dy^T x               [N,K] float32, dense weights only, NULL: not wanted
 * x is read only for da and dw, t only for db; either may be NULL when not needed.
 */
CRIA_API cria_status cria_nf4_linear(cria_queue *queue, const cria_nf4 *w, int64_t m,
                                     const float *x, int64_t rank, const float *a, const float *b,
                                     float scale, float dropout, uint64_t key, float *t, float *y);
CRIA_API cria_status cria_nf4_linear_bwd(cria_queue *queue, const cria_nf4 *w, int64_t m,
                                         const float *x, int64_t rank, const float *a,
                                         const float *b, float scale, float dropout, uint64_t key,
                                         const float *t, const float *dy, int32_t accumulate_dx,
                                         float *dx, float *da, float *db);
/* w [N,K] of dtype f32 or bf16. */
CRIA_API cria_status cria_linear(cria_queue *queue, int64_t m, int64_t n, int64_t k,
                                 cria_dtype dtype, const void *w, const float *x, int64_t rank,
                                 const float *a, const float *b, float scale, float dropout,
                                 uint64_t key, float *t, float *y);
CRIA_API cria_status cria_linear_bwd(cria_queue *queue, int64_t m, int64_t n, int64_t k,
                                     cria_dtype dtype, const void *w, const float *x, int64_t rank,
                                     const float *a, const float *b, float scale, float dropout,
                                     uint64_t key, const float *t, const float *dy,
                                     int32_t accumulate_dx, float *dx, float *dw, float *da,
                                     float *db);

/* c[i] = alpha * op(a[i]) op(b[i]) for i < batch, += when accumulate is 1. op(a) [M,K]: a is [M,K], or
 * [K,M] when transpose_a; op(b) [K,N]: b is [K,N], or [N,K] when transpose_b. float32 throughout. */
CRIA_API cria_status cria_matmul(cria_queue *queue, int64_t batch, int64_t m, int64_t n, int64_t k,
                                 int32_t transpose_a, int32_t transpose_b, float alpha,
                                 const float *a, const float *b, int32_t accumulate, float *c);

/* ------------------------------------------------------------------ transformer operations */

/* out[t] = table[ids[t]]: table [V,C] of dtype f32 or bf16, ids int32 [T], out float [T,C].
 * Errors: an id outside [0,V), with its place and value. */
CRIA_API cria_status cria_embedding(cria_queue *queue, int64_t t, int64_t v, int64_t c,
                                    cria_dtype dtype, const void *table, const int32_t *ids,
                                    float *out);
/* dtable[ids[t]] += dout[t], float [V,C], in the order of t. */
CRIA_API cria_status cria_embedding_bwd(cria_queue *queue, int64_t t, int64_t v, int64_t c,
                                        const int32_t *ids, const float *dout, float *dtable);

/* y = gain * x * r, r = 1 / sqrt(mean(x^2) + eps) per row. x, y [T,C], gain float [C], inv_rms [T] out
 * (NULL: not wanted). Source: Zhang & Sennrich 2019. */
CRIA_API cria_status cria_rmsnorm(cria_queue *queue, int64_t t, int64_t c, float eps,
                                  const float *x, const float *gain, float *y, float *inv_rms);
/* dx overwritten, or += when accumulate_dx is 1 (then it may hold the gradient of the residual branch);
 * dgain [C] += , NULL: not wanted. */
CRIA_API cria_status cria_rmsnorm_bwd(cria_queue *queue, int64_t t, int64_t c, const float *x,
                                      const float *gain, const float *inv_rms, const float *dy,
                                      int32_t accumulate_dx, float *dx, float *dgain);

/*
 * Rotates pairs (i, i + D/2) of each of `heads` heads of x [T, heads*D] by positions[t] * inv_freq[i]
 * (float32 product, then cosine and sine, as the published LLaMA code); inv_freq float [D/2], D even.
 * inverse 1 rotates back: the backward pass. In place allowed (y = x). Source: Su et al. 2021.
 */
CRIA_API cria_status cria_rope(cria_queue *queue, int64_t t, int64_t heads, int64_t d,
                               const int32_t *positions, const float *inv_freq, int32_t inverse,
                               const float *x, float *y);

/*
 * Causal attention over packed sequences, never holding more than a tile of scores.
 *   sequences  int32 [S,4], host memory: start, length, prefix start, prefix length. Row i of a sequence (rows
 *              start..start+length) sees all rows of its prefix, then rows start..start+i of itself.
 *              A plain sequence has prefix length 0. Sequences must not overlap; a prefix lies within
 *              rows of another sequence (the prompt shared by two answers).
 *   q [T, H*D], k, v [T, G*D], H a multiple of G (query head h uses key head h / (H/G)), 1 <= D <= 128
 *   out [T, H*D], lse [T,H]: log of the sum of exp(scale * q.k) over the keys seen. Rows that belong to
 *              no sequence get zeros (lse -inf).
 *   precision  CRIA_F32 or CRIA_BF16. CRIA_BF16 allows rounding q, k, v, dout, the probabilities and the gradients of the
 *              scores to bf16 before they are multiplied, where the device is faster so. GPUs always do; sums are float32.
 * Source: FlashAttention-2 (Dao 2023). Errors: ranges outside [0,T), overlap.
 */
CRIA_API cria_status cria_attention(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads,
                                    int64_t d, int64_t sequence_count, const int32_t *sequences,
                                    float scale, cria_dtype precision, const float *q,
                                    const float *k, const float *v, float *out, float *lse);
/* dq [T,H*D], dk, dv [T,G*D] overwritten. */
CRIA_API cria_status cria_attention_bwd(cria_queue *queue, int64_t t, int64_t heads,
                                        int64_t kv_heads, int64_t d, int64_t sequence_count,
                                        const int32_t *sequences, float scale, cria_dtype precision,
                                        const float *q, const float *k, const float *v,
                                        const float *out, const float *lse, const float *dout,
                                        float *dq, float *dk, float *dv);

/* A cache of keys and values of one sequence: capacity rows of kv_heads*d, stored as dtype f32 or bf16. */
CRIA_API cria_status cria_kv_create(cria_device *device, int64_t capacity, int64_t kv_heads,
                                    int64_t d, cria_dtype dtype, cria_kv **cache);
CRIA_API cria_status cria_kv_free(cria_kv *cache); /* NULL is legal */
/* Appends k, v [T, G*D]. Errors: full (capacity, length and T named). */
CRIA_API cria_status cria_kv_append(cria_queue *queue, cria_kv *cache, int64_t t, const float *k,
                                    const float *v);
CRIA_API cria_status cria_kv_length(const cria_kv *cache, int64_t *length);
CRIA_API cria_status cria_kv_truncate(cria_kv *cache,
                                      int64_t length); /* length <= present length */
/* Attention of the last T rows appended: row i of q [T, H*D] sees the first length - T + i + 1 rows. */
CRIA_API cria_status cria_kv_attention(cria_queue *queue, const cria_kv *cache, int64_t t,
                                       int64_t heads, float scale, const float *q, float *out);

/* y = silu(gate) * up over n elements, silu(z) = z / (1 + exp(-z)). Source: Shazeer 2020. */
CRIA_API cria_status cria_swiglu(cria_queue *queue, int64_t n, const float *gate, const float *up,
                                 float *y);
/* In place allowed: dgate = gate, dup = up, or dy = either. */
CRIA_API cria_status cria_swiglu_bwd(cria_queue *queue, int64_t n, const float *gate,
                                     const float *up, const float *dy, float *dgate, float *dup);

/* y = a + b over n elements; in place allowed. */
CRIA_API cria_status cria_add(cria_queue *queue, int64_t n, const float *a, const float *b,
                              float *y);

/* ------------------------------------------------------------------ losses
 * Logits z = h W^T, h [T,C], head W [V,C] of dtype f32 or bf16, are made in chunks of rows and never
 * stored whole. labels int32 [T]: -100 rows are left out before the multiplication; other values must lie
 * in [0,V). lse = log sum exp z. */

/*
 * Cross-entropy of labelled rows: loss_sum = sum w_t (lse_t - z_t[label]) in float64 (host memory),
 * weights float [T] or NULL for ones. losses [T] (NULL: not wanted): lse - z[label], unweighted, 0 on ignored rows.
 * Gradients in the same pass, with g_t = grad_scale * w_t:
 *   dh [T,C] = g_t (p - onehot) W (0 on ignored rows), NULL: not wanted
 *   dw [V,C] += (g_t (p - onehot))^T h, float32, NULL: not wanted
 */
CRIA_API cria_status cria_linear_cross_entropy(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                               cria_dtype dtype, const void *w, const float *h,
                                               const int32_t *labels, const float *weights,
                                               float grad_scale, double *loss_sum, float *losses,
                                               float *dh, float *dw);

/*
 * Log-probability of the label and entropy of each labelled row (0 on ignored rows):
 *   logp [T] = z[label] - lse; entropy [T] = lse - sum p z (NULL: not wanted)
 *   unit_grad [T,C] = W[label] - sum_j p_j W_j = d logp / d h (NULL: not wanted): a later gradient g per
 *   token is then g_t * unit_grad_t, so that preference losses need one pass over the logits.
 */
CRIA_API cria_status cria_linear_logprob(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                         cria_dtype dtype, const void *w, const float *h,
                                         const int32_t *labels, float *logp, float *entropy,
                                         float *unit_grad);
/* Backward with logits made again: dlogp, dentropy float [T] (either may be NULL);
 * dh [T,C] overwritten, NULL: not wanted; dw [V,C] +=, NULL: not wanted.
 * d entropy / d z_j = -p_j (log p_j + entropy). */
CRIA_API cria_status cria_linear_logprob_bwd(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                             cria_dtype dtype, const void *w, const float *h,
                                             const int32_t *labels, const float *dlogp,
                                             const float *dentropy, float *dh, float *dw);

typedef int32_t cria_pair_loss;
enum {
  CRIA_DPO_SIGMOID = 0, /* -(1-e) log s(D) - e log s(-D), D = beta (r_w - r_l), e label smoothing */
  CRIA_DPO_IPO = 1,     /* (r_w/n_w - r_l/n_l - 1/(2 beta))^2 */
  CRIA_DPO_IPO_SUM = 2, /* (r_w - r_l - 1/(2 beta))^2 */
  CRIA_DPO_HINGE = 3    /* max(0, 1 - D) */
};
/*
 * Preference loss of each of n pairs from summed log-probabilities of the answers under the policy and
 * the reference, r = policy - reference; all float [n], lengths int32 [n] (tokens; used by IPO, at least 1).
 * loss [n]; grad_chosen, grad_rejected [n]: d loss / d policy log-probability (not divided by n).
 * label_smoothing in [0, 0.5), sigmoid only. Source: Rafailov et al. 2023, Azar et al. 2023, Zhao et al. 2023.
 */
CRIA_API cria_status cria_dpo_loss(cria_queue *queue, int64_t n, cria_pair_loss kind, float beta,
                                   float label_smoothing, const float *chosen,
                                   const float *rejected, const float *ref_chosen,
                                   const float *ref_rejected, const int32_t *len_chosen,
                                   const int32_t *len_rejected, float *loss, float *grad_chosen,
                                   float *grad_rejected);
/* Bradley-Terry: loss = -log s(chosen - rejected - margin) + center (chosen + rejected)^2, margin float [n]
 * or NULL for 0. Gradients as above. Source: Ouyang et al. 2022. */
CRIA_API cria_status cria_reward_pair_loss(cria_queue *queue, int64_t n, float center,
                                           const float *chosen, const float *rejected,
                                           const float *margin, float *loss, float *grad_chosen,
                                           float *grad_rejected);

/* ------------------------------------------------------------------ optimisers */

/*
 * AdamW (Loshchilov & Hutter 2019) on n parameters, g = grad_scale * grad:
 *   p *= 1 - lr*decay;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *   p -= lr/(1-b1^step) * m / (sqrt(v)/sqrt(1-b2^step) + eps)
 * p float32 (the master copy); bf16 (NULL: not wanted) receives p rounded to bf16. step counts from 1.
 * The betas are float64 because 1 - 0.999f is wrong in the fifth digit.
 */
CRIA_API cria_status cria_adamw(cria_queue *queue, int64_t n, float *p, void *bf16,
                                const float *grad, float grad_scale, float lr, double beta1,
                                double beta2, float eps, float decay, int64_t step, float *m,
                                float *v);
/*
 * The same with moments of 8 bits, in blocks of 256: m_codes by the signed, v_codes by the unsigned
 * dynamic map (uint8 [n]), m_absmax, v_absmax float [ceil(n/256)]. A fresh state is all zero bytes.
 * Source: Dettmers et al. 2022.
 */
CRIA_API cria_status cria_adamw8(cria_queue *queue, int64_t n, float *p, void *bf16,
                                 const float *grad, float grad_scale, float lr, double beta1,
                                 double beta2, float eps, float decay, int64_t step,
                                 uint8_t *m_codes, float *m_absmax, uint8_t *v_codes,
                                 float *v_absmax);
/* *sum = sum x_i^2 in float64, fixed order; host memory. Not finite when an element is not. */
CRIA_API cria_status cria_sum_squares(cria_queue *queue, int64_t n, const float *x, double *sum);

/* ------------------------------------------------------------------ elementary tensor operations */

CRIA_API cria_status cria_fill(cria_queue *queue, int64_t n, float value, float *x);
/* to = from converted, dtypes f32, bf16, f16 (source only); rounds to nearest even. */
CRIA_API cria_status cria_cast(cria_queue *queue, int64_t n, cria_dtype from_dtype,
                               const void *from, cria_dtype to_dtype, void *to);
/* y = alpha x + beta y; beta 0 does not read y. */
CRIA_API cria_status cria_axpby(cria_queue *queue, int64_t n, float alpha, const float *x,
                                float beta, float *y);

typedef int32_t cria_unary_op;
enum {
  CRIA_NEG = 0,
  CRIA_EXP = 1,
  CRIA_LOG = 2,
  CRIA_SQRT = 3,
  CRIA_SQUARE = 4,
  CRIA_SIGMOID = 5,
  CRIA_LOG_SIGMOID = 6,
  CRIA_SILU = 7,
  CRIA_RELU = 8,
  CRIA_TANH = 9,
  CRIA_ABS = 10
};
/* y = op(x) over n elements; in place allowed. */
CRIA_API cria_status cria_unary(cria_queue *queue, cria_unary_op op, int64_t n, const float *x,
                                float *y);
/* dx = dy * op'(x), given x and y = op(x); overwritten; in place allowed (dx = dy). */
CRIA_API cria_status cria_unary_bwd(cria_queue *queue, cria_unary_op op, int64_t n, const float *x,
                                    const float *y, const float *dy, float *dx);

typedef int32_t cria_binary_op;
enum { CRIA_ADD = 0, CRIA_SUB = 1, CRIA_MUL = 2, CRIA_DIV = 3, CRIA_MAX = 4, CRIA_MIN = 5 };
/* y = a op b with broadcasting: dims int64 [rank], rank 0..8, of y (dense); strides of a and b in elements,
 * 0 repeats an axis. dims and strides: host memory. */
CRIA_API cria_status cria_binary(cria_queue *queue, cria_binary_op op, int32_t rank,
                                 const int64_t *dims, const float *a, const int64_t *a_strides,
                                 const float *b, const int64_t *b_strides, float *y);

typedef int32_t cria_reduce_op;
enum { CRIA_REDUCE_SUM = 0, CRIA_REDUCE_MEAN = 1, CRIA_REDUCE_MAX = 2 };
/* x [outer,n,inner] -> y [outer,inner]; n >= 1. Sums in float64, fixed order. */
CRIA_API cria_status cria_reduce(cria_queue *queue, cria_reduce_op op, int64_t outer, int64_t n,
                                 int64_t inner, const float *x, float *y);

/* Row-wise softmax of x [rows,cols], or its logarithm when log is 1. In place allowed. */
CRIA_API cria_status cria_softmax(cria_queue *queue, int64_t rows, int64_t cols, int32_t log,
                                  const float *x, float *y);
/* dx from y and dy of the same call; overwritten. */
CRIA_API cria_status cria_softmax_bwd(cria_queue *queue, int64_t rows, int64_t cols, int32_t log,
                                      const float *y, const float *dy, float *dx);

/* y[i] = x[index[i]]: x [rows,c], index int32 [n], y [n,c]. Errors: an index outside [0,rows). */
CRIA_API cria_status cria_gather_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                                      const int32_t *index, const float *x, float *y);
/* x[index[i]] += y[i], in the order of i. */
CRIA_API cria_status cria_scatter_add_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                                           const int32_t *index, const float *y, float *x);
/* y[r] = s[r] * x[r] for rows of [rows,cols]; in place allowed. */
CRIA_API cria_status cria_scale_rows(cria_queue *queue, int64_t rows, int64_t cols, const float *s,
                                     const float *x, float *y);
/* y[s] = sum of x[offsets[s] .. offsets[s+1]), summed in float64; offsets int32 [segments+1], ascending. */
CRIA_API cria_status cria_segment_sum(cria_queue *queue, int64_t segments, const int32_t *offsets,
                                      const float *x, float *y);
/* x[i] = y[s] for i in [offsets[s], offsets[s+1]): the backward pass of the sum. */
CRIA_API cria_status cria_segment_broadcast(cria_queue *queue, int64_t segments,
                                            const int32_t *offsets, const float *y, float *x);
/* y[i0,i1,..] = x at strides: dims int64 [rank] of the copied box, rank 0..8, strides in elements of element_bytes
 * (1, 2 or 4). Transposes, slices, expansions. dims and strides: host memory. */
CRIA_API cria_status cria_copy_strided(cria_queue *queue, int32_t element_bytes, int32_t rank,
                                       const int64_t *dims, const void *x, const int64_t *x_strides,
                                       void *y, const int64_t *y_strides);

/* Random numbers from a counter: element i depends on (key, i) only. Uniform in [low, high), or normal
 * by Box-Muller. dtype f32, or bf16, to which the float32 number is then rounded. */
CRIA_API cria_status cria_random_uniform(cria_queue *queue, int64_t n, uint64_t key, float low,
                                         float high, cria_dtype dtype, void *x);
CRIA_API cria_status cria_random_normal(cria_queue *queue, int64_t n, uint64_t key, float mean,
                                        float deviation, cria_dtype dtype, void *x);

/*
 * Draws a token from each row of logits [rows,V] into tokens int32 [rows]. temperature 0: the largest logit (lowest index
 * on ties). Otherwise softmax(z / temperature) restricted to the top_k largest (0: all), then to the
 * smallest set of most likely tokens with total probability >= top_p (1: all; Holtzman et al. 2020),
 * and inverted at the uniform number of (key, row). Errors: a row without a finite logit.
 */
CRIA_API cria_status cria_sample(cria_queue *queue, int64_t rows, int64_t v, const float *logits,
                                 float temperature, int32_t top_k, float top_p, uint64_t key,
                                 int32_t *tokens);

/* ------------------------------------------------------------------ self-check
 * What the owner of a device runs first: is every part right on it, and how near to its limits? */

/* What the device could do at best: bytes of memory read per second, and floating-point operations per second (a
 * multiplication and an addition are two) with float32 sums, on bf16 and on float32 inputs. A GPU knows them from its clocks
 * and units. The CPU measures them, in about a quarter of a second: its multiply-add instructions in registers, and a pass
 * over 256 MiB, on all threads of the device, the best of several. 0 where that is not known. */
CRIA_API cria_status cria_device_peak(cria_device *device, double *bytes_per_second,
                                      double *bf16_flops_per_second, double *f32_flops_per_second);

/* Runs check `index` (from 0) of the primitives that the device's kernels are made of. name: static storage, NULL past the
 * last check. worst: the largest error as a share of what is allowed; right when at most 1. */
CRIA_API cria_status cria_check_primitive(cria_queue *queue, int32_t index, const char **name,
                                          double *worst);

/*
 * Runs check `index` (from 0) of the operations: the queue's device against the "cpu" device of this library, which is opened
 * for it. name and worst as above, with the allowed difference that of inputs rounded to bf16 where a device may round them.
 * repeats > 0 also times the operation on a shape of OpenLLaMA-3B: seconds is the median of `repeats` runs; bytes and
 * flops the least that one run must move and compute. Not timed: all three are 0.
 */
CRIA_API cria_status cria_check_operation(cria_queue *queue, int32_t index, int32_t repeats,
                                          const char **name, double *worst, double *seconds,
                                          double *bytes, double *flops);

#ifdef __cplusplus
}
#endif
#endif /* CRIA_H */
