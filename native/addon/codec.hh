// Compression and decompression of layers: zstd, gzip and none behind one face.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace wb {

enum class Compression : uint8_t { None, Gzip, Zstd };

/// Makes whole gzip members or zstd frames; one object a thread. Members (RFC 1952, 2.2) and frames (RFC 8878, 3) after
/// each other are one file again. So blocks are packed side by side, and the bytes never depend on how many threads do it.
class Packer {
 public:
  virtual ~Packer() = default;
  virtual std::string pack(const uint8_t* bytes, size_t size) = 0;
};

/// Null for None. Throws LAYER_COMPRESSION for a level that there is not.
std::unique_ptr<Packer> makePacker(Compression compression, int level);

}  // namespace wb
