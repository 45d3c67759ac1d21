// fake_cublas.cpp: a test double of libcublas: does on the CPU what cuBLAS documents, matrices by columns, for the types and
// layouts asked for; refuses what cuBLAS would; counts calls and live handles.
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr int kNotInitialised = 1, kInvalidValue = 7, kNotSupported = 15;  // cublasStatus_t

struct Handle {
  void *stream = nullptr, *workspace = nullptr;
};

int g_handles = 0, g_products = 0, g_status_of_next = 0;

int status_of_this() {
  const int status = g_status_of_next;
  g_status_of_next = 0;
  return status;
}

float element(const void *matrix, int type, int64_t i) {
  if (type == 0) return static_cast<const float *>(matrix)[i];                     // CUDA_R_32F
  const uint32_t bits = uint32_t(static_cast<const uint16_t *>(matrix)[i]) << 16;  // CUDA_R_16BF
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// "lda: leading dimension of two-dimensional array used to store the matrix"; element (i, j) is at i + j * ld.
int multiply(const Handle &handle, int ta, int tb, int m, int n, int k, const void *alpha,
             const void *a, int a_type, int lda, int64_t a_start, const void *b, int b_type,
             int ldb, int64_t b_start, const void *beta, float *c, int c_type, int ldc,
             int compute_type, int algorithm) {
  if (!handle.stream || !handle.workspace) return kNotInitialised;
  if (m < 0 || n < 0 || k < 0 || ta < 0 || ta > 1 || tb < 0 || tb > 1) return kInvalidValue;
  if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return kInvalidValue;
  if (a_type != b_type || (a_type != 0 && a_type != 14) || c_type != 0) return kNotSupported;
  if (compute_type != 68 || algorithm != -1) return kNotSupported;  // CUBLAS_COMPUTE_32F
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < m; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) {
        sum += double(element(a, a_type, a_start + (ta ? l + i * lda : i + l * lda))) *
               double(element(b, b_type, b_start + (tb ? j + l * ldb : l + j * ldb)));
      }
      float &out = c[i + j * ldc];
      const float scale = *static_cast<const float *>(beta);
      const double before = scale == 0 ? 0 : double(scale) * double(out);
      out = float(double(*static_cast<const float *>(alpha)) * sum + before);
    }
  }
  return 0;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int fake_handles() { return g_handles; }
int fake_products() { return g_products; }
void fake_fail_next(int status) { g_status_of_next = status; }

int cublasCreate_v2(void **handle) {
  if (const int status = status_of_this()) return status;
  *handle = new Handle;
  ++g_handles;
  return 0;
}

int cublasDestroy_v2(void *handle) {
  delete static_cast<Handle *>(handle);
  --g_handles;
  return 0;
}

// "resets the cuBLAS library workspace back to the default workspace pool"
int cublasSetStream_v2(void *handle, void *stream) {
  if (const int status = status_of_this()) return status;
  *static_cast<Handle *>(handle) = {stream, nullptr};
  return 0;
}

int cublasSetWorkspace_v2(void *handle, void *workspace, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0 || bytes == 0) return kInvalidValue;
  static_cast<Handle *>(handle)->workspace = workspace;
  return 0;
}

int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha,
                 const void *a, int a_type, int lda, const void *b, int b_type, int ldb,
                 const void *beta, void *c, int c_type, int ldc, int compute_type, int algorithm) {
  if (const int status = status_of_this()) return status;
  ++g_products;
  return multiply(*static_cast<Handle *>(handle), ta, tb, m, n, k, alpha, a, a_type, lda, 0, b,
                  b_type, ldb, 0, beta, static_cast<float *>(c), c_type, ldc, compute_type,
                  algorithm);
}

int cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha,
                               const void *a, int a_type, int lda, long long stride_a,
                               const void *b, int b_type, int ldb, long long stride_b,
                               const void *beta, void *c, int c_type, int ldc, long long stride_c,
                               int batch, int compute_type, int algorithm) {
  if (const int status = status_of_this()) return status;
  g_products += batch;
  for (int64_t i = 0; i < batch; ++i) {
    const int status =
        multiply(*static_cast<Handle *>(handle), ta, tb, m, n, k, alpha, a, a_type, lda,
                 i * stride_a, b, b_type, ldb, i * stride_b, beta,
                 static_cast<float *>(c) + i * stride_c, c_type, ldc, compute_type, algorithm);
    if (status != 0) return status;
  }
  return 0;
}

}  // extern "C"
#pragma GCC visibility pop
