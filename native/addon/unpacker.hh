// Unpacker: a layer's bytes → decompressed → hashed (diffID) and taken apart at the same time → a folder and an index.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "extractor.hh"

namespace wb {

struct UnpackOptions {
  ExtractOptions extract;
  std::string path;  // of the file to read; when empty, bytes are pushed
  uint64_t maxBytes = 0, maxEntries = 0, maxExtraBytes = 0;
  uint32_t maxRatio = 0;
  bool stripAbsolute = false;
};

struct UnpackResult {
  Digest diffId{};
  uint64_t uncompressedSize = 0;
  std::string index;  // with its head
};

/// A queue between two threads that holds so many pieces at most.
class Pieces {
 public:
  explicit Pieces(size_t limit) : limit_(limit) {}
  /// False when the other side has given up.
  bool put(std::shared_ptr<const std::string> piece);
  /// Null at the end. Throws what `end` was given.
  std::shared_ptr<const std::string> take();
  void end(std::unique_ptr<Failure> failure = nullptr);
  void giveUp();
  size_t size() const;

 private:
  const size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const std::string>> queue_;
  bool ended_ = false, unwanted_ = false;
  std::unique_ptr<Failure> failure_;
};

class Unpacker {
 public:
  /// `notify` is called when pushed bytes have been used.
  Unpacker(UnpackOptions options, std::function<void()> notify);
  UnpackResult run();
  /// Pushed bytes; gives how many pieces wait. Never blocks.
  size_t push(std::string bytes);
  void finish();
  void abort();
  size_t queued() const { return pushed_.size(); }

 private:
  void source();
  void readFile(const std::function<void(const std::string&)>& use);
  void plain(const uint8_t* bytes, size_t size);
  void flush();

  UnpackOptions options_;
  std::function<void()> notify_;
  Pieces pushed_, forHash_, forTar_;
  std::string gathered_;
  uint64_t in_ = 0, out_ = 0;
};

}  // namespace wb
