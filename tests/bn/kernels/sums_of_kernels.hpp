// What the tests of the kernels that sum share.
#pragma once

#include <gmpxx.h>

#include <cstddef>
#include <cstdint>

#include "bn/kernels/kernels.hpp"
#include "oracle.hpp"

namespace support {

/// The kernels of a table that sum this type.
template <class Real>
const bn::kernels::SumKernels<Real>& sums(const bn::kernels::Table& table) {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return table.float_sums;
  } else {
    return table.double_sums;
  }
}

/// Terms, as the kernels leave them, times the units of their grid.
template <std::size_t kTerms>
mpq_class total(const int (&grid)[kTerms], int e, const std::int64_t* terms, std::size_t stride) {
  oracle::ExactSum sum;
  for (std::size_t t = 0; t < kTerms; ++t) {
    mpq_class unit(1);
    const int exponent = e + grid[t];
    if (exponent >= 0) {
      mpq_mul_2exp(unit.get_mpq_t(), unit.get_mpq_t(), static_cast<mp_bitcnt_t>(exponent));
    } else {
      mpq_div_2exp(unit.get_mpq_t(), unit.get_mpq_t(), static_cast<mp_bitcnt_t>(-exponent));
    }
    sum.add(unit * mpz_class(static_cast<long>(terms[t * stride])));
  }
  return sum.value();
}

}  // namespace support
