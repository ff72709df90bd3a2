// What the commands do. They throw; main alone prints errors and maps exit codes.
#pragma once

#include "cli/flags/options.hpp"

namespace bn::cli {

void run(const InitRequest& request);
void run(const ForwardRequest& request);
void run(const BackwardRequest& request);
void run(const StatsRequest& request);
void run(const CalibrateRequest& request);

}  // namespace bn::cli
