// 128-bit integers of the compiler, without -Wpedantic's complaint.
#pragma once

namespace bn {
__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;
}  // namespace bn
