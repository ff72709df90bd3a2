#include "io/arrays/npy.hpp"

#include <fstream>
#include <span>
#include <sstream>

#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// A version 1 file of this header, without data.
std::string file_of(const std::string& header) {
  std::string text("\x93NUMPY\x01\x00", 8);
  text.push_back(static_cast<char>(header.size() & 0xFFU));
  text.push_back(static_cast<char>(header.size() >> 8U));
  return text + header;
}

ArrayHeader parse(const std::string& file) { return parse_npy_header("x.npy", bytes(file)); }

ArrayHeader parse_dict(const std::string& header) { return parse(file_of(header)); }

std::string error_in(const std::string& header) {
  return error_of([&] { return parse_dict(header); });
}

std::string error_in_shape(const std::string& shape) {
  return error_in("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}");
}

std::string error_in_descr(const std::string& descr) {
  return error_in("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2, 3)}");
}

const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}";
const std::string in_header = "input: x.npy: header of the .npy file: ";

}  // namespace

TEST_CASE("Headers have the bytes that numpy.save writes, and are read back") {
  std::ifstream lines(BN_TEST_DATA "/arrays.txt");
  std::string name, dtype, order, shape, hexadecimal;
  std::size_t count = 0;
  while (lines >> name >> dtype >> order >> shape >> hexadecimal) {
    CAPTURE(name, dtype, order, shape);
    std::string file;
    for (std::size_t i = 0; i < hexadecimal.size(); i += 2) {
      file.push_back(static_cast<char>(std::stoi(hexadecimal.substr(i, 2), nullptr, 16)));
    }
    ArrayHeader expected;
    expected.dtype = parse_dtype_name(dtype).value();
    if (name.back() == '>' && item_size(expected.dtype) > 1) expected.byte_order = ByteOrder::big;
    if (shape != "scalar") {
      std::istringstream extents(shape);
      for (std::string extent; std::getline(extents, extent, 'x');) {
        expected.shape.push_back(std::stoul(extent));
      }
    }
    expected.order = canonical_order(expected.shape, order == "F" ? Order::fortran : Order::c);
    REQUIRE(parse_npy_header("x.npy", bytes(file)) == expected);
    const std::size_t offset = npy_data_offset("x.npy", bytes(file));
    CHECK(file.size() == offset + expected.data_bytes());
    if (name.starts_with("v1")) CHECK(format_npy_header(expected) == file.substr(0, offset));
    ++count;
  }
  CHECK(count == 92);
}

TEST_CASE("The dimension that has room to grow is the first one, in Fortran order the last") {
  // As long as those of numpy.lib.format.write_array_header_1_0(), NumPy 1.24.
  const auto size = [](std::size_t first, std::size_t last, Order order) {
    ArrayHeader header;
    header.order = order;
    header.shape.assign(13, 1);
    header.shape.front() = first;
    header.shape.back() = last;
    return format_npy_header(header).size();
  };
  CHECK(size(1000000, 2, Order::c) == 128);
  CHECK(size(2, 1000000, Order::c) == 192);
  CHECK(size(1000000, 2, Order::fortran) == 192);
  CHECK(size(2, 1000000, Order::fortran) == 128);
}

TEST_CASE("Keys may come in any order, in either quotes and in any spacing") {
  const ArrayHeader expected = parse_dict(dictionary);
  CHECK(expected.dtype == Dtype::float32);
  CHECK(expected.shape == std::vector<std::size_t>{2, 3});
  CHECK(parse_dict(R"({"shape":(2,3),"descr":"<f4","fortran_order":False})") == expected);
  CHECK(parse_dict(" {\t'shape' :\n( 2 ,3 , ) ,'fortran_order' : False , 'descr': '<f4', } \n") ==
        expected);
}

TEST_CASE("A header needs no newline and no alignment") {
  for (std::size_t spaces = 0; spaces < 70; ++spaces) {
    CHECK(parse_dict(dictionary + std::string(spaces, ' ')) == parse_dict(dictionary));
  }
}

TEST_CASE("The byte order may be little, big, native or not applicable") {
  const auto parsed = [](const std::string& descr) {
    return parse_dict("{'descr': '" + descr + "', 'fortran_order': True, 'shape': (2, 3)}");
  };
  CHECK(parsed(">f8").byte_order == ByteOrder::big);
  CHECK(parsed("=f8") == parsed("<f8"));
  CHECK(parsed("|f8") == parsed("<f8"));
  CHECK(parsed("f8") == parsed("<f8"));
  CHECK(parsed(">u1") == parsed("|u1"));
  CHECK(parsed("<f8").order == Order::fortran);
}

TEST_CASE("An empty file and a file of another format are no arrays") {
  const auto error = [](const std::string& file) { return error_of([&] { return parse(file); }); };
  CHECK(error("") == "input: x.npy: is empty, but has to be a .npy array");
  CHECK(error("PK\x03\x04") ==
        "input: x.npy: is not a .npy file: it does not begin with \\x93NUMPY");
}

TEST_CASE("A valid file cut at every byte of its header is an error") {
  const std::string file = file_of(dictionary);
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of([&] { return parse(file.substr(0, size)); }).starts_with("input: x.npy: "));
  }
  CHECK(error_of([&] { return parse(file.substr(0, 9)); }) ==
        "input: x.npy: ends within its .npy header: expected at least 10 bytes, got 9");
  CHECK(error_of([&] { return parse(file.substr(0, 30)); }) ==
        "input: x.npy: ends within its .npy header: expected 67 bytes, got 30");
}

TEST_CASE("Versions other than 1.0, 2.0 and 3.0 are unknown") {
  for (const auto& version : {"00", "11", "22", "40", "\xff\xff"}) {
    std::string file = file_of(dictionary);
    file[6] = version[0] == '\xff' ? version[0] : static_cast<char>(version[0] - '0');
    file[7] = version[1] == '\xff' ? version[1] : static_cast<char>(version[1] - '0');
    CHECK(error_of([&] {
            return parse(file);
          }).ends_with("is unknown; 1.0, 2.0 and 3.0 can be read"));
  }
}

TEST_CASE("A header beyond 64 KiB is refused from its first bytes") {
  const std::string file("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12);
  CHECK(error_of([&] { return npy_data_offset("x.npy", bytes(file)); }) ==
        "input: x.npy: claims a .npy header of 4294967295 bytes; the limit is 65536");
}

TEST_CASE("A header of 64 KiB is read, whatever the version") {
  const auto error = [](char version, std::size_t size) {
    std::string file = std::string("\x93NUMPY") + version + '\0';
    for (unsigned shift = 0; shift < (version == 1 ? 16U : 32U); shift += 8) {
      file.push_back(static_cast<char>(size >> shift & 0xFFU));
    }
    return error_of(
        [&] { return parse(file + dictionary + std::string(size - dictionary.size(), ' ')); });
  };
  CHECK(error(1, 65535) == "nothing");
  for (const char version : {'\2', '\3'}) {
    CHECK(error(version, 65535) == "nothing");
    CHECK(error(version, 65536) == "nothing");
    CHECK(error(version, 65537) ==
          "input: x.npy: claims a .npy header of 65537 bytes; the limit is 65536");
  }
}

TEST_CASE("What stands before the header is 10 bytes in version 1, 12 in versions 2 and 3") {
  const auto offset = [](const std::string& prefix) {
    std::string result;
    const std::string error =
        error_of([&] { return result = std::to_string(npy_data_offset("x.npy", bytes(prefix))); });
    return error == "nothing" ? result : error;
  };
  const auto ends = [](const std::string& sizes) {
    return "input: x.npy: ends within its .npy header: expected at least " + sizes;
  };
  const std::string magic = "\x93NUMPY";
  CHECK(offset(magic) == ends("8 bytes, got 6"));
  CHECK(offset(magic + "\1") == ends("8 bytes, got 7"));
  const auto preamble = [&](char version, std::size_t size) {
    return (magic + version + std::string(1, '\0') + "\x34\x12" + std::string(2, '\0'))
        .substr(0, size);
  };
  CHECK(offset(preamble(1, 8)) == ends("10 bytes, got 8"));
  CHECK(offset(preamble(1, 9)) == ends("10 bytes, got 9"));
  CHECK(offset(preamble(1, 10)) == std::to_string(10 + 0x1234));
  for (const char version : {'\2', '\3'}) {
    CHECK(offset(preamble(version, 10)) == ends("12 bytes, got 10"));
    CHECK(offset(preamble(version, 11)) == ends("12 bytes, got 11"));
    CHECK(offset(preamble(version, 12)) == std::to_string(12 + 0x1234));
  }
}

TEST_CASE("A header of 0 or 1 bytes has no dictionary") {
  CHECK(error_in("") == in_header + "expected '{' at its beginning, but it ends");
  CHECK(error_in("x") == in_header + "expected '{' at its beginning, but found x");
}

TEST_CASE("Control characters in a header are an error") {
  CHECK(error_in(dictionary + std::string(1, '\0')) == in_header + "control character \\x00");
  CHECK(error_in("\x1b" + dictionary) == in_header + "control character \\x1b");
  CHECK(error_in("\x1f" + dictionary) == in_header + "control character \\x1f");
  CHECK(error_in("\x7f" + dictionary) == in_header + "control character \\x7f");
  CHECK(error_in("\x7e" + dictionary).starts_with(in_header + "expected '{' at its beginning"));
  CHECK(error_in(" \t\n" + dictionary) == "nothing");
}

TEST_CASE("Every key has to be there, once, and no other") {
  CHECK(error_in("{'descr': '<f4', 'shape': (2, 3)}") ==
        in_header + "key 'fortran_order' is missing");
  CHECK(error_in("{'fortran_order': True, 'shape': (2, 3)}") ==
        in_header + "key 'descr' is missing");
  CHECK(error_in("{'fortran_order': True, 'descr': '<f4'}") ==
        in_header + "key 'shape' is missing");
  CHECK(error_in("{'descr': '<f4', 'descr': '<f4'}") == in_header + "key 'descr' is given twice");
  CHECK(error_in("{'dtype': '<f4'}") ==
        in_header + "unknown key 'dtype'; there are only 'descr', 'fortran_order' and 'shape'");
}

TEST_CASE("The dictionary has to be well formed") {
  CHECK(error_in(dictionary + "x") == in_header + "text after the closing brace: x");
  CHECK(error_in("{'descr' '<f4'}") ==
        in_header + "expected ':' after key 'descr', but found '<f4'}");
  CHECK(error_in("{'descr': '<f4' 'shape'}") ==
        in_header + "expected '}' after a value, but found 'shape'}");
  CHECK(error_in("{descr: '<f4'}") == in_header + "expected a key in quotes, found descr: '<f4'}");
  CHECK(error_in("{'descr") == in_header + "a string does not end: 'descr");
  CHECK(error_in(R"({'de\x73cr': 1})") == in_header + R"(an escape in a string: 'de\x73cr': 1})");
  CHECK(error_in("{'fortran_order': 0}") ==
        in_header + "fortran_order is 0, but has to be True or False");
}

TEST_CASE("The shape has to be a tuple") {
  const std::string message = in_header + "shape has to be a tuple like (2, 3), found ";
  CHECK(error_in_shape("[2, 3]") == message + "[2, 3]}");
  CHECK(error_in_shape("6") == message + "6}");
  CHECK(error_in_shape("(6)") == message + "(n)");
  CHECK(error_in_shape("(2 3)") == in_header + "expected ',' in the shape, but found 3)}");
}

TEST_CASE("A dimension has to be a decimal integer") {
  const std::string message =
      in_header + "a dimension of the shape has to be a decimal integer >= 0, found ";
  for (const std::string dimension :
       {"-1", "+1", "True", "1.0", "0x10", "1e3", "010", "1_000", "None"}) {
    CHECK(error_in_shape("(2, " + dimension + ")") == message + dimension);
  }
  CHECK(error_in_shape("(,)") == message + ",)}");
  CHECK(error_in_shape("(2,,3)") == message + ",3)}");
}

TEST_CASE("A shape that nothing can hold is an error before anything is allocated") {
  const std::string too_large = in_header +
                                "dimension 9223372036854775808 of the shape is 2^63 or "
                                "more";
  CHECK(error_in_shape("(2, 9223372036854775808)") == too_large);
  CHECK(error_in_shape("(2, 99999999999999999999999)")
            .ends_with("99999999999999999999999 of the shape is 2^63 or more"));
  // Products that wrap to 0, items that wrap with their size, zeros that would hide it, 8 EiB.
  for (const std::string shape :
       {"(4294967296, 4294967296)", "(4611686018427387904, 2)", "(1099511627776, 0, 1099511627776)",
        "(1073741824, 2147483648)"}) {
    CHECK(error_in_shape(shape) ==
          "input: x.npy: shape " + shape + " is more than 2^63 bytes of float32");
  }
  CHECK(error_in_shape("(2, 9223372036854775807)") ==
        "input: x.npy: shape (2, 9223372036854775807) is more than 2^63 bytes of float32");
}

TEST_CASE("An array has up to 64 dimensions") {
  const auto error = [](int rank) {
    std::string shape = "(";
    for (int i = 0; i < rank; ++i) shape += "1,";
    return error_in_shape(shape + ")");
  };
  CHECK(error(63) == "nothing");
  CHECK(error(64) == "nothing");
  CHECK(error(65) == in_header + "the shape has more than 64 dimensions");
}

TEST_CASE("Every spelling of bool is read, and written as NumPy does") {
  for (const std::string descr : {"'|b1'", "'?'", "'|?'", "'b1'"}) {
    CHECK(parse_dict("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2, 3)}").dtype ==
          Dtype::boolean);
  }
  ArrayHeader header;
  header.dtype = Dtype::boolean;
  header.shape = {2, 3};
  CHECK(format_npy_header(header).find("'descr': '|b1'") != std::string::npos);
}

TEST_CASE("A structured dtype is shown alone, with a field to take") {
  const auto named = [](const std::string& descr, const std::string& field) {
    CHECK(error_in_descr(descr) == "input: x.npy: dtype " + descr +
                                       " (structured) cannot be normalised; float16, float32, "
                                       "float64, bool and the integers of 1 "
                                       "to 8 bytes can, for instance one field of it" +
                                       field);
  };
  named("[('a', '<f4')]", ", x['a']");
  named("[('a]', '<f4'), (\"b\", '<i4', (2,))]", ", x['a]']");
  named("[]", "");
  CHECK(error_in_descr("[('a', '<f4'") == in_header + "the dtype does not end");
  const std::string many =
      error_in_descr("[" + std::string(40, ' ') + "('a', '<f4'), ('b', '<f4')]");
  CHECK(many.find("... (structured)") != std::string::npos);
}

TEST_CASE("Dtypes that cannot be normalised are named") {
  const std::string others =
      " cannot be normalised; float16, float32, float64, bool and the integers of 1 to 8 bytes "
      "can, for "
      "instance ";
  const auto named = [&](const std::string& descr, const std::string& type,
                         const std::string& way_out) {
    CHECK(error_in_descr(descr) ==
          "input: x.npy: dtype " + descr + " (" + type + ")" + others + way_out);
  };
  const std::string numbers = "x.astype('float64') where every element is a number";
  named("'<c8'", "complex64", "x.real and x.imag");
  named("'>c16'", "complex128", "x.real and x.imag");
  named("'<c32'", "complex long double", "x.real.astype('float64') and x.imag.astype('float64')");
  named("'<c24'", "complex long double", "x.real.astype('float64') and x.imag.astype('float64')");
  named("'<f16'", "long double", "x.astype('float64')");
  named("'<f12'", "long double", "x.astype('float64')");
  named("'<M8[ns]'", "datetime64", "x.astype('int64')");
  named("'<m8[s]'", "timedelta64", "x.astype('int64')");
  named("'|S5'", "bytes", numbers);
  named("'|a5'", "bytes", numbers);
  named("'<U7'", "str", numbers);
  named("'|O'", "object", numbers);
  named("'|V12'", "void",
        "x.astype('float32') of the array before it is saved, if that is bfloat16");
  const std::string remedy = others + "x.astype('float32')";
  for (const std::string descr : {"'<f'", "'<f4x'", "'<f99999999999'", "''", "'<'", "'<i3'"}) {
    CHECK(error_in_descr(descr) == "input: x.npy: dtype " + descr + remedy);
  }
}
