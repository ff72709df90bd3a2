#include "io/arrays/reader.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "bn/arrays/elements.hpp"
#include "io/arrays/reorder.hpp"
#include "io/arrays/runs.hpp"
#include "io/error.hpp"
#include "io/files/temporary.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kSpoolBufferBytes = std::size_t{1} << 20U;

template <class Word>
void swap_bytes(std::span<std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, &bytes[i], sizeof word);
    if constexpr (sizeof(Word) == 2) word = __builtin_bswap16(word);
    if constexpr (sizeof(Word) == 4) word = __builtin_bswap32(word);
    if constexpr (sizeof(Word) == 8) word = __builtin_bswap64(word);
    std::memcpy(&bytes[i], &word, sizeof word);
  }
}

void swap_bytes(std::span<std::byte> bytes, std::size_t item) {
  if (item == 2) swap_bytes<std::uint16_t>(bytes);
  if (item == 4) swap_bytes<std::uint32_t>(bytes);
  if (item == 8) swap_bytes<std::uint64_t>(bytes);
}

std::string shortest_text(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

template <class Value>
std::vector<Value> room_for(const ArrayReader& reader, std::size_t size) {
  return naming_memory_for(reader.name(), "the shape " + reader.shape(),
                           [size] { return std::vector<Value>(size); });
}

}  // namespace

ArrayReader::ArrayReader(const std::string& path)
    : file_(open_input(path)), array_(find_array(file_)), stream_(!file_.regular()) {
  data_begin_ = file_.begin + array_.offset;
}

ArrayReader::ArrayReader(InputFile file, StoredArray array)
    : file_(std::move(file)), array_(std::move(array)), last_(false), stream_(!file_.regular()) {
  data_begin_ = file_.begin + array_.offset;
}

View ArrayReader::view(std::ptrdiff_t axis, std::string_view axis_name) const {
  const auto rank = static_cast<std::ptrdiff_t>(header().shape.size());
  if (rank < 2) {
    throw input_error(name(),
                      "has shape " + shape() +
                          ", but an array of at least 2 dimensions is needed: (N, C) or (N, "
                          "C, ...)");
  }
  if (axis < -rank || axis >= rank) {
    throw input_error(name(), "has shape " + shape() + ", but " + std::string(axis_name) + " is " +
                                  std::to_string(axis) + "; it has to be in " +
                                  std::to_string(-rank) + ".." + std::to_string(rank - 1));
  }
  return make_view(header().shape, axis, header().order);
}

void ArrayReader::read(std::uint64_t offset, std::span<std::byte> bytes) {
  std::size_t got = 0;
  if (stream_) {
    if (offset != streamed_) throw std::logic_error("a stream is loaded out of order");
    got = read_fully(file_.fd, bytes, name());
    streamed_ += got;
  } else {
    got = pread_fully(file_.fd, bytes, data_begin_ + offset, name());
  }
  if (got == bytes.size()) return;
  const std::string sizes = "expected " + std::to_string(expected_bytes()) + " bytes, got " +
                            std::to_string(array_.offset + offset + got);
  // A file had the right size when it was opened: not its content is at fault.
  throw stream_ ? input_error(name(), "ends early: " + sizes)
                : system_error(name(), "was truncated while it was read: " + sizes);
}

Rows ArrayReader::load(const View& view, const Tile& tile, std::byte* scratch) {
  const std::size_t item = item_size(dtype());
  const std::size_t stride = tile.row_size() * item;
  for_each_run(view, tile, item, stride,
               [&](std::uint64_t offset, std::size_t at, std::size_t bytes) {
                 read(offset, {scratch + at, bytes});
                 if (dtype() == Dtype::boolean) require_bools(offset, {scratch + at, bytes});
               });
  if (header().byte_order == ByteOrder::big) swap_bytes({scratch, tile.size() * item}, item);
  return {.data = scratch, .stride = stride};
}

void ArrayReader::require_bools(std::uint64_t offset, std::span<const std::byte> bytes) const {
  std::byte all{};
  for (const std::byte byte : bytes) all |= byte;
  if (all <= std::byte{1}) return;
  const auto bad =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte byte) { return byte > std::byte{1}; });
  throw input_error(
      name(), "byte " + std::to_string(std::to_integer<int>(*bad)) + " at index " +
                  index_text(header(), offset + static_cast<std::size_t>(bad - bytes.begin())) +
                  "; in an array of bool only 0 and 1 can be");
}

std::string ArrayReader::copy_name() const {
  return "temporary copy of " + name() + " in " + printable(temporary_directory()) +
         " (TMPDIR names another directory)";
}

void ArrayReader::continue_with(Descriptor copy) {
  file_.owned = std::move(copy);
  file_.fd = file_.owned.get();
  data_begin_ = 0;
  stream_ = false;
  copied_ = true;
}

void ArrayReader::spool() {
  if (!stream_) return;
  Descriptor copy = open_unnamed_file();
  const std::uint64_t size = header().data_bytes();
  std::vector<std::byte> buffer(std::min<std::uint64_t>(kSpoolBufferBytes, size));
  while (streamed_ < size) {
    const std::span<std::byte> piece(buffer.data(),
                                     std::min<std::uint64_t>(buffer.size(), size - streamed_));
    read(streamed_, piece);
    write_fully(copy.get(), piece, copy_name());
  }
  expect_end_of_stream();
  continue_with(std::move(copy));
}

void ArrayReader::reorder(Order order) {
  if (canonical_order(header().shape, order) == header().order) return;
  spool();
  Descriptor copy = reordered_copy(
      header(), copy_name(),
      [this](std::uint64_t offset, std::span<std::byte> bytes) { read(offset, bytes); });
  finish();
  continue_with(std::move(copy));
  array_.header.order = order;
}

std::uint64_t ArrayReader::expected_bytes() const { return array_.offset + header().data_bytes(); }

void ArrayReader::expect_end_of_stream() {
  if (!last_) return;
  std::byte next{};
  if (read_fully(file_.fd, {&next, 1}, name()) == 0) return;
  throw input_error(name(), "something follows the data: expected " +
                                std::to_string(expected_bytes()) + " bytes, got more");
}

void ArrayReader::finish() {
  if (copied_) return;
  if (stream_) {
    if (streamed_ != header().data_bytes()) {
      throw std::logic_error("a stream is not read to its end");
    }
    expect_end_of_stream();
    return;
  }
  struct stat now {};
  if (::fstat(file_.fd, &now) != 0) throw system_error(name(), "cannot examine", errno);
  if (now.st_size != file_.status.st_size || !same_time(now.st_mtim, file_.status.st_mtim)) {
    throw system_error(name(),
                       "was changed while it was read; run again when nothing writes to it");
  }
}

std::vector<double> read_vector(ArrayReader& reader) {
  const ArrayHeader& header = reader.header();
  const auto long_dimensions = std::count_if(header.shape.begin(), header.shape.end(),
                                             [](std::size_t dimension) { return dimension != 1; });
  if (header.shape.empty() || long_dimensions > 1) {
    throw input_error(reader.name(), "has shape " + reader.shape() +
                                         ", but one value per channel is needed: (C,), or a shape "
                                         "like (1, C, 1, 1)");
  }
  // Only now is the claimed size known to be there, and may be allocated.
  reader.spool();
  const std::size_t size = header.size();
  const View view{.outer = 1, .channel = 1, .inner = size};
  const Tile whole{.outer = {0, 1}, .channel = {0, 1}, .inner = {0, size}};
  auto bytes = room_for<std::byte>(reader, header.data_bytes());
  static_cast<void>(reader.load(view, whole, bytes.data()));
  reader.finish();
  const std::size_t item = item_size(header.dtype);
  auto values = room_for<double>(reader, size);
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = as_double(header.dtype, &bytes[i * item]);
  }
  return values;
}

std::vector<double> read_vector(const std::string& path, Sign sign) {
  ArrayReader reader(path);
  std::vector<double> values = read_vector(reader);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && (sign == Sign::any || values[i] >= 0)) continue;
    throw input_error(reader.name(), "value " + std::to_string(i) + " is " +
                                         shortest_text(values[i]) + ", but has to be finite" +
                                         (sign == Sign::any ? "" : " and at least 0"));
  }
  return values;
}

}  // namespace bn::io
