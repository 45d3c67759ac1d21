// cublas.cpp: rows against columns: cuBLAS stores matrices by columns, so it is asked for the transposed product.
#include "host/cublas.h"

#include <dlfcn.h>

#include <climits>
#include <cstdint>

#include "abi/error.h"

namespace cria::gpu {
namespace {

void check(int status, const char *what) {
  if (status != kCublasSuccess) {
    fail(CRIA_DEVICE_ERROR, "cuda: %s by cuBLAS failed with status %d", what, status);
  }
}

template <class Function>
bool find(void *library, const char *name, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

std::optional<CublasApi> CublasApi::open(std::initializer_list<const char *> libraries) {
  for (const char *name : libraries) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);  // stays open: its threads may outlive us
    if (!library) continue;
    CublasApi api;
    const bool complete = find(library, "cublasCreate_v2", api.create) &&
                          find(library, "cublasDestroy_v2", api.destroy) &&
                          find(library, "cublasSetStream_v2", api.set_stream) &&
                          find(library, "cublasSetWorkspace_v2", api.set_workspace) &&
                          find(library, "cublasGemmEx", api.gemm) &&
                          find(library, "cublasGemmStridedBatchedEx", api.gemm_batched);
    if (complete) return api;
    dlclose(library);
  }
  return std::nullopt;
}

Cublas::Cublas(const CublasApi &api, void *stream, void *workspace, int64_t bytes) : api_(api) {
  check(api_.create(&handle_), "opening a handle");
  try {
    check(api_.set_stream(handle_, stream), "choosing the stream");  // this drops the workspace
    check(api_.set_workspace(handle_, workspace, static_cast<size_t>(bytes)),
          "choosing the workspace");
  } catch (...) {
    api_.destroy(handle_);
    throw;
  }
}

Cublas::~Cublas() { api_.destroy(handle_); }

// c^T = alpha b^T a^T: a row of ours is a column of cuBLAS, and a matrix [rows, columns] its transpose. So b comes first, and
// is what cuBLAS calls plain when its lines run across k.
template <class T>
bool Cublas::run(const Product<T> &p, int type) const {
  if (p.dropout.threshold != 0) return false;
  for (const int64_t size : {p.m, p.n, p.k, p.batch}) {
    if (size < 1 || size > INT_MAX) return false;
  }
  for (const int64_t pitch : {p.a.pitch, p.b.pitch, p.c_pitch}) {
    if (pitch > INT_MAX) return false;
  }
  const int b = p.b.along_k ? kCublasTransposed : kCublasPlain;
  const int a = p.a.along_k ? kCublasPlain : kCublasTransposed;
  const int m = static_cast<int>(p.n), n = static_cast<int>(p.m), k = static_cast<int>(p.k);
  const int ldb = static_cast<int>(p.b.pitch), lda = static_cast<int>(p.a.pitch);
  const int ldc = static_cast<int>(p.c_pitch);
  const float beta = p.accumulate ? 1.0f : 0.0f;
  if (p.batch == 1) {
    check(api_.gemm(handle_, b, a, m, n, k, &p.alpha, p.b.data, type, ldb, p.a.data, type, lda,
                    &beta, p.c, kCublasF32, ldc, kCublasComputeF32, kCublasDefault),
          "a product");
  } else {
    check(
        api_.gemm_batched(handle_, b, a, m, n, k, &p.alpha, p.b.data, type, ldb, p.b.stride,
                          p.a.data, type, lda, p.a.stride, &beta, p.c, kCublasF32, ldc, p.c_stride,
                          static_cast<int>(p.batch), kCublasComputeF32, kCublasDefault),
        "a batch of products");
  }
  return true;
}

bool Cublas::multiply(const Product<float> &product) const { return run(product, kCublasF32); }
bool Cublas::multiply(const Product<bf16> &product) const { return run(product, kCublasBf16); }

}  // namespace cria::gpu
