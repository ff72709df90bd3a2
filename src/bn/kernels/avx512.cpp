#define BN_KERNEL_SET avx512
#define BN_KERNEL_NAME "avx512"
#define BN_VECTOR_BYTES 64
#include "bn/kernels/impl.hpp"
