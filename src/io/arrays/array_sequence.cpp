#include "io/arrays/array_sequence.hpp"

#include <utility>

namespace bn::io {

ArraySequence::ArraySequence(const std::string& path) : file_(open_input(path)) {}

std::optional<ArrayReader> ArraySequence::next() {
  InputFile rest;
  rest.name = found_ == 0 ? file_.name : file_.name + ", array " + std::to_string(found_ + 1);
  rest.fd = file_.fd;
  rest.status = file_.status;
  rest.begin = file_.begin;
  std::optional<StoredArray> array = find_next_array(rest, found_);
  if (!array) return std::nullopt;
  ++found_;
  file_.begin += array->offset + array->header.data_bytes();
  return ArrayReader(std::move(rest), std::move(*array));
}

}  // namespace bn::io
