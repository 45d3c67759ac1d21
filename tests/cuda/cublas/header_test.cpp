// header_test.cpp: the declarations of host/cublas.h against those of cublas_v2.h. It proves all it has to by being compiled.
#include <cublas_v2.h>

#include <type_traits>

#include "host/cublas.h"

namespace {

using cria::gpu::CublasApi;

// Ours may say int where theirs is an enumeration of that size, and void * for any pointer to an object.
template <class Ours, class Theirs>
constexpr bool kSame = std::is_same_v<Ours, Theirs>;
template <class Theirs>
constexpr bool kSame<int, Theirs> =
    std::is_same_v<int, Theirs> || (std::is_enum_v<Theirs> && sizeof(Theirs) == sizeof(int));
template <class Theirs>
constexpr bool kSame<void *, Theirs *> = std::is_object_v<Theirs> || std::is_void_v<Theirs>;
template <class Theirs>
constexpr bool kSame<void **, Theirs **> = true;

template <class Ours, class... OurParameters, class Theirs, class... TheirParameters>
constexpr bool matches(Ours (*)(OurParameters...), Theirs (*)(TheirParameters...)) {
  static_assert(sizeof...(OurParameters) == sizeof...(TheirParameters));
  return kSame<Ours, Theirs> && (kSame<OurParameters, TheirParameters> && ...);
}

// The header overloads the products, once more with a type in place of the kind of computation.
using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int,
                                  int, const void *, const void *, cudaDataType, int, const void *,
                                  cudaDataType, int, const void *, void *, cudaDataType, int,
                                  cublasComputeType_t, cublasGemmAlgo_t);
using GemmStridedBatchedEx = cublasStatus_t (*)(
    cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void *, const void *,
    cudaDataType, int, long long int, const void *, cudaDataType, int, long long int, const void *,
    void *, cudaDataType, int, long long int, int, cublasComputeType_t, cublasGemmAlgo_t);

constexpr CublasApi kApi{};
static_assert(matches(kApi.create, decltype(&cublasCreate_v2){}));
static_assert(matches(kApi.destroy, decltype(&cublasDestroy_v2){}));
static_assert(matches(kApi.set_stream, decltype(&cublasSetStream_v2){}));
static_assert(matches(kApi.set_workspace, decltype(&cublasSetWorkspace_v2){}));
static_assert(matches(kApi.gemm, static_cast<GemmEx>(&cublasGemmEx)));
static_assert(matches(kApi.gemm_batched,
                      static_cast<GemmStridedBatchedEx>(&cublasGemmStridedBatchedEx)));

static_assert(int{cria::gpu::kCublasSuccess} == int{CUBLAS_STATUS_SUCCESS});
static_assert(int{cria::gpu::kCublasPlain} == int{CUBLAS_OP_N});
static_assert(int{cria::gpu::kCublasTransposed} == int{CUBLAS_OP_T});
static_assert(int{cria::gpu::kCublasF32} == int{CUDA_R_32F});
static_assert(int{cria::gpu::kCublasBf16} == int{CUDA_R_16BF});
static_assert(int{cria::gpu::kCublasComputeF32} == int{CUBLAS_COMPUTE_32F});
static_assert(int{cria::gpu::kCublasDefault} == int{CUBLAS_GEMM_DEFAULT});

}  // namespace
