#include "io/documents/cache.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <iterator>

#include "io/arrays/array_header.hpp"
#include "io/documents/batch_statistics.hpp"
#include "io/documents/fields.hpp"
#include "io/documents/json.hpp"
#include "io/documents/json_text.hpp"
#include "io/error.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

namespace {

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 19> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "0x%016llx", static_cast<unsigned long long>(value));
  return buffer.data();
}

std::uint64_t read_checksum(const json::Field& field) {
  constexpr std::string_view kExpected = "a string like \"0x0123456789abcdef\"";
  const std::string& text = field.string(kExpected);
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.size() != 18) field.fail(kExpected);
  const auto result = std::from_chars(text.data() + 2, end, value, 16);
  if (result.ec != std::errc() || result.ptr != end || hexadecimal(value) != text) {
    field.fail(kExpected);
  }
  return value;
}

// Mixes words into one, so that a change of one word shows whatever the others are, and a change of
// several does but by an unlikely chance. It tells what has been altered by mistake; whoever means
// to deceive can compute it.
class Mixer {
 public:
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15;
    state_ ^= state_ >> 32U;
  }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(std::string_view text) {
    add(std::uint64_t{text.size()});
    for (const char c : text) add(std::uint64_t{static_cast<unsigned char>(c)});
  }
  void add(const Dyadic& value) {
    words_.clear();
    // Of the absolute value.
    boost::multiprecision::export_bits(value.integer(), std::back_inserter(words_), 64);
    add(static_cast<std::uint64_t>(value.exponent()));
    add(std::uint64_t{value.integer() < 0});
    add_all(words_);
  }
  template <class All>
  void add_all(const All& all) {
    add(std::uint64_t{all.size()});
    for (const auto& each : all) add(each);
  }

  [[nodiscard]] std::uint64_t get() const { return state_; }

 private:
  std::uint64_t state_ = 0;
  std::vector<std::uint64_t> words_;
};

std::string_view order_name(Order order) { return order == Order::c ? "C" : "F"; }

// Of the values, not of the text: another program may have written them again in its own way.
std::uint64_t checksum_of(const Cache& cache) {
  Mixer mixer;
  mixer.add(name(cache.mode));
  mixer.add(static_cast<std::uint64_t>(cache.axis));
  mixer.add_all(cache.shape);
  mixer.add(name(cache.dtype));
  mixer.add(order_name(cache.order));
  mixer.add(cache.eps);
  mixer.add_all(cache.gamma);
  mixer.add_all(cache.mean);
  mixer.add_all(cache.var);
  if (cache.sums) {
    mixer.add(cache.sums->count);
    mixer.add_all(cache.sums->sum);
    mixer.add_all(cache.sums->sum_squares);
  }
  mixer.add(cache.x_checksum);
  return mixer.get();
}

std::vector<std::size_t> read_shape(const json::Field& field) {
  constexpr std::string_view kExpected = "an array of at least 2 and at most 64 integers >= 0";
  const std::vector<double>& numbers = field.numbers(kExpected);
  std::vector<std::size_t> shape;
  if (numbers.size() < 2 || numbers.size() > 64) field.fail(kExpected);
  for (const double number : numbers) {
    constexpr double kLimit = 0x1p53;  // beyond it a double does not tell one integer from the next
    if (!(number >= 0 && number <= kLimit) ||
        number != static_cast<double>(static_cast<std::uint64_t>(number))) {
      field.fail_at(shape.size(), "not such an integer", kExpected);
    }
    shape.push_back(static_cast<std::size_t>(number));
  }
  return shape;
}

// Shape, axis, dtype and order, and the view that they make.
View read_array(Cache& cache, const json::Document& document) {
  const json::Field shape = document.field("shape");
  cache.shape = read_shape(shape);
  const json::Field dtype = document.field("dtype");
  constexpr std::string_view kExpectedDtype = "a dtype like \"float32\"";
  const auto parsed = parse_dtype_name(dtype.string(kExpectedDtype));
  if (!parsed) dtype.fail(kExpectedDtype);
  cache.dtype = *parsed;
  if (!is_addressable(cache.shape, cache.dtype)) shape.fail("the shape of an array");
  const json::Field order = document.field("memory_order");
  constexpr std::string_view kExpectedOrder = "\"C\" or \"F\"";
  const std::string& order_text = order.string(kExpectedOrder);
  if (order_text != "C" && order_text != "F") order.fail(kExpectedOrder);
  cache.order = order_text == "C" ? Order::c : Order::fortran;
  const json::Field axis = document.field("axis");
  const auto rank = static_cast<std::int64_t>(cache.shape.size());
  cache.axis = axis.integer("an integer");
  if (cache.axis < -rank || cache.axis >= rank) axis.fail("an axis of the shape");
  return make_view(cache.shape, cache.axis, cache.order);
}

void read_batch(Cache& cache, const json::Document& document, std::string_view file,
                const View& view) {
  BatchStatistics batch = read_batch_statistics(document, file, view.channel);
  if (batch.sums.count != view.m()) {
    document.field("count").fail(std::to_string(view.m()) + ", the values per channel of shape " +
                                 shape_text(cache.shape));
  }
  cache.mean = std::move(batch.mean);
  cache.var = std::move(batch.var);
  cache.sums = std::move(batch.sums);
}

void read_running(Cache& cache, const json::Document& document, std::string_view file,
                  const View& view) {
  for (const std::string_view key : {"count", "sum", "sum_squares"}) {
    if (document.has(key)) {
      throw input_error(file,
                        "has \"" + std::string(key) + "\", which mode \"test\" does not have");
    }
  }
  cache.mean = read_channels(document, "mean", view.channel);
  cache.var = read_channels(document, "var", view.channel);
  require_variances(document.field("var"), cache.var);
}

Cache read_values(const json::Document& document, std::string_view file) {
  require_kind(document, FileKind::cache, file);
  Cache cache;
  cache.mode = json::choose<Mode>(document.field("mode"));
  const View view = read_array(cache, document);
  cache.eps = read_eps(document.field("eps"));
  cache.gamma = read_channels(document, "gamma", view.channel);
  if (cache.mode == Mode::train) {
    read_batch(cache, document, file, view);
  } else {
    read_running(cache, document, file, view);
  }
  cache.x_checksum = read_checksum(document.field("x_checksum"));
  return cache;
}

void require_unaltered(const Cache& cache, const json::Document& document, std::string_view file) {
  if (!document.has("checksum")) {
    throw input_error(file,
                      "has no \"checksum\": an older bn wrote it or it has been altered; it "
                      "has to be made again");
  }
  if (read_checksum(document.field("checksum")) == checksum_of(cache)) return;
  throw input_error(file,
                    "\"checksum\" is not that of the other values; the file has been altered "
                    "and has to be made again");
}

}  // namespace

std::string format_cache(const Cache& cache) {
  json::Members members = {{"mode", json::string_text(name(cache.mode))},
                           {"axis", std::to_string(cache.axis)},
                           {"shape", json::integers_text(cache.shape)},
                           {"dtype", json::string_text(name(cache.dtype))},
                           {"memory_order", json::string_text(order_name(cache.order))},
                           {"eps", json::number_text(cache.eps)},
                           {"gamma", json::numbers_text(cache.gamma)}};
  if (cache.sums) {
    append_batch_statistics(members, *cache.sums, cache.mean, cache.var);
  } else {
    members.emplace_back("mean", json::numbers_text(cache.mean));
    members.emplace_back("var", json::numbers_text(cache.var));
  }
  members.emplace_back("x_checksum", json::string_text(hexadecimal(cache.x_checksum)));
  members.emplace_back("checksum", json::string_text(hexadecimal(checksum_of(cache))));
  return json::object_text(members);
}

Cache parse_cache(std::string_view text, std::string_view file) {
  const json::Document document(text, file);
  Cache cache = read_values(document, file);
  require_unaltered(cache, document, file);
  return cache;
}

Cache parse_unsealed_cache(std::string_view text, std::string_view file) {
  return read_values(json::Document(text, file), file);
}

Cache read_cache(const std::string& path) {
  const InputFile file = open_input(path);
  return naming_memory_for(file.name, "its values", [&] {
    return parse_cache(read_text(file, FileKind::cache), file.name);
  });
}

}  // namespace bn::io
