#include "io/files/file_kind.hpp"

#include <sys/stat.h>

#include "io/documents/cache.hpp"
#include "io/documents/part.hpp"
#include "io/documents/state.hpp"
#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

FileKind kind_of(const std::string& text) {
  write_file("f", text);
  return file_kind("f").value();
}

std::string state_text() {
  State state;
  state.gamma = {1.0, 2.0};
  spell_out(state);
  return format_state(state);
}

std::string cache_text() {
  Cache cache;
  cache.shape = {2, 1};
  cache.gamma = cache.mean = cache.var = {1.0};
  return format_cache(cache);
}

std::string part_text() {
  bn::Sums sums;
  sums.sum = sums.sum_squares = {bn::Dyadic(0.0)};
  return format_part(sums);
}

}  // namespace

TEST_CASE("What the program writes is told by how it begins") {
  const Directory directory;
  CHECK(kind_of("") == FileKind::empty);
  CHECK(kind_of("\x93NUMPY") == FileKind::array);
  CHECK(kind_of(state_text()) == FileKind::state);
  CHECK(kind_of(cache_text()) == FileKind::cache);
  CHECK(kind_of(part_text()) == FileKind::part);
  CHECK(kind_of("\r\n\t " + part_text()) == FileKind::part);
  CHECK(kind_of("\xEF\xBB\xBF" + state_text()) == FileKind::state);
  CHECK(kind_of("text") == FileKind::other);
  CHECK(kind_of("\n") == FileKind::other);
  CHECK(kind_of("[1, 2]") == FileKind::other);
  CHECK(kind_of("\x93NUMP") == FileKind::other);
}

TEST_CASE("A state is known whichever of its keys it has") {
  const Directory directory;
  for (const std::string_view key : keys_of(FileKind::state)) {
    CAPTURE(key);
    CHECK(kind_of("{\"" + std::string(key) + "\": 1}") == FileKind::state);
  }
  CHECK(kind_of(R"({"mode": "test", "gamma": [1], "eps": 1})") == FileKind::state);
}

TEST_CASE("JSON of other programs is nobody's, though it shares keys with ours") {
  const Directory directory;
  for (const std::string text :
       {"{}", "{", "{\"", "{1}", R"({"mode")", R"({"mode":)", R"({"mode": "train",)",
        R"({"name": "x"})", R"({"mode": "train", "momentum": 0.9, "eps": 1, "lr": 0.1})",
        R"({"channels": 3, "count": 5})", R"({"channels": 3, "count": 5, "name": "rgb"})",
        R"({"mode": 1, "axis": 1, "shape": [1]})", R"({"metadata": {}, "cells": []})",
        R"({"eps": ]})"}) {
    CAPTURE(text);
    CHECK(kind_of(text) == FileKind::json);
  }
}

TEST_CASE("Long values, nested ones and strings in front of the key that tells are passed over") {
  const Directory directory;
  const std::string end = ", \"running_mean\": [";
  for (const std::size_t length : {4070U, 4080U, 4090U, 4096U, 4100U, 65536U, 69632U, 200000U}) {
    CAPTURE(length);
    const std::string digits(length, '1');
    CHECK(kind_of("{\"gamma\": [" + digits + "]" + end) == FileKind::state);
    CHECK(kind_of("{\"metadata\": {\"shape\": \"}\\\"" + digits + "\\\\\", \"a\": [{}]}" + end) ==
          FileKind::state);
    CHECK(kind_of("{\"" + digits + "\": 1" + end) == FileKind::json);
  }
}

TEST_CASE("A document that is cut short is of its kind or of none, but never of another") {
  const Directory directory;
  for (const auto& [text, kind] :
       {std::pair(state_text(), FileKind::state), std::pair(cache_text(), FileKind::cache),
        std::pair(part_text(), FileKind::part)}) {
    for (std::size_t size = 1; size < text.size(); ++size) {
      const FileKind found = kind_of(text.substr(0, size));
      if (found != kind && found != FileKind::json) FAIL("cut at " << size);
    }
  }
}

TEST_CASE("What is no regular file is not looked into") {
  const Directory directory;
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  CHECK_FALSE(file_kind("pipe"));  // and does not wait for somebody who writes to it
  CHECK_FALSE(file_kind("/dev/null"));
  CHECK_FALSE(file_kind("missing"));
  CHECK_FALSE(file_kind("."));
}

TEST_CASE("Only what is not there is no file, and only documents have keys") {
  const Directory directory;
  write_file("f", "");
  CHECK(error_of([] { return file_kind("f/y").has_value(); }) ==
        "system: f/y: cannot open: Not a directory");
  CHECK_THROWS_AS(keys_of(FileKind::array), std::invalid_argument);
}

TEST_CASE("A file that may not be read could be anything") {
  const Directory directory;
  write_file("f", "{}");
  ::chmod("f", 0200);
  ::chmod(".", 0777);
  const std::optional<int> status =
      status_as_nobody([] { ::_exit(file_kind("f") == FileKind::unreadable ? 0 : 97); });
  if (status) CHECK(exited_with(*status, 0));
}

TEST_CASE("JSON replaces nothing but its own kind, arrays everything but JSON") {
  using enum FileKind;
  const std::vector<FileKind> all = {empty, array, state, cache, part, json, other, unreadable};
  const auto replaced_by = [&](FileKind output) {
    std::vector<FileKind> found;
    for (const FileKind kind : all) {
      if (may_replace(output, kind)) found.push_back(kind);
    }
    return found;
  };
  CHECK(replaced_by(state) == std::vector{empty, state});
  CHECK(replaced_by(cache) == std::vector{empty, cache});
  CHECK(replaced_by(part) == std::vector{empty, part});
  CHECK(replaced_by(array) == std::vector{empty, array, other, unreadable});
}

TEST_CASE("Messages say what a file is, as far as that is known") {
  const auto text = [](FileKind found, FileKind expected) {
    return std::string(irreplaceable("f", found, expected).what());
  };
  CHECK(text(FileKind::array, FileKind::state) == "f: is a .npy array, not a state");
  CHECK(text(FileKind::cache, FileKind::part) ==
        "f: is a cache of bn forward, not a part of bn stats");
  CHECK(text(FileKind::json, FileKind::state) == "f: is JSON of another kind, not a state");
  CHECK(text(FileKind::json, FileKind::array) == "f: is JSON, not a .npy array");
  CHECK(text(FileKind::other, FileKind::cache) == "f: is not a cache of bn forward");
  CHECK(text(FileKind::unreadable, FileKind::state) ==
        "f: may not be read, so that nobody can tell whether it is a state");
  CHECK(irreplaceable("f", FileKind::array, FileKind::state).cause() == Cause::already_exists);
  CHECK(wrong_kind("f", FileKind::state, FileKind::cache).cause() == Cause::not_a_cache);
}
