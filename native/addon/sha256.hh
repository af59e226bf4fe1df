// SHA-256 (FIPS 180-4), with the processor's own instructions where it has them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace wb {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void update(const void* bytes, size_t size);
  /// The digest of all that was given; the object is used up.
  Digest finish();

 private:
  uint32_t state_[8];
  uint8_t block_[64];
  size_t held_ = 0;
  uint64_t total_ = 0;
};

/// For tests: which compression function runs here, "sha-ni" or "portable".
const char* sha256Kind();
/// For tests: forces the portable function (true) or the best one (false).
void sha256ForcePortable(bool portable);

}  // namespace wb
