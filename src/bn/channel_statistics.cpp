#include "bn/channel_statistics.hpp"

#include <limits>

namespace bn {

ChannelStatistics channel_statistics(const Dyadic& sum, const Dyadic& sum_squares,
                                     std::uint64_t count) {
  // sum (x - mean)^2 = (m * sum x^2 - (sum x)^2) / m
  Dyadic deviation = Dyadic(Integer(count), 0) * sum_squares;
  deviation -= sum * sum;
  ChannelStatistics result;
  result.constant = deviation.integer().is_zero();
  result.mean = quotient(sum, count);
  result.var = quotient(deviation, count, count);
  result.var_unbiased = count > 1 ? quotient(deviation, count, count - 1).hi
                                  : std::numeric_limits<double>::quiet_NaN();
  return result;
}

}  // namespace bn
