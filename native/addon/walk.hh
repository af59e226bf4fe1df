// Walk: lstat of everything below a folder as records, parents first, siblings in byte order of their names.
#pragma once
#include <string>

#include "record.hh"

namespace wb {

struct WalkOptions {
  bool deep = true;     // else only direct children
  bool xattrs = false;  // as SCHILY.xattr.* in each record's pax
  bool self = false;    // the folder itself comes first, with the path ""
};

struct WalkResult {
  std::string records;
  uint64_t count = 0;
  Digest stamp{};  // over everything but device numbers: equal stamps, equal trees
};

/// What vanishes while walking is left out. Throws LAYER_IO for what cannot be read.
WalkResult walk(const std::string& root, const WalkOptions& options);

/// Extended attributes of what an O_PATH or other descriptor plus name denotes, links not followed, sorted by name.
Pax readXattrs(int dir, const char* name, const std::string& shown);

Type typeOfMode(uint32_t mode, bool& known);

}  // namespace wb
