#include "io/arrays/writer.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bn::io {

ArrayWriter::ArrayWriter(OutputFile& file, const ArrayHeader& header)
    : file_(file), header_(header) {
  if (header.byte_order != ByteOrder::little) {
    throw std::invalid_argument("arrays are written little-endian");
  }
  const std::string text = format_npy_header(header);
  data_offset_ = text.size();
  if (sequential() && header.size() != 0) {
    waiting_ = text;
  } else {
    file_.append(text);
  }
}

void ArrayWriter::reserve() { file_.allocate(data_offset_ + header_.data_bytes()); }

MutableRows ArrayWriter::place(const View& /*view*/, const Tile& tile, std::byte* scratch) {
  return {.data = scratch, .stride = tile.row_size() * item_size(header_.dtype)};
}

void ArrayWriter::store(const View& view, const Tile& tile, MutableRows rows) {
  const std::size_t item = item_size(header_.dtype);
  const std::size_t row_bytes = tile.row_size() * item;
  const bool contiguous = tile.row_size() == view.channel * view.inner && rows.stride == row_bytes;
  const std::size_t runs =
      contiguous ? std::min<std::size_t>(tile.outer.count, 1) : tile.outer.count;
  const std::size_t run_bytes = contiguous ? tile.size() * item : row_bytes;
  for (std::size_t run = 0; run < runs; ++run) {
    const std::span<const std::byte> bytes(rows.data + run * rows.stride, run_bytes);
    const std::uint64_t begin = tile.position(view, run) * item;
    if (sequential()) {
      if (begin != streamed_) throw std::logic_error("a stream is written out of order");
      file_.append(waiting_);
      waiting_.clear();
      file_.append(bytes);
      streamed_ += run_bytes;
    } else {
      file_.write_at(data_offset_ + begin, bytes);
    }
  }
}

void write_vector(OutputFile& file, std::span<const double> values) {
  ArrayHeader header;
  header.dtype = Dtype::float64;
  header.shape = {values.size()};
  const std::string text = format_npy_header(header);
  file.allocate(text.size() + values.size_bytes());
  file.append(text);
  file.append(std::as_bytes(values));
}

}  // namespace bn::io
