#include "io/arrays/writer.hpp"

#include <stdexcept>

#include "io/arrays/npy.hpp"
#include "io/arrays/runs.hpp"
#include "io/error.hpp"

namespace bn::io {

void refuse_terminal(const OutputFile& file) {
  if (!file.is_terminal()) return;
  throw usage_error(file.name(), "is a terminal, and an array is not text; give a file or a pipe");
}

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
  for_each_run(view, tile, item_size(dtype()), rows.stride,
               [&](std::uint64_t offset, std::size_t at, std::size_t size) {
                 write(offset, {rows.data + at, size});
               });
}

void ArrayWriter::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!sequential()) return file_.write_at(data_offset_ + offset, bytes);
  if (offset != streamed_) throw std::logic_error("a stream is written out of order");
  file_.append(waiting_);
  waiting_.clear();
  file_.append(bytes);
  streamed_ += bytes.size();
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
