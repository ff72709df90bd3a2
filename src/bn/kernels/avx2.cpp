#define BN_KERNEL_SET avx2
#define BN_KERNEL_NAME "avx2"
#define BN_KERNEL_AVX2
#define BN_VECTOR_BYTES 32
#include "bn/kernels/impl.hpp"
