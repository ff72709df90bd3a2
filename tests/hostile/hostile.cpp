// Runs batches that are made to be nasty, at random, and compares every bit of the results with
// exact arithmetic. run.sh builds it and says how to use it.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "check.hpp"
#include "configuration.hpp"

namespace {

constexpr std::size_t kMostPrinted = 10;

struct Options {
  std::uint64_t configurations = 1000000;
  std::vector<std::uint64_t> seeds;
  std::optional<std::uint64_t> only;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::string_view text = i + 1 < argc ? argv[i + 1] : "";
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw std::invalid_argument(std::string(flag) + " needs a number");
    }
    if (flag == "--configurations") {
      options.configurations = value;
    } else if (flag == "--seed") {
      options.seeds.push_back(value);
    } else if (flag == "--only") {
      options.only = value;
    } else if (flag == "--threads" && value > 0 && value <= 1024) {
      options.threads = static_cast<unsigned>(value);
    } else {
      throw std::invalid_argument("there is no " + std::string(flag) + " " + std::string(text));
    }
  }
  if (options.seeds.empty()) options.seeds.push_back(1);
  return options;
}

// Everything that several threads work on.
class Hunt {
 public:
  explicit Hunt(const Options& options) : options_(options) {
    const std::uint64_t of_seed = options.only ? 1 : options.configurations;
    count_ = of_seed * options.seeds.size();
  }

  void run() {
    std::vector<std::thread> others;
    for (unsigned i = 1; i < options_.threads; ++i) others.emplace_back([this] { work(); });
    work();
    for (std::thread& each : others) each.join();
  }

  // Whether all was well.
  [[nodiscard]] bool report() const {
    std::printf(
        "%llu configurations, %zu elements (%zu ties, %zu infinite): %zu decided by twice "
        "the precision of double, %zu in integers; %zu misses\n",
        static_cast<unsigned long long>(count_), tally_.elements, tally_.ties, tally_.infinite,
        tally_.closer, tally_.exact, misses_);
    return misses_ == 0;
  }

 private:
  void work() {
    constexpr std::uint64_t kOften = 100000;
    hostile::Tally tally;
    for (std::uint64_t i = next_++; i < count_; i = next_++) {
      if (i > 0 && i % kOften == 0) {
        std::fprintf(stderr, "%llu of %llu\n", static_cast<unsigned long long>(i),
                     static_cast<unsigned long long>(count_));
      }
      const std::uint64_t seed = options_.seeds[i % options_.seeds.size()];
      const std::uint64_t number = options_.only.value_or(i / options_.seeds.size());
      const hostile::Configuration configuration = hostile::make(seed, number);
      const std::string wrong = hostile::check(configuration, tally);
      if (!wrong.empty()) miss(seed, number, configuration, wrong);
    }
    const std::lock_guard lock(mutex_);
    tally_ += tally;
  }

  void miss(std::uint64_t seed, std::uint64_t number, const hostile::Configuration& configuration,
            const std::string& wrong) {
    const std::lock_guard lock(mutex_);
    if (++misses_ > kMostPrinted) return;
    std::printf("--seed %llu --only %llu: %s\n%s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(number), wrong.c_str(),
                hostile::text(configuration).c_str());
    std::fflush(stdout);
  }

  const Options& options_;
  std::uint64_t count_ = 0;
  std::atomic<std::uint64_t> next_ = 0;
  std::mutex mutex_;
  hostile::Tally tally_;
  std::size_t misses_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    Hunt hunt(options);
    hunt.run();
    return hunt.report() ? 0 : 1;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "bn_hostile: %s\n", error.what());
    return 2;
  }
}
