// Every CPU of the architecture: SSE2 on x86-64, NEON on aarch64.
#define BN_KERNEL_SET baseline
#define BN_KERNEL_NAME "baseline"
#define BN_VECTOR_BYTES 16
#include "bn/kernels/impl.hpp"
