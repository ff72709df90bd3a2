// Arrays in memory as sources and sinks: xtensor containers, adaptors and strided views of them.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/dtype.hpp"
#include "bn/arrays/machine.hpp"
#include "bn/arrays/view.hpp"

namespace bn {

/// Somebody's memory with a shape; strides in elements, 0 along dimensions of size 1.
struct Strided {
  std::byte* data = nullptr;
  Dtype dtype{};
  std::vector<std::size_t> shape;
  std::vector<std::ptrdiff_t> strides;

  /// Whether the elements lie one after another in this order.
  [[nodiscard]] bool contiguous(Order order) const;
};

/// Strided memory as a source and as a sink. Contiguous memory is used where it is; otherwise a
/// tile at a time is gathered and scattered.
class StridedArray : public Source, public Sink {
 public:
  /// `order`: of the view that it will be asked for. An array larger than two of the machine's last
  /// caches is written by non-temporal stores.
  StridedArray(Strided memory, Order order, const Machine& machine = this_machine());

  [[nodiscard]] Dtype dtype() const override { return memory_.dtype; }
  [[nodiscard]] bool sequential() const override { return false; }
  [[nodiscard]] bool copies() const override { return !in_place_; }
  [[nodiscard]] Rows load(const View& view, const Tile& tile, std::byte* scratch) override;
  [[nodiscard]] MutableRows place(const View& view, const Tile& tile, std::byte* scratch) override;
  void store(const View& view, const Tile& tile, MutableRows rows) override;

 private:
  template <class Use>
  void for_each(const View& view, const Tile& tile, Use use) const;

  Strided memory_;
  Order order_;
  bool in_place_;
  std::size_t last_cache_;
};

/// Anything of xtensor's that has memory of its own or points into some: not a lazy expression.
template <class Array>
concept HasMemory = requires(Array& array) {
  array.data();
  array.data_offset();
  array.strides();
  array.shape();
};

template <HasMemory Array>
[[nodiscard]] Strided strided(Array& array) {
  using Value = std::remove_const_t<typename std::remove_const_t<Array>::value_type>;
  Strided memory;
  // Written to only through a sink, which takes arrays that are not const.
  memory.data =
      reinterpret_cast<std::byte*>(const_cast<Value*>(array.data() + array.data_offset()));
  memory.dtype = dtype_of<Value>::value;
  memory.shape.assign(array.shape().begin(), array.shape().end());
  memory.strides.assign(array.strides().begin(), array.strides().end());
  return memory;
}

/// The order in which all of these can be walked best: Fortran's if all lie in memory so, else C's.
[[nodiscard]] inline Order common_order(std::initializer_list<const Strided*> arrays) {
  bool all_c = true;
  bool all_fortran = true;
  for (const Strided* array : arrays) {
    if (array->shape != (*arrays.begin())->shape) {
      throw std::invalid_argument("arrays of different shapes");
    }
    all_c = all_c && array->contiguous(Order::c);
    all_fortran = all_fortran && array->contiguous(Order::fortran);
  }
  return all_fortran && !all_c ? Order::fortran : Order::c;
}

}  // namespace bn
