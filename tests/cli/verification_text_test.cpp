#include "cli/verification_text.hpp"

#include <limits>

#include "support.hpp"

using namespace bn;
using namespace bn::cli;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The errors of values of which one is worst, and all others 0.
Errors errors(std::uint64_t values, std::uint64_t beyond, double error, std::size_t position) {
  Errors of;
  of.values = values;
  of.beyond = beyond;
  of.worst = Errors::Worst{error, position, 1.5, 1.25};
  of.worst_plain = std::abs(error) * 2;
  of.sum = Dyadic(error);
  of.sum_of_sizes = Dyadic(std::abs(error));
  return of;
}

// A y of shape (2, 3, 4), in whose channel 1 there is something wrong.
struct Case {
  io::ArrayHeader x{Dtype::float32, io::ByteOrder::little, Order::c, {2, 3, 4}};
  Verification verification;
  std::vector<Diagnosis> diagnoses;
  bool tried = false;

  explicit Case(double error = -34000.25) {
    HeldClaim claim;
    claim.quantity = Quantity::y;
    claim.dtype = Dtype::float32;
    claim.all = errors(24, 8, error, 17);
    claim.channels = {errors(8, 0, 0.5, 0), errors(8, 8, error, 17), errors(8, 0, 0, 8)};
    claim.tolerances = {12.25, 28, 20};
    verification.claims.push_back(claim);
    Diagnosis diagnosis;
    diagnosis.quantity = Quantity::y;
    diagnosis.channels = {1};
    diagnosis.sampled_channels = 1;
    diagnosis.sampled_values = 8;
    diagnosis.values = 8;
    diagnosis.tried = {{{"a_mistake"}, 0.7}, {{"one", "two"}, std::nullopt}};
    diagnoses.push_back(diagnosis);
  }

  void explain(const std::string& mistake, const std::string& sentence, double residual) {
    diagnoses[0].explanations.push_back({{mistake}, sentence, 0.25, residual, 34000.25});
  }
  [[nodiscard]] Verified verified() const {
    return {"x.npy", x, 1, Mode::train, verification, diagnoses, tried};
  }
  [[nodiscard]] std::string text(bool colour = false) const {
    return verification_text(verified(), colour);
  }
  [[nodiscard]] std::string json() const {
    return verification_json(verified(), std::vector<std::string>{"\"warned\""});
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kUnexplained = R"(x.npy: (2, 3, 4), axis 1: 3 channels of 8 values, train mode

y: wrong: 8 of 24 values beyond 12.2 to 28.0 ulp of float32
  worst            34,000 ulp at (1, 1, 1): 1.5, exactly 1.25
  plain ulp        68,001 at most
  mean             1,417 ulp, bias -1,417
  would hold with  --tolerance 34100
  wrong in 1 of 3 channels: 1
  channel  beyond  worst ulp  claimed  exact
        1       8     34,000      1.5   1.25
  no known mistake explains it
)";

}  // namespace

TEST_CASE("The text says what is wrong, where, how much of it and that nothing explains it") {
  CHECK(Case().text() == kUnexplained);
}

TEST_CASE("The text says what explains a claim, the best first") {
  Case of;
  of.explain("a_mistake", "eps was left out; it belongs to the variance.", 0.75);
  of.explain("another", "eps was 0.25", 12);
  CHECK(contains(of.text(),
                 "  explained: eps was left out; it belongs to the variance: 0.8 ulp from that, "
                 "34,000 from the right result\n"
                 "  or: eps was 0.25: 12.0 ulp from that, 34,000 from the right result\n"));
  CHECK(!contains(of.text(), "no known mistake"));
  CHECK(!contains(of.text(), "seen in"));
}

TEST_CASE("The text says of a sample that it is one") {
  Case of;
  Diagnosis& diagnosis = of.diagnoses[0];
  diagnosis.channels = {0, 1};
  diagnosis.values = 1 << 20;
  diagnosis.sampled_values = 4096;
  CHECK(contains(of.text(), "  seen in the first 4,096 values of 1 of 2 channels\n"));
  diagnosis.sampled_channels = 2;
  CHECK(contains(of.text(), "  seen in the first 4,096 values of 2 channels\n"));
  diagnosis.sampled_values = 1 << 20;
  CHECK(!contains(of.text(), "seen in"));
  diagnosis.sampled_channels = 1;
  CHECK(contains(of.text(), "  seen in 1 of 2 channels\n"));
}

TEST_CASE("The text shows what was tried where that is asked for") {
  Case of;
  CHECK(!contains(of.text(), "tried"));
  of.tried = true;
  CHECK(contains(of.text(),
                 "  tried      ulp from that\n"
                 "  a_mistake  0.7\n"
                 "  one + two  does not apply\n"));
}

TEST_CASE("Only verdicts are coloured") {
  Case of;
  CHECK(contains(of.text(true), "\ny: \x1b[1;31mwrong\x1b[0m: 8 of 24"));
  of.verification.claims[0].all = errors(24, 0, 0.125, 3);
  of.diagnoses = {};
  CHECK(contains(of.text(true), "\ny: \x1b[32mholds\x1b[0m: 24 values within 0.1 ulp of "));
  CHECK(!contains(of.text(), "\x1b"));
}

TEST_CASE("What a mistake explains within the tolerance is wrong, too") {
  Case of(15.5);
  HeldClaim& claim = of.verification.claims[0];
  claim.all.beyond = claim.channels[1].beyond = 0;
  of.explain("a_mistake", "eps was left out", 0.25);
  CHECK(!of.verified().right());
  CHECK(contains(of.text(),
                 "\ny: wrong: 24 values within 12.2 to 28.0 ulp of float32, but no rounding "
                 "errors\n"));
  CHECK(contains(of.text(), "  wrong in 1 of 3 channels: 1\n"));
  CHECK(contains(of.text(), "  explained: eps was left out: 0.2 ulp from that"));
  CHECK(contains(of.json(),
                 "\"claim\": \"y\",\n      \"dtype\": \"float32\",\n      "
                 "\"holds\": false"));
  of.diagnoses = {};
  CHECK(of.verified().right());
  CHECK(contains(of.text(),
                 "\ny: holds: 24 values within 15.5 ulp of float32, tolerated are 12.2 to 28.0\n"));
  CHECK(contains(of.text(), "  careful code  stays within 12.0 ulp"));
}

TEST_CASE("A claim beyond its tolerance is wrong, diagnosed or not") {
  Case of;
  of.diagnoses = {};
  CHECK(!of.verified().right());
  CHECK(contains(of.text(), "\ny: wrong: 8 of 24"));
}

TEST_CASE("No tolerance is enough for a NaN") {
  Case of(kInfinity);
  HeldClaim& claim = of.verification.claims[0];
  for (Errors* each : {&claim.all, &claim.channels[1]}) {
    each->nan = 1;
    each->worst->claimed = kNaN;
    each->sum = each->sum_of_sizes = Dyadic();
  }
  CHECK(!needed_tolerance(claim));
  CHECK(contains(of.text(),
                 "  NaN              1\n"
                 "  worst            infinite ulp at (1, 1, 1): NaN, exactly 1.25\n"));
  CHECK(contains(of.text(), "  would hold with  no tolerance at all\n"));
  CHECK(contains(of.json(),
                 "\"worst\": {\"ulp\": null, \"plain_ulp\": null, \"index\": [1, 1, 1], "
                 "\"claimed\": \"nan\", \"exact\": 1.25}"));
  CHECK(contains(of.json(), "\"needed_tolerance\": null"));
  CHECK(contains(of.json(), "{\"channel\": 1, \"ulp\": null, \"beyond\": 8}"));
}

TEST_CASE("A number of batches is neither near nor far") {
  Case of;
  HeldClaim claim;
  claim.quantity = Quantity::num_batches_tracked;
  claim.all = errors(1, 1, 5, 0);
  claim.all.worst = Errors::Worst{5, 0, 1234, 5};
  of.verification.claims = {claim};
  of.diagnoses = {};
  CHECK(contains(of.text(), "\nnum_batches_tracked: wrong: 1,234, not 5\n"));
  CHECK(contains(of.json(), "\"index\": []"));
  of.verification.claims[0].all = errors(1, 0, 0, 0);
  of.verification.claims[0].all.worst = Errors::Worst{0, 0, 5, 5};
  CHECK(of.text().ends_with("\nnum_batches_tracked: holds: 5\n"));
}

TEST_CASE("The ten worst channels come first, the worst of all at the head") {
  Case of;
  HeldClaim& claim = of.verification.claims[0];
  claim.channels.clear();
  for (std::size_t c = 0; c < 12; ++c) {
    claim.channels.push_back(errors(1, 1, c == 7 ? -100 : static_cast<double>(c), c));
  }
  const std::vector<std::size_t> want = {7, 11, 10, 9, 8, 6, 5, 4, 3, 2};
  CHECK(worst_channels(claim) == want);
}

TEST_CASE("JSON has the diagnosis of what is wrong, and what was tried where that is asked for") {
  Case of;
  of.explain("a_mistake", "eps was \"0.25\"", 0.75);
  CHECK(contains(of.json(), R"("diagnosis": {
        "explanations": [
          {"mistakes": ["a_mistake"], "sentence": "eps was \"0.25\"", "value": 0.25, )"
                            R"("residual_ulp": 0.75, "error_ulp": 34000.25}],
        "channels": [1],
        "sampled_channels": 1,
        "sampled_values": 8
      })"));
  of.tried = true;
  CHECK(contains(of.json(), R"("tried": [
          {"mistakes": ["a_mistake"], "residual_ulp": 0.7},
          {"mistakes": ["one", "two"], "residual_ulp": null}])"));
  CHECK(contains(of.json(), "\"warnings\": [\"\\\"warned\\\"\"]"));
}
