// Source files of a layer: their bytes into memory, with proof that their size is the one that the tar header told.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "fd.hh"

namespace wb {

/// A file that several pieces are read from, perhaps by several threads; opened when the first piece is wanted.
class SourceFile {
 public:
  SourceFile(std::string path, uint64_t size) : path_(std::move(path)), size_(size) {}

  /// Reads the piece. Throws LAYER_CHANGED when the file is shorter, or, at its last piece, longer than it was.
  void read(uint64_t offset, uint8_t* to, size_t size);

 private:
  int descriptor();
  bool isHole(int fd, uint64_t offset, size_t size) const;

  const std::string path_;
  const uint64_t size_;
  std::mutex mutex_;
  Fd fd_;
};

}  // namespace wb
