// What callers must get right: checked at every public function, thrown as std::invalid_argument.
#pragma once

#include <span>

#include "bn/arrays/view.hpp"

namespace bn {

/// As many values as channels.
void check_size(const char* what, std::size_t size, std::size_t channels);

/// No NaN and no infinity.
void check_finite(const char* what, std::span<const double> values);

/// gamma and beta of shape (C,) and finite, eps > 0.
void check_parameters(const View& view, std::span<const double> gamma, std::span<const double> beta,
                      double eps);

/// running_mean and running_var of shape (C,) and finite, no variance negative.
void check_running(const View& view, std::span<const double> running_mean,
                   std::span<const double> running_var);

}  // namespace bn
