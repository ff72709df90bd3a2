#include "io/arrays/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>

#include "io/error.hpp"
#include "io/files/file_kind.hpp"

namespace bn::io {

namespace {

static_assert(std::endian::native == std::endian::little,
              "the writer, and '=' in a header, take the machine for little-endian");

constexpr std::size_t kVersion1Preamble = 10;
constexpr std::size_t kVersion2Preamble = 12;
constexpr std::size_t kMaxRank = 64;  // NumPy 2's; so a header never needs version 2 to be written
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

// Kind and size as in a descr, "f4".
std::string type_code(Dtype dtype) {
  const char kind = is_floating(dtype) ? 'f' : name(dtype).front();
  return kind + std::to_string(item_size(dtype));
}

// A type that is not supported: what NumPy calls it, and what makes an array x of it one that is.
struct ForeignType {
  std::string_view name;
  std::string_view way_out;
};

constexpr ForeignType kNoType{"", "x.astype('float32')"};

ForeignType foreign_type(std::string_view code) {
  if (code == "c8") return {"complex64", "x.real and x.imag"};
  if (code == "c16") return {"complex128", "x.real and x.imag"};
  if (code == "f12" || code == "f16") return {"long double", "x.astype('float64')"};
  if (code == "c24" || code == "c32") {
    return {"complex long double", "x.real.astype('float64') and x.imag.astype('float64')"};
  }
  if (code.starts_with('M')) return {"datetime64", "x.astype('int64')"};
  if (code.starts_with('m')) return {"timedelta64", "x.astype('int64')"};
  constexpr std::string_view kNumbers = "x.astype('float64') where every element is a number";
  if (code.starts_with('S') || code.starts_with('a')) return {"bytes", kNumbers};
  if (code.starts_with('U')) return {"str", kNumbers};
  if (code.starts_with('O')) return {"object", kNumbers};
  if (code.starts_with('V')) {
    return {"void", "x.astype('float32') of the array before it is saved, if that is bfloat16"};
  }
  return kNoType;
}

Error unsupported_dtype(std::string_view file, std::string_view descr, std::string_view type,
                        const std::string& way_out) {
  std::string message = "dtype " + printable(descr, 60);
  if (!type.empty()) message.append(" (").append(type).append(")");
  return input_error(file,
                     message +
                         " cannot be normalised; float16, float32, float64, bool and the integers "
                         "of 1 to 8 bytes can, for instance " +
                         way_out);
}

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// Reads the Python dictionary in a header; no more of Python than numpy.save writes, in any
// spacing. Nothing here recurses.
class HeaderParser {
 public:
  HeaderParser(std::string_view file, std::string_view text) : file_(file), text_(text) {}

  ArrayHeader parse() {
    const auto control = std::find_if(text_.begin(), text_.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    });
    if (control != text_.end()) fail("control character " + printable({control, 1}));
    expect('{', "at its beginning");
    while (!accept('}')) {
      parse_item();
      if (!accept(',')) {
        expect('}', "after a value");
        break;
      }
    }
    skip_space();
    if (position_ != text_.size()) fail("text after the closing brace: " + rest());
    require_key(has_descr_, "descr");
    require_key(has_order_, "fortran_order");
    require_key(has_shape_, "shape");
    header_.order = canonical_order(header_.shape, header_.order);
    return header_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw input_error(file_, "header of the .npy file: " + what);
  }

  void require_key(bool present, const std::string& key) const {
    if (!present) fail("key '" + key + "' is missing");
  }

  [[nodiscard]] std::string rest() const { return printable(text_.substr(position_), 40); }

  void skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) {
      ++position_;
    }
  }

  bool accept(char c) {
    skip_space();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void expect(char c, const std::string& where) {
    if (accept(c)) return;
    const std::string found = position_ == text_.size() ? "it ends" : "found " + rest();
    fail(std::string("expected '") + c + "' " + where + ", but " + found);
  }

  void parse_item() {
    const std::string_view key = parse_string("a key");
    expect(':', "after key '" + printable(key, 40) + "'");
    if (key == "descr") {
      claim(has_descr_, key);
      parse_descr();
    } else if (key == "fortran_order") {
      claim(has_order_, key);
      header_.order = parse_bool() ? Order::fortran : Order::c;
    } else if (key == "shape") {
      claim(has_shape_, key);
      parse_shape();
    } else {
      fail("unknown key '" + printable(key, 40) +
           "'; there are only 'descr', 'fortran_order' and 'shape'");
    }
  }

  void claim(bool& seen, std::string_view key) const {
    if (seen) fail("key '" + std::string(key) + "' is given twice");
    seen = true;
  }

  std::string_view parse_string(const std::string& what) {
    skip_space();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected " + what + " in quotes, found " + rest());
    const std::size_t begin = position_ + 1;
    const std::size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) fail("a string does not end: " + rest());
    const std::string_view string = text_.substr(begin, end - begin);
    // An escape could spell a valid key, but no program writes one.
    if (string.find('\\') != std::string_view::npos) fail("an escape in a string: " + rest());
    position_ = end + 1;
    return string;
  }

  void parse_descr() {
    skip_space();
    const std::size_t begin = position_;
    if (begin < text_.size() && (text_[begin] == '[' || text_[begin] == '(')) refuse_structured();
    const std::string_view descr = parse_string("the dtype");
    std::string_view code = descr;
    char prefix = '=';
    if (!code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos) {
      prefix = code[0];
      code.remove_prefix(1);
    }
    if (code == "?") code = "b1";  // NumPy reads both
    const auto* const found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                           [&](Dtype dtype) { return type_code(dtype) == code; });
    if (found == kDtypes.end()) {
      const ForeignType type = foreign_type(code);
      throw unsupported_dtype(file_, text_.substr(begin, position_ - begin), type.name,
                              std::string(type.way_out));
    }
    header_.dtype = *found;
    header_.byte_order =
        prefix == '>' && item_size(*found) > 1 ? ByteOrder::big : ByteOrder::little;
  }

  // A list of fields, of which a message shows no more than the list itself.
  [[noreturn]] void refuse_structured() {
    const std::size_t begin = position_;
    std::string field;  // the first one
    std::size_t depth = 0;
    do {
      skip_space();
      if (position_ == text_.size()) fail("the dtype does not end");
      const char c = text_[position_];
      if (c == '\'' || c == '"') {
        const std::string_view string = parse_string("a field");
        if (field.empty()) field = printable(string, 40);
        continue;
      }
      if (c == '[' || c == '(') ++depth;
      if (c == ']' || c == ')') --depth;
      ++position_;
    } while (depth > 0);
    throw unsupported_dtype(file_, text_.substr(begin, position_ - begin), "structured",
                            "one field of it" + (field.empty() ? "" : ", x['" + field + "']"));
  }

  bool parse_bool() {
    const std::string_view word = parse_word();
    if (word != "True" && word != "False") {
      fail("fortran_order is " + printable(word, 40) + ", but has to be True or False");
    }
    return word == "True";
  }

  // Up to the next separator.
  std::string_view parse_word() {
    skip_space();
    const std::size_t end =
        std::min(text_.find_first_of(" \t\n,:()[]{}'\"", position_), text_.size());
    const std::string_view word = text_.substr(position_, end - position_);
    position_ = end;
    return word;
  }

  void parse_shape() {
    if (!accept('(')) fail("shape has to be a tuple like (2, 3), found " + rest());
    bool comma = true;
    while (!accept(')')) {
      if (!comma) expect(',', "in the shape");
      header_.shape.push_back(parse_dimension());
      if (header_.shape.size() > kMaxRank) {
        fail("the shape has more than " + std::to_string(kMaxRank) + " dimensions");
      }
      comma = accept(',');
    }
    if (header_.shape.size() == 1 && !comma) fail("shape has to be a tuple like (2, 3), found (n)");
  }

  std::size_t parse_dimension() {
    const std::string_view word = parse_word();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    const bool leading_zero = word.size() > 1 && word[0] == '0';
    if (error == std::errc::result_out_of_range || value > kMaxBytes) {
      fail("dimension " + printable(word, 40) + " of the shape is 2^63 or more");
    }
    if (word.empty() || error != std::errc() || end != word.data() + word.size() || leading_zero) {
      fail("a dimension of the shape has to be a decimal integer >= 0, found " +
           (word.empty() ? rest() : printable(word, 40)));
    }
    return value;
  }

  std::string_view file_;
  std::string_view text_;
  std::size_t position_ = 0;
  ArrayHeader header_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

}  // namespace

std::size_t npy_data_offset(std::string_view file, std::span<const std::byte> prefix) {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(prefix[i]); };
  const std::string_view text(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  if (text.empty()) throw input_error(file, "is empty, but has to be a .npy array");
  if (text.substr(0, kNpyMagic.size()) != kNpyMagic.substr(0, text.size())) {
    throw input_error(file, "is not a .npy file: it does not begin with \\x93NUMPY");
  }
  const auto require = [&](std::size_t size) {
    if (prefix.size() < size) {
      throw input_error(file, "ends within its .npy header: expected at least " +
                                  std::to_string(size) + " bytes, got " +
                                  std::to_string(prefix.size()));
    }
  };
  require(kNpyMagic.size() + 2);
  const std::size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0) {
    throw input_error(file, ".npy format version " + std::to_string(major) + "." +
                                std::to_string(byte(7)) +
                                " is unknown; 1.0, 2.0 and 3.0 can be read");
  }
  const std::size_t preamble = major == 1 ? kVersion1Preamble : kVersion2Preamble;
  require(preamble);
  std::size_t length = byte(8) | byte(9) << 8U;
  if (major > 1) length |= byte(10) << 16U | byte(11) << 24U;
  if (length > kMaxNpyHeaderSize) {
    throw input_error(file, "claims a .npy header of " + std::to_string(length) +
                                " bytes; the limit is " + std::to_string(kMaxNpyHeaderSize));
  }
  return preamble + length;
}

ArrayHeader parse_npy_header(std::string_view file, std::span<const std::byte> head) {
  const std::size_t offset =
      npy_data_offset(file, head.first(std::min(head.size(), kNpyPrefixSize)));
  if (head.size() < offset) {
    throw input_error(file, "ends within its .npy header: expected " + std::to_string(offset) +
                                " bytes, got " + std::to_string(head.size()));
  }
  const bool version_1 = std::to_integer<int>(head[6]) == 1;
  const std::size_t preamble = version_1 ? kVersion1Preamble : kVersion2Preamble;
  const std::string_view text(reinterpret_cast<const char*>(head.data()) + preamble,
                              offset - preamble);
  ArrayHeader header = HeaderParser(file, text).parse();
  if (!is_addressable(header.shape, header.dtype)) {
    throw input_error(file, "shape " + shape_text(header.shape) + " is more than 2^63 bytes of " +
                                std::string(name(header.dtype)));
  }
  return header;
}

std::string format_npy_header(const ArrayHeader& header) {
  const bool fortran = canonical_order(header.shape, header.order) == Order::fortran;
  const char prefix = item_size(header.dtype) == 1             ? '|'
                      : header.byte_order == ByteOrder::little ? '<'
                                                               : '>';
  std::string text = std::string("{'descr': '") + prefix + type_code(header.dtype) +
                     "', 'fortran_order': " + (fortran ? "True" : "False") +
                     ", 'shape': " + shape_text(header.shape) + ", }";
  // NumPy leaves room for the growing dimension to become as long as 21 digits.
  constexpr std::size_t kGrowthDigits = 21;
  if (!header.shape.empty()) {
    const std::size_t growing = fortran ? header.shape.back() : header.shape.front();
    text.append(kGrowthDigits - std::to_string(growing).size(), ' ');
  }
  // Another 1 to 64 spaces, never none, and the newline.
  constexpr std::size_t kAlignment = 64;
  text.append(kAlignment - (kVersion1Preamble + text.size() + 1) % kAlignment, ' ');
  text.push_back('\n');
  std::string result(kNpyMagic);
  result.append(
      {'\1', '\0', static_cast<char>(text.size() & 0xFFU), static_cast<char>(text.size() >> 8U)});
  return result + text;
}

}  // namespace bn::io
