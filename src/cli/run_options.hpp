// How to run and what to say: nothing here changes a result.
#pragma once

namespace bn::cli {

struct RunOptions {
  unsigned threads = 0;      ///< 0: every core that the process may use
  double lock_timeout = 60;  ///< seconds to wait for another process's update of the state
  bool fsync = false;        ///< outputs reach the disk before bn ends
  bool force = false;        ///< outputs replace files of any kind
  bool progress = true;      ///< a line on stderr, on a terminal only
  bool verbose = false;
  bool quiet = false;  ///< no warnings
};

}  // namespace bn::cli
