// Vectors of doubles of this instruction set's width, and what lies around them.
#pragma once

// What the instruction set has: asked of the set and not of the compiler, which may have been told
// to use the same for all of the library.
#if defined(BN_KERNEL_AVX512) || defined(BN_KERNEL_AVX2)
#include <immintrin.h>
#define BN_KERNEL_AVX
#define BN_KERNEL_FMA
#define BN_KERNEL_F16C
#endif

#include "bn/kernels/kernels.hpp"

// The loops are one function each: what they call has to be in them, in vectors.
#define BN_INLINE inline __attribute__((always_inline))

namespace bn::kernels::BN_KERNEL_SET {
namespace {

using std::int64_t;
using std::size_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;
using std::uintptr_t;

constexpr size_t kLanes = BN_VECTOR_BYTES / sizeof(double);
using Doubles = double __attribute__((vector_size(BN_VECTOR_BYTES)));
using Floats = float __attribute__((vector_size(BN_VECTOR_BYTES / 2)));
using Halves = uint16_t __attribute__((vector_size(BN_VECTOR_BYTES / 4)));

BN_INLINE Doubles load(const double* p) {
  Doubles v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// GCC 12 converts a vector in two halves unless it is told how.
BN_INLINE Doubles load(const float* p) {
#if defined(BN_KERNEL_AVX512)
  return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(BN_KERNEL_AVX2)
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Doubles);
#endif
}

BN_INLINE Floats to_floats(Doubles v) {
#if defined(BN_KERNEL_AVX512)
  return _mm512_cvtpd_ps(v);
#elif defined(BN_KERNEL_AVX2)
  return _mm256_cvtpd_ps(v);
#else
  return __builtin_convertvector(v, Floats);
#endif
}

BN_INLINE float to_floats(double v) { return static_cast<float>(v); }

// a * b + c, fused where that is one instruction: for what does not depend on whether it is.
BN_INLINE Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
#if defined(BN_KERNEL_AVX512)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(BN_KERNEL_FMA)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}
BN_INLINE double multiply_add(double a, double b, double c) {
#if defined(BN_KERNEL_FMA)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// The smaller one; the second where one is NaN.
BN_INLINE Doubles smaller(Doubles a, Doubles b) {
#if defined(BN_KERNEL_AVX512)
  return _mm512_min_pd(a, b);
#elif defined(BN_KERNEL_AVX2)
  return _mm256_min_pd(a, b);
#else
  return a < b ? a : b;
#endif
}
BN_INLINE double smaller(double a, double b) { return a < b ? a : b; }

using Words = uint64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
BN_INLINE Words bits_of_doubles(Doubles v) { return (Words)v; }
BN_INLINE uint64_t bits_of_doubles(double v) {
  uint64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  return bits;
}

// With these bits of it kept, the others 0.
template <class D>
BN_INLINE D masked(D v, uint64_t mask) {
  const auto bits = bits_of_doubles(v) & mask;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}
template <class D>
BN_INLINE D absolute(D v) {
  return masked(v, ~(uint64_t{1} << 63));
}
// The upper 26 bits of a double: products of such halves are exact. Unlike Veltkamp's splitting
// this cannot overflow.
template <class D>
BN_INLINE D upper_half(D v) {
  return masked(v, ~((uint64_t{1} << 27) - 1));
}

// Non-temporal, where there are such stores; p is aligned to the vector. Nothing orders them but
// the locked instruction by which every thread asks Team for its next item, or says that it has
// none.
#if defined(BN_KERNEL_AVX512)
BN_INLINE void store_non_temporal(double* p, Doubles v) { _mm512_stream_pd(p, v); }
BN_INLINE void store_non_temporal(float* p, Floats v) { _mm256_stream_ps(p, v); }
#elif defined(BN_KERNEL_AVX2)
BN_INLINE void store_non_temporal(double* p, Doubles v) { _mm256_stream_pd(p, v); }
BN_INLINE void store_non_temporal(float* p, Floats v) { _mm_stream_ps(p, v); }
#else
template <class Real, class Vector>
BN_INLINE void store_non_temporal(Real* p, Vector v) {
  __builtin_memcpy(p, &v, sizeof v);
}
#endif

template <class Lane>
Doubles each_lane(Lane lane) {
  double values[kLanes];
  for (size_t l = 0; l < kLanes; ++l) values[l] = lane(l);
  return load(values);
}

// Of doubles that are integers below 2^54; larger ones and NaN become 0.
using Integers = int64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
BN_INLINE Integers to_integers(Doubles v) {
  const Doubles kept = v > -0x1p54 && v < 0x1p54 ? v : Doubles{};
#if defined(BN_KERNEL_AVX512)
  return (Integers)_mm512_cvttpd_epi64(kept);
#else
  return __builtin_convertvector(kept, Integers);
#endif
}

// Whether a bit of any lane is set.
template <class Mask>
BN_INLINE bool any(const Mask& mask) {
  bool result = false;
  for (size_t l = 0; l < kLanes; ++l) result = result || mask[l] != 0;
  return result;
}

// 2^exponent; down to subnormal ones, which scale the largest doubles.
double power_of_two(int exponent) {
  const uint64_t bits = exponent >= -1022 ? static_cast<uint64_t>(exponent + 1023) << 52
                                          : uint64_t{1} << (exponent + 1074);
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

// To call where a function ends: GCC 12 forgets it at times, and code without AVX then runs several
// times slower.
BN_INLINE void leave_vectors() {
#if defined(BN_KERNEL_AVX)
  _mm256_zeroupper();
#endif
}

// Loops take two vectors at a time: for float the additions and products of one step take two ports
// about 4 cycles, which is the latency of the chain through one sum.
constexpr size_t kUnroll = 2;
constexpr size_t kStep = kUnroll * kLanes;

// Asks for the step that a loop over memory comes to after some hundred instructions: the
// hardware's own prefetching leaves the memory idle while a core computes.
template <class Real>
BN_INLINE void prefetch(const Real* p, size_t ahead) {
  // As a number: it may lie behind the end, where a pointer must not point.
  const auto address = reinterpret_cast<uintptr_t>(p) + ahead * sizeof(Real);
  for (size_t line = 0; line < kStep * sizeof(Real); line += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(address + line));
  }
}

// How far ahead along a run.
template <class Real>
constexpr size_t kAhead = 2048 / sizeof(Real);

template <class Real>
struct bit_vector;
template <>
struct bit_vector<float> {
  using type = uint32_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};
template <>
struct bit_vector<double> {
  using type = uint64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};

// The bits of the results that a vector of doubles becomes.
template <class Real>
struct result_vector;
template <>
struct result_vector<float> {
  using bits = uint32_t __attribute__((vector_size(BN_VECTOR_BYTES / 2)));
};
template <>
struct result_vector<uint16_t> {
  using bits = Halves;
};
template <>
struct result_vector<double> {
  using bits = uint64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};

// The bits of a value without its sign.
template <class Real>
BN_INLINE typename bits_of<Real>::type magnitude(const Real& value) {
  typename bits_of<Real>::type bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits & ~(typename bits_of<Real>::type{1} << (8 * sizeof(Real) - 1));
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
