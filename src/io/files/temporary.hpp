// Temporary files, and what must happen to them and to signals whatever becomes of the process.
#pragma once

#include <sys/types.h>

#include <string>

#include "io/files/descriptor.hpp"

namespace bn::io {

/// To call first in main. Closed standard descriptors are filled with one that can neither be read
/// nor written, so that no file opened later becomes standard output; a file size limit becomes an
/// error instead of SIGXFSZ; SIGINT, SIGTERM, SIGHUP and SIGPIPE remove all Temporary files and
/// then end the process by that signal, unless they are ignored already (nohup).
void prepare_process();

/// A file under an unpredictable name that is removed when this object is destroyed or one of the
/// signals above arrives, unless it has been renamed before. At most 16 at a time.
class Temporary {
 public:
  /// Creates it in a directory (a descriptor that must outlive this object), never following a
  /// link. `file` is what messages are about. Throws Error (system).
  Temporary(int directory, mode_t mode, const std::string& file);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  [[nodiscard]] int fd() const { return file_.get(); }
  /// Closes the file; returns 0 or the error number.
  [[nodiscard]] int close() { return file_.close(); }
  /// Gives the file its final name in the same directory; returns 0 or the error number. Without
  /// `replace`, EEXIST where that name is taken.
  [[nodiscard]] int rename_to(const std::string& name, bool replace = true);

 private:
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
