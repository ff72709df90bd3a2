#include "check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <sstream>

#include "bn/backward.hpp"
#include "bn/error.hpp"
#include "bn/forward.hpp"
#include "oracle.hpp"

namespace hostile {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What differs first, if anything does.
class Differences {
 public:
  void compare(const char* what, std::size_t where, double have, double want) {
    const bool same =
        std::isnan(want) ? std::isnan(have)
                         : std::bit_cast<std::uint64_t>(have) == std::bit_cast<std::uint64_t>(want);
    if (same || !first_.empty()) return;
    std::ostringstream out;
    out << what << '[' << where << "] is " << std::hexfloat << have << ", has to be " << want;
    first_ = out.str();
  }
  void compare_counts(const char* what, std::size_t have, std::size_t want) {
    if (have == want || !first_.empty()) return;
    first_ = "there are " + std::to_string(want) + " " + what + ", not " + std::to_string(have);
  }
  [[nodiscard]] const std::string& first() const { return first_; }

 private:
  std::string first_;
};

bool is_finite(const data::Array& array, std::size_t i) {
  return !bn::is_floating(array.dtype()) || std::isfinite(array.get(i));
}

// The values of a channel; zero for one that is not finite, which is judged by itself.
std::vector<mpq_class> finite_values(const data::Array& array,
                                     const std::vector<std::size_t>& positions) {
  std::vector<mpq_class> values;
  for (const std::size_t i : positions) {
    values.push_back(is_finite(array, i) ? array.exact(i) : mpq_class(0));
  }
  return values;
}

bool all_finite(const data::Array& array, const std::vector<std::size_t>& positions) {
  for (const std::size_t i : positions) {
    if (!is_finite(array, i)) return false;
  }
  return true;
}

// gamma times what is not finite, as IEEE 754 has it; a positive factor and what is added to it
// change nothing.
double times(double gamma, double not_finite) {
  return gamma == 0 ? kNan : std::copysign(1, gamma) * not_finite;
}

bn::Execution execution(const Configuration& c) {
  static const bn::Machine kThis = bn::this_machine();
  bn::Execution how{.threads = 1, .machine = kThis};
  if (c.many_tiles) {
    how.threads = 2;
    how.machine.core_cache = 0;
  }
  return how;
}

data::Access access(const Configuration& c) {
  return c.copies ? data::Access::copying : data::Access::in_place;
}

void count(const bn::Counts& counts, std::size_t overflows, Differences& differences,
           Tally& tally) {
  tally.infinite += overflows;
  tally.closer += counts.closer;
  tally.exact += counts.exact;
  differences.compare_counts("overflows", counts.overflows, overflows);
}

bn::ForwardResult run_forward(const Configuration& c, data::Array& y) {
  data::Array x = c.x;
  data::Array& target = c.y_over == Over::x ? x : y;
  data::ArraySource source(x, access(c));
  data::ArraySink sink(target, access(c));
  const bn::Parameters parameters{c.gamma, c.beta, c.eps};
  bn::ForwardResult result = c.training
                                 ? bn::forward_train(c.view, source, parameters, sink, execution(c))
                                 : bn::forward_test(c.view, source, c.running_mean, c.running_var,
                                                    parameters, sink, execution(c));
  if (&target == &x) y = x;
  return result;
}

bn::BackwardResult run_backward(const Configuration& c, const bn::Sums* batch, data::Array& dx) {
  data::Array x = c.x;
  data::Array dy = c.dy;
  data::Array& target = c.dx_over == Over::x ? x : c.dx_over == Over::dy ? dy : dx;
  data::ArraySource x_source(x, access(c));
  data::ArraySource dy_source(dy, access(c));
  data::ArraySink sink(target, access(c));
  bn::BackwardResult result =
      c.training ? bn::backward_train(c.view, x_source, dy_source, batch, c.gamma, c.eps, &sink,
                                      execution(c))
                 : bn::backward_test(c.view, x_source, dy_source, c.running_mean, c.running_var,
                                     c.gamma, c.eps, &sink, execution(c));
  if (&target != &dx) dx = target;
  return result;
}

void check_y(const Configuration& c, const data::Array& y, const bn::ForwardResult& result,
             Differences& differences, Tally& tally) {
  std::size_t overflows = 0;
  for (std::size_t i = 0; i < c.view.channel; ++i) {
    const auto positions = c.x.positions(c.view, i);
    const auto x = finite_values(c.x, positions);
    const oracle::Centre centre =
        c.training ? oracle::of_batch(x, c.eps)
                   : oracle::of_running(c.running_mean[i], c.running_var[i], c.eps);
    for (std::size_t k = 0; k < positions.size(); ++k) {
      const std::size_t at = positions[k];
      if (!is_finite(c.x, at)) {
        differences.compare("y", at, y.get(at), times(c.gamma[i], c.x.get(at)));
        continue;
      }
      const oracle::Rounded want = oracle::y(c.y_dtype, x[k], centre, c.gamma[i], c.beta[i]);
      differences.compare("y", at, y.get(at), want.value);
      if (want.tie) ++tally.ties;
      if (std::isinf(want.value)) ++overflows;
    }
    if (!c.training) continue;
    const oracle::Statistics batch = oracle::statistics(x);
    differences.compare("mean", i, result.statistics.mean[i], oracle::nearest(batch.mean));
    differences.compare("var", i, result.statistics.var[i], oracle::nearest(batch.var));
    differences.compare("var_unbiased", i, result.statistics.var_unbiased[i],
                        oracle::nearest(batch.var_unbiased));
  }
  tally.elements += y.size();
  count(result.counts, overflows, differences, tally);
}

// The channel that a check names, or one beyond all.
template <class Check>
std::size_t refused(const Check& run, const Configuration& c) {
  try {
    run();
  } catch (const bn::RangeError& error) {
    return error.channel;
  }
  return c.view.channel;
}

void check_gradients(const Configuration& c, const data::Array& dx,
                     const bn::BackwardResult& result, Differences& differences, Tally& tally) {
  std::size_t overflows = 0;
  std::size_t dgamma_beyond = c.view.channel;
  std::size_t dbeta_beyond = c.view.channel;
  for (std::size_t i = 0; i < c.view.channel; ++i) {
    const auto positions = c.x.positions(c.view, i);
    const auto x = finite_values(c.x, positions);
    const auto dy = finite_values(c.dy, positions);
    const oracle::Gradients want =
        c.training ? oracle::gradients_train(c.dx_dtype, x, dy, c.gamma[i], c.eps)
                   : oracle::gradients_test(c.dx_dtype, x, dy, c.running_mean[i], c.running_var[i],
                                            c.gamma[i], c.eps);
    if (all_finite(c.dy, positions)) {
      differences.compare("dbeta", i, result.dbeta[i], want.dbeta);
      if (std::isinf(want.dbeta)) dbeta_beyond = std::min(dbeta_beyond, i);
      if (all_finite(c.x, positions)) {
        differences.compare("dgamma", i, result.dgamma[i], want.dgamma);
        if (std::isinf(want.dgamma)) dgamma_beyond = std::min(dgamma_beyond, i);
      }
    }
    for (std::size_t k = 0; k < positions.size(); ++k) {
      const std::size_t at = positions[k];
      if (!is_finite(c.dy, at)) {
        differences.compare("dx", at, dx.get(at), times(c.gamma[i], c.dy.get(at)));
        continue;
      }
      differences.compare("dx", at, dx.get(at), want.dx[k].value);
      if (want.dx[k].tie) ++tally.ties;
      if (std::isinf(want.dx[k].value)) ++overflows;
    }
  }
  differences.compare_counts("channels before the first infinite dgamma",
                             refused([&] { result.check_dgamma(); }, c), dgamma_beyond);
  differences.compare_counts("channels before the first infinite dbeta",
                             refused([&] { result.check_dbeta(); }, c), dbeta_beyond);
  tally.elements += dx.size();
  count(result.counts, overflows, differences, tally);
}

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
  elements += other.elements;
  ties += other.ties;
  infinite += other.infinite;
  closer += other.closer;
  exact += other.exact;
  return *this;
}

std::string check(const Configuration& c, Tally& tally) {
  Differences differences;
  try {
    data::Array y(c.y_dtype, c.view.size());
    const bn::ForwardResult forward = run_forward(c, y);
    check_y(c, y, forward, differences, tally);
    data::Array dx(c.dx_dtype, c.view.size());
    const bn::BackwardResult backward = run_backward(c, c.cached ? &forward.sums : nullptr, dx);
    check_gradients(c, dx, backward, differences, tally);
  } catch (const std::exception& error) {
    return "it throws: " + std::string(error.what());
  }
  return differences.first();
}

}  // namespace hostile
