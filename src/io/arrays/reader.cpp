#include "io/arrays/reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include "bn/arrays/elements.hpp"

namespace bn::io {

namespace {

constexpr std::size_t spool_buffer_bytes = std::size_t{1} << 20U;
constexpr std::size_t reorder_slab_bytes = std::size_t{32} << 20U;

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

/// Walks over an array in memory order, telling where each element lies in the other order, in
/// which the dimension that moves fastest here moves slowest.
class OtherOrder {
 public:
  explicit OtherOrder(std::vector<std::size_t> slowest_first) : extent_(std::move(slowest_first)) {
    index_.resize(extent_.size());
    std::size_t stride = 1;
    for (const std::size_t extent : extent_) {
      stride_.push_back(stride);
      stride *= extent;
    }
  }

  [[nodiscard]] std::size_t position() const { return position_; }

  void advance() {
    for (std::size_t k = extent_.size(); k-- > 0;) {
      position_ += stride_[k];
      if (++index_[k] < extent_[k]) return;
      position_ -= stride_[k] * extent_[k];
      index_[k] = 0;
    }
  }

 private:
  std::vector<std::size_t> extent_;
  std::vector<std::size_t> stride_;
  std::vector<std::size_t> index_;
  std::size_t position_ = 0;
};

/// Copies the items that belong into `slab`, which holds the positions from `begin` on.
template <class Word>
void pick_items(std::span<const std::byte> items, OtherOrder& place, std::span<std::byte> slab,
                std::size_t begin) {
  const std::size_t room = slab.size() / sizeof(Word);
  for (std::size_t i = 0; i < items.size(); i += sizeof(Word), place.advance()) {
    // Below `begin` wraps round to more than any room.
    const std::size_t slot = place.position() - begin;
    if (slot < room) std::memcpy(&slab[slot * sizeof(Word)], &items[i], sizeof(Word));
  }
}

void pick_items(std::size_t item, std::span<const std::byte> items, OtherOrder& place,
                std::span<std::byte> slab, std::size_t begin) {
  if (item == 1) pick_items<std::uint8_t>(items, place, slab, begin);
  if (item == 2) pick_items<std::uint16_t>(items, place, slab, begin);
  if (item == 4) pick_items<std::uint32_t>(items, place, slab, begin);
  if (item == 8) pick_items<std::uint64_t>(items, place, slab, begin);
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

ArrayReader::ArrayReader(const std::string& path)
    : file_(open_input(path)), stream_(!file_.regular()) {
  read_header();
}

void ArrayReader::read_header() {
  std::uint64_t begin = 0;
  if (!stream_ && !file_.owned) {
    const off_t offset = ::lseek(file_.fd, 0, SEEK_CUR);
    if (offset < 0) throw system_error(name(), "cannot seek", errno);
    begin = static_cast<std::uint64_t>(offset);
  }
  std::vector<std::byte> head(npy_prefix_size);
  const auto read = [&](std::size_t from) {
    const std::span<std::byte> rest = std::span(head).subspan(from);
    const std::size_t got = stream_ ? read_fully(file_.fd, rest, name())
                                    : pread_fully(file_.fd, rest, begin + from, name());
    head.resize(from + got);
  };
  read(0);
  const std::size_t offset = npy_data_offset(name(), head);
  if (offset > head.size() && head.size() == npy_prefix_size) {
    head.resize(offset);
    read(npy_prefix_size);
  }
  std::optional<std::uint64_t> size;
  if (!stream_) size = static_cast<std::uint64_t>(file_.status.st_size) - begin;
  header_ = parse_npy_header(name(), head, size);
  header_bytes_ = offset;
  data_offset_ = begin + offset;
}

View ArrayReader::view(std::ptrdiff_t axis) const {
  const auto rank = static_cast<std::ptrdiff_t>(header_.shape.size());
  if (rank < 2) {
    throw input_error(name(),
                      "has shape " + shape() +
                          ", but an array of at least 2 dimensions is needed: (N, C) or (N, "
                          "C, ...)");
  }
  if (axis < -rank || axis >= rank) {
    throw input_error(name(), "has shape " + shape() + ", but the channel axis is " +
                                  std::to_string(axis) + "; it has to be in " +
                                  std::to_string(-rank) + ".." + std::to_string(rank - 1));
  }
  return make_view(header_.shape, axis, header_.order);
}

Error ArrayReader::ends_early(std::uint64_t got) const {
  const std::string sizes = "expected " + std::to_string(header_bytes_ + header_.data_bytes()) +
                            " bytes, got " + std::to_string(header_bytes_ + got);
  // A file had the right size when it was opened: not its content is at fault.
  return stream_ ? input_error(name(), "ends early: " + sizes)
                 : system_error(name(), "was truncated while it was read: " + sizes);
}

Rows ArrayReader::load(const View& view, const Tile& tile, std::byte* scratch) {
  const std::size_t item = item_size(header_.dtype);
  const std::size_t row_bytes = tile.row_size() * item;
  const bool contiguous = tile.row_size() == view.channel * view.inner;
  const std::size_t runs =
      contiguous ? std::min<std::size_t>(tile.outer.count, 1) : tile.outer.count;
  const std::size_t run_bytes = contiguous ? tile.size() * item : row_bytes;
  for (std::size_t run = 0; run < runs; ++run) {
    const std::span<std::byte> bytes(scratch + run * run_bytes, run_bytes);
    const std::uint64_t begin = tile.position(view, run) * item;
    std::size_t got = 0;
    if (stream_) {
      if (begin != streamed_) throw std::logic_error("a stream is loaded out of order");
      got = read_fully(file_.fd, bytes, name());
      streamed_ += got;
    } else {
      got = pread_fully(file_.fd, bytes, data_offset_ + begin, name());
    }
    if (got < run_bytes) throw ends_early(begin + got);
  }
  if (header_.byte_order == ByteOrder::big) swap_bytes({scratch, tile.size() * item}, item);
  return {.data = scratch, .stride = row_bytes};
}

void ArrayReader::spool() {
  if (!stream_) return;
  Descriptor copy = open_unnamed_file();
  const std::string copy_name = "temporary copy of " + name();
  std::vector<std::byte> buffer(spool_buffer_bytes);
  const std::uint64_t size = header_.data_bytes();
  while (streamed_ < size) {
    const std::span<std::byte> piece(buffer.data(),
                                     std::min<std::uint64_t>(buffer.size(), size - streamed_));
    const std::size_t got = read_fully(file_.fd, piece, name());
    if (got < piece.size()) throw ends_early(streamed_ + got);
    write_fully(copy.get(), piece, copy_name);
    streamed_ += got;
  }
  expect_end_of_stream();
  file_.owned = std::move(copy);
  file_.fd = file_.owned.get();
  data_offset_ = 0;
  stream_ = false;
  copied_ = true;
}

void ArrayReader::reorder(Order order) {
  if (canonical_order(header_.shape, order) == header_.order) return;
  spool();
  Descriptor copy = open_unnamed_file();
  const std::string copy_name = "temporary copy of " + name();
  const std::size_t item = item_size(header_.dtype);
  const std::size_t size = header_.data_bytes();
  std::vector<std::size_t> extents = header_.shape;
  if (header_.order == Order::fortran) std::reverse(extents.begin(), extents.end());
  std::vector<std::byte> buffer(spool_buffer_bytes);
  std::vector<std::byte> slab(std::min(reorder_slab_bytes, size));
  for (std::size_t begin = 0; begin < size; begin += slab.size()) {
    slab.resize(std::min(slab.size(), size - begin));
    OtherOrder place(extents);
    for (std::size_t at = 0; at < size; at += buffer.size()) {
      const std::span<std::byte> piece(buffer.data(), std::min(buffer.size(), size - at));
      const std::size_t got = pread_fully(file_.fd, piece, data_offset_ + at, name());
      if (got < piece.size()) throw ends_early(at + got);
      pick_items(item, piece, place, slab, begin / item);
    }
    write_fully(copy.get(), slab, copy_name);
  }
  finish();
  file_.owned = std::move(copy);
  file_.fd = file_.owned.get();
  data_offset_ = 0;
  copied_ = true;
  header_.order = header_.order == Order::c ? Order::fortran : Order::c;
}

void ArrayReader::expect_end_of_stream() {
  std::byte next{};
  if (read_fully(file_.fd, {&next, 1}, name()) == 0) return;
  const std::uint64_t size = header_bytes_ + header_.data_bytes();
  throw input_error(
      name(), "something follows the data: expected " + std::to_string(size) + " bytes, got more");
}

void ArrayReader::finish() {
  if (copied_) return;
  if (stream_) {
    if (streamed_ != header_.data_bytes())
      throw std::logic_error("a stream is not read to its end");
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

std::vector<double> read_vector(const std::string& path) {
  ArrayReader reader(path);
  const ArrayHeader& header = reader.header();
  if (header.shape.size() != 1) {
    throw input_error(reader.name(),
                      "has shape " + reader.shape() + ", but one value a channel is needed: (C,)");
  }
  // Only now is the claimed size known to be there, and may be allocated.
  reader.spool();
  const std::size_t size = header.size();
  const View view{.outer = 1, .channel = 1, .inner = size};
  const Tile whole{.outer = {0, 1}, .channel = {0, 1}, .inner = {0, size}};
  std::vector<std::byte> bytes(header.data_bytes());
  static_cast<void>(reader.load(view, whole, bytes.data()));
  reader.finish();
  const std::size_t item = item_size(header.dtype);
  std::vector<double> values(bytes.size() / item);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = as_double(header.dtype, &bytes[i * item]);
  }
  return values;
}

FileKind file_kind(const std::string& path) {
  // Opening a pipe would already take it away from whoever is to read it.
  struct stat status {};
  if (path == "-" || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return FileKind::array;
  }
  const InputFile file = open_input(path);
  std::byte first{};
  if (pread_fully(file.fd, {&first, 1}, 0, file.name) == 0) return FileKind::array;
  const char c = std::to_integer<char>(first);
  return c == '{' || c == ' ' || c == '\n' || c == '\r' || c == '\t' ? FileKind::json
                                                                     : FileKind::array;
}

}  // namespace bn::io
