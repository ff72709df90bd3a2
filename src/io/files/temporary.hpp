// Temporary files, and what must happen to them and to signals whatever becomes of the process.
#pragma once

#include <sys/types.h>

#include <string>

#include "io/files/descriptor.hpp"

namespace bn::io {

/// To call first in main. Closed standard descriptors are filled with one that can neither be read
/// nor written, so that no file opened later becomes standard output; a file size limit becomes an
/// error instead of SIGXFSZ; signals remove all Temporary files as catch_ending_signals() says.
void prepare_process();

/// A file that is removed when this object is destroyed or a signal ends the process, unless it has
/// been renamed before. Where the file system can, it has no name until then, so that not even
/// SIGKILL leaves it behind; elsewhere an unpredictable one, ".bn-...". At most 16 at a time.
class Temporary {
 public:
  /// Creates it in a directory (a descriptor that must outlive this object), never following a
  /// link. `file` is what messages are about. Throws Error (system).
  Temporary(int directory, mode_t mode, const std::string& file);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  [[nodiscard]] int fd() const { return file_.get(); }
  /// What close() would say of everything that was written: 0 or the error number.
  [[nodiscard]] int flush() const;
  [[nodiscard]] bool has_name() const;
  /// Gives the file an unpredictable name, if it has none: what in renaming it can fail for want of
  /// room. Returns 0 or the error number.
  [[nodiscard]] int take_name();
  /// Gives the file its final name in the same directory; returns 0 or the error number. Without
  /// `replace`, EEXIST where that name is taken.
  [[nodiscard]] int rename_to(const std::string& name, bool replace = true);

 private:
  template <class Make>
  [[nodiscard]] int make_named(Make make);
  void forget();

  int directory_;
  std::size_t slot_;
  Descriptor file_;
};

/// $TMPDIR, or /tmp where that is not set.
[[nodiscard]] std::string temporary_directory();

/// A file without a name in temporary_directory(), gone when it is closed. Throws Error (system).
[[nodiscard]] Descriptor open_unnamed_file();

}  // namespace bn::io
