// A record as the blocks that stand before its content in a tar: ustar (POSIX.1-1988) where that is enough,
// with a PAX header (POSIX.1-2001) in front where it is not. Deterministic: no user names, sorted PAX records.
#pragma once
#include <string>

#include "record.hh"

namespace wb {

constexpr size_t kBlock = 512;

/// Appends the header blocks. Throws LAYER_PAX for PAX records that may not be written, LAYER_DEVICE for numbers too big.
void appendTarHeader(const Record& record, std::string& out);

/// `seconds[.fraction]`, zeros at its end cut.
std::string paxTime(const Time& time);

inline size_t padding(uint64_t size) { return size_t((kBlock - size % kBlock) % kBlock); }

}  // namespace wb
