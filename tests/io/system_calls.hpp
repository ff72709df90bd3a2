// What stands between the I/O layer and the C library in its tests, so that a test can have any
// system and see what is asked of it. The linker puts it there: see CMakeLists.txt. As long as
// nothing is set here, every function does what the C library's does.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace bn::io::test {

/// As many bytes as pread() and pwrite() move at a time.
inline std::size_t at_most = std::numeric_limits<std::size_t>::max();

/// What every pread() does first; may be empty.
inline std::function<void()> before_pread;

/// While true, files without a name cannot be made: as on file systems that do not have them.
inline bool without_unnamed_files = false;

/// Which of the ways to name a file without a name fail as they do for ordinary users before Linux
/// 6.10 (by its descriptor), and where there is no /proc.
inline bool no_name_by_descriptor = false;
inline bool no_name_by_proc = false;

/// What these fail with, unless 0; flock() once.
inline int error_of_fallocate = 0;
inline int error_of_flock = 0;
inline int error_of_getrandom = 0;
inline int error_of_renameat2 = 0;

/// While positive, getrandom() counts it down and gives bytes of that value.
inline int predictable = 0;

/// What flock() and renameat() do first, once; may be empty.
inline std::function<void()> at_flock;
inline std::function<void()> at_rename;

/// What fsync() and renameat() have been asked to do, in order.
inline std::vector<std::string> calls;

}  // namespace bn::io::test
