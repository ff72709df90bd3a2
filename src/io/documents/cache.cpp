#include "io/documents/cache.hpp"

#include <array>
#include <charconv>
#include <cstdio>

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

}  // namespace

std::string format_cache(const Cache& cache) {
  json::Members members = {{"mode", json::string_text(name(cache.mode))},
                           {"axis", std::to_string(cache.axis)},
                           {"shape", json::integers_text(cache.shape)},
                           {"dtype", json::string_text(name(cache.dtype))},
                           {"memory_order", cache.order == Order::c ? "\"C\"" : "\"F\""},
                           {"eps", json::number_text(cache.eps)},
                           {"gamma", json::numbers_text(cache.gamma)}};
  if (cache.sums) {
    append_batch_statistics(members, *cache.sums, cache.mean, cache.var);
  } else {
    members.emplace_back("mean", json::numbers_text(cache.mean));
    members.emplace_back("var", json::numbers_text(cache.var));
  }
  members.emplace_back("x_checksum", json::string_text(hexadecimal(cache.x_checksum)));
  return json::object_text(members);
}

Cache parse_cache(std::string_view text, std::string_view file) {
  const json::Document document(text, file);
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

Cache read_cache(const std::string& path) {
  const InputFile file = open_input(path);
  return parse_cache(read_text(file, FileKind::cache), file.name);
}

}  // namespace bn::io
