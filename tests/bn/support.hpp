// What the tests share besides the oracle and the data.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bn/arrays/machine.hpp"
#include "bn/backward.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/forward.hpp"
#include "data.hpp"
#include "oracle.hpp"

namespace support {

/// A dyadic number by its text, so that GMP reads it and not the library.
inline mpq_class exact(const bn::Dyadic& value) {
  const std::string text = value.to_string();  // "-0x1a2bp-149"
  const std::size_t x = text.find('x');
  const std::size_t p = text.find('p');
  mpz_class integer(text.substr(x + 1, p - x - 1), 16);
  if (text[0] == '-') integer = -integer;
  const int exponent = std::stoi(text.substr(p + 1));
  mpq_class result(integer);
  if (exponent >= 0) {
    mpq_mul_2exp(result.get_mpq_t(), result.get_mpq_t(), static_cast<mp_bitcnt_t>(exponent));
  } else {
    mpq_div_2exp(result.get_mpq_t(), result.get_mpq_t(), static_cast<mp_bitcnt_t>(-exponent));
  }
  return result;
}

/// The largest of many errors; NaN stays.
class Worst {
 public:
  void operator()(double error) {
    if (!(error <= worst_) && !std::isnan(worst_)) worst_ = error;
  }
  [[nodiscard]] double value() const { return worst_; }

 private:
  double worst_ = 0;
};

inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return true;
}

/// "y[3] is 0x1p-3, has to be 0x1p-2"
inline std::string difference(const char* what, std::size_t where, double have, double want) {
  std::ostringstream out;
  out << what << '[' << where << "] is " << std::hexfloat << have << ", has to be " << want;
  return out.str();
}

inline std::string text(const bn::View& view) {
  std::ostringstream out;
  out << '(' << view.outer << ", " << view.channel << ", " << view.inner << ')';
  return out.str();
}

inline bn::Tile whole(const bn::View& view) {
  return {{0, view.outer}, {0, view.channel}, {0, view.inner}};
}

/// Machines that results must not depend on: this one, and others described by their caches and
/// cores.
inline std::vector<bn::Machine> machines() {
  constexpr std::size_t kKiB = 1024;
  std::vector<bn::Machine> all{bn::this_machine()};
  for (const auto& [core_cache, cores] :
       {std::pair{256 * kKiB, 2U}, {1024 * kKiB, 1U}, {4096 * kKiB, 64U}, {0 * kKiB, 2U}}) {
    bn::Machine machine;
    machine.core_cache = core_cache;
    machine.cores = cores;
    all.push_back(machine);
  }
  return all;
}

inline std::string text(const bn::Machine& machine) {
  return std::to_string(machine.core_cache >> 10) + " KiB, " + std::to_string(machine.cores) +
         " cores";
}

/// A layer's parameters: something else for every channel.
struct Layer {
  explicit Layer(std::size_t channels, double eps_ = 1e-5) : eps(eps_) {
    for (std::size_t c = 0; c < channels; ++c) {
      gamma.push_back(c % 5 == 3 ? -0.7 : 1 + 0.1 * static_cast<double>(c % 7));
      beta.push_back(c % 4 == 2 ? 0.0 : 0.3 * static_cast<double>(c % 6) - 0.5);
      running_mean.push_back(0.25 * static_cast<double>(c % 3));
      running_var.push_back(1 + 0.5 * static_cast<double>(c % 4));
    }
  }
  [[nodiscard]] bn::Parameters parameters() const { return {gamma, beta, eps}; }

  std::vector<double> gamma, beta, running_mean, running_var;
  double eps;
};

}  // namespace support
