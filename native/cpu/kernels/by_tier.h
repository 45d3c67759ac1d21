// by_tier.h: finds the copy of a table of kernels that was compiled for a tier.
#pragma once

#include "cpu/tier.h"

// Declares the table `name` in the namespace of each tier that this library has (CRIA_TIER_COUNT), and name(tier).
#if CRIA_TIER_COUNT > 1
#define CRIA_TIER_TABLE(Type, name)                                                          \
  namespace portable {                                                                       \
  extern const Type name;                                                                    \
  }                                                                                          \
  namespace avx2 {                                                                           \
  extern const Type name;                                                                    \
  }                                                                                          \
  namespace avx512 {                                                                         \
  extern const Type name;                                                                    \
  }                                                                                          \
  namespace avx512bf16 {                                                                     \
  extern const Type name;                                                                    \
  }                                                                                          \
  inline const Type &name(Tier tier) {                                                       \
    const Type *tables[] = {&portable::name, &avx2::name, &avx512::name, &avx512bf16::name}; \
    return *tables[static_cast<int>(tier)];                                                  \
  }
#else
#define CRIA_TIER_TABLE(Type, name) \
  namespace portable {              \
  extern const Type name;           \
  }                                 \
  inline const Type &name(Tier) { return portable::name; }
#endif
