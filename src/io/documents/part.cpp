#include "io/documents/part.hpp"

#include <cstdint>
#include <string_view>

#include "io/documents/batch_statistics.hpp"
#include "io/documents/fields.hpp"
#include "io/documents/json.hpp"
#include "io/documents/json_text.hpp"
#include "io/error.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

std::string format_part(const Sums& sums) {
  const Statistics exact = sums.count == 0 ? Statistics() : statistics(sums);
  json::Members members = {{"channels", std::to_string(sums.sum.size())}};
  append_batch_statistics(members, sums, exact.mean, exact.var);
  return json::object_text(members);
}

Sums parse_part(std::string_view text, std::string_view file) {
  const json::Document document(text, file);
  require_kind(document, FileKind::part, file);
  const std::uint64_t channels = document.field("channels").unsigned_integer("an integer >= 0");
  return read_batch_statistics(document, file, channels).sums;
}

Sums read_part(const std::string& path) {
  const InputFile file = open_input(path);
  return naming_memory_for(file.name, "its values",
                           [&] { return parse_part(read_text(file, FileKind::part), file.name); });
}

}  // namespace bn::io
