// cublas.h: matrix products by cuBLAS, opened at run time through declarations of our own, so that building needs no cuBLAS and
// running only gains by it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>

#include "product.h"

namespace cria::gpu {

// The functions of cublas_v2.h that are used here; its enumerations are int.
struct CublasApi {
  using Handle = void *;
  int (*create)(Handle *handle);
  int (*destroy)(Handle handle);
  int (*set_stream)(Handle handle, void *stream);
  int (*set_workspace)(Handle handle, void *workspace, size_t bytes);
  int (*gemm)(Handle handle, int transpose_a, int transpose_b, int m, int n, int k,
              const void *alpha, const void *a, int a_type, int lda, const void *b, int b_type,
              int ldb, const void *beta, void *c, int c_type, int ldc, int compute_type,
              int algorithm);
  int (*gemm_batched)(Handle handle, int transpose_a, int transpose_b, int m, int n, int k,
                      const void *alpha, const void *a, int a_type, int lda, long long stride_a,
                      const void *b, int b_type, int ldb, long long stride_b, const void *beta,
                      void *c, int c_type, int ldc, long long stride_c, int batch, int compute_type,
                      int algorithm);

  // From the first of the libraries that can be opened; nothing where there is none or it lacks a function.
  static std::optional<CublasApi> open(std::initializer_list<const char *> libraries = {
                                           "libcublas.so.13", "libcublas.so.12", "libcublas.so"});
};

// Values of cublas_v2.h.
enum CublasValue : int {
  kCublasSuccess = 0,
  kCublasPlain = 0,       // CUBLAS_OP_N
  kCublasTransposed = 1,  // CUBLAS_OP_T
  kCublasF32 = 0,         // CUDA_R_32F
  kCublasBf16 = 14,       // CUDA_R_16BF
  kCublasComputeF32 =
      68,  // CUBLAS_COMPUTE_32F: sums of at least float32, of bf16 or of whole float32 inputs
  kCublasDefault = -1  // CUBLAS_GEMM_DEFAULT
};

// cuBLAS on one stream. Given memory of its own to work in, it gives the same bits each time.
class Cublas {
 public:
  Cublas(const CublasApi &api, void *stream, void *workspace, int64_t bytes);
  ~Cublas();
  Cublas(const Cublas &) = delete;
  Cublas &operator=(const Cublas &) = delete;

  // False for what cuBLAS cannot do: empty products, dropout, sizes past those of int.
  bool multiply(const Product<float> &product) const;
  bool multiply(const Product<bf16> &product) const;

 private:
  template <class T>
  bool run(const Product<T> &product, int type) const;

  const CublasApi &api_;
  CublasApi::Handle handle_;
};

}  // namespace cria::gpu
