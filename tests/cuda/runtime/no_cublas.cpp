// no_cublas.cpp: a machine without cuBLAS, whatever this one has.
#include "host/cublas.h"

namespace cria::gpu {

std::optional<CublasApi> CublasApi::open(std::initializer_list<const char *>) { return {}; }

Cublas::Cublas(const CublasApi &api, void *, void *, int64_t) : api_(api), handle_(nullptr) {}
Cublas::~Cublas() = default;
bool Cublas::multiply(const Product<float> &) const { return false; }
bool Cublas::multiply(const Product<bf16> &) const { return false; }

}  // namespace cria::gpu
