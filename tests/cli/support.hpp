// What the tests of the command line's parts share: errors and standard error as text.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/error.hpp"
#include "io/arrays/npy.hpp"

namespace bn::cli::test {

/// "usage: MESSAGE" of the UsageError that `call` throws, "file: MESSAGE" of another error;
/// "nothing" where it throws none.
template <class Call>
std::string error_of(Call call) {
  try {
    static_cast<void>(call());
  } catch (const UsageError& error) {
    return std::string("usage: ") + error.what();
  } catch (const io::Error& error) {
    return std::string("file: ") + error.what();
  }
  return "nothing";
}

/// The .npy file of an array of uint8 that has this value everywhere.
inline std::string constant_npy(const std::vector<std::size_t>& shape, char value = '\0',
                                Order order = Order::c) {
  const io::ArrayHeader header{Dtype::uint8, io::ByteOrder::little, order, shape};
  return io::format_npy_header(header) + std::string(header.data_bytes(), value);
}

/// What `call` writes to standard error.
template <class Call>
std::string stderr_of(Call call) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stderr);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(::fileno(file), STDERR_FILENO);
  call();
  std::fflush(stderr);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace bn::cli::test
