// GCC 12 takes the undefined vectors inside its own intrinsics for a mistake of ours (GCC bug
// 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define BN_KERNEL_SET avx512
#define BN_KERNEL_NAME "avx512"
#define BN_KERNEL_AVX512
#define BN_VECTOR_BYTES 64
#include "bn/kernels/impl.hpp"
