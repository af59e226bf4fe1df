// Record: one change of a layer as bytes, the common tongue of TypeScript and C++ (docs/formats/layer.md, "Records").
// Little endian; every length is checked against the record's end before it is used.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sha256.hh"

namespace wb {

enum class Kind : uint8_t { Set = 1, Delete = 2, Clear = 3 };
enum class Type : uint8_t { File, Directory, Symlink, Hardlink, Fifo, Character, Block };
enum class ContentKind : uint8_t { None, File, Bytes, Stream };

constexpr uint16_t kHasTarget = 1, kHasDevice = 2, kHasPax = 4, kHasDigest = 8, kHasContent = 16, kHasStat = 32;
constexpr size_t kRecordHead = 48;
/// What stands before the records of an index (layer-index.ts): magic, version.
constexpr std::string_view kIndexHead("WBLI\1\0\0\0", 8);
constexpr size_t kMaxRecord = 64u << 20;

struct Time {
  int64_t seconds = 0;
  uint32_t nanos = 0;  // 0 … 999999999, always added
};

using Pax = std::vector<std::pair<std::string, std::string>>;

/// What lstat tells besides: only in walks.
struct Inode {
  uint64_t ino = 0;
  Time ctime;
  uint32_t nlink = 0;
  uint64_t dev = 0;
};

struct Record {
  Kind kind = Kind::Set;
  Type type = Type::File;
  uint16_t flags = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  Time mtime;
  uint64_t size = 0;
  std::string path, target;
  uint32_t major = 0, minor = 0;
  Pax pax;
  Digest digest{};
  ContentKind content = ContentKind::None;
  std::string contentBytes;  // a path, or the bytes themselves
  Inode inode;
};

/// Appends the record. Gives the offset of its digest within `out` when the record has one, else 0.
size_t encodeRecord(const Record& record, std::string& out);

/// Reads one record and moves `bytes` past it. Throws LAYER_RECORD.
Record decodeRecord(std::string_view& bytes);

}  // namespace wb
