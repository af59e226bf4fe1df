// DigestStream: bytes that arrive piece by piece, hashed on a thread of its own and, where a file is given, written on another.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "failure.hh"
#include "sha256.hh"

namespace wb {

struct DigestOptions {
  int fd = -1;      // of the file to write; -1: the bytes are only hashed
  uint64_t at = 0;  // where in the file they go; what stands before that is hashed first
};

class DigestStream {
 public:
  /// `notify` is called when bytes are wanted again after `push` said that enough are waiting.
  DigestStream(DigestOptions options, std::function<void()> notify);
  /// The thread's work, until `finish`: the digest of all bytes. A file that is too short before `at` is hashed as it is.
  Digest run();
  /// Takes a copy; never blocks. False: enough are waiting, so the next ones come after `notify`.
  bool push(const uint8_t* bytes, size_t size);
  /// No more bytes come; those that came are still hashed and written. A second call does nothing.
  void finish();

 private:
  using Piece = std::vector<uint8_t>;
  Piece empty();
  void hash();
  void hashBefore();
  bool take(Piece& piece);
  bool pass(Piece& piece);
  void write();
  void writePiece(const Piece& piece);
  void fail(const Failure& failure);

  const DigestOptions options_;
  const std::function<void()> notify_;
  Sha256 hash_;
  uint64_t place_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Piece filling_;
  std::deque<Piece> full_, hashed_;
  std::vector<Piece> spare_;
  bool ended_ = false, allHashed_ = false, wanted_ = false;
  std::unique_ptr<Failure> failure_;
};

void exportDigestStream(Napi::Env env, Napi::Object exports);

}  // namespace wb
