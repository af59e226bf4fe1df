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
  /// As push, without a copy: the bytes must stay as they are until `returned` has their owner, which is any name for them.
  bool lend(const uint8_t* bytes, size_t size, void* owner);
  /// Owners of lent bytes that nobody reads any more, each once. All of them after `run`.
  std::vector<void*> returned();
  /// No more bytes come; those that came are still hashed and written. A second call does nothing.
  void finish();

 private:
  /// Bytes of our own, or lent ones.
  struct Piece {
    std::vector<uint8_t> own;
    const uint8_t* lent = nullptr;
    size_t lentSize = 0;
    void* owner = nullptr;
    const uint8_t* data() const { return owner ? lent : own.data(); }
    size_t size() const { return owner ? lentSize : own.size(); }
  };
  Piece empty();
  void reuse(Piece&& piece);
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
  /// The hashing thread waits for pieces, and for room for those that it has hashed; the writing one waits for these.
  std::condition_variable toHash_, room_, toWrite_;
  Piece filling_;
  std::deque<Piece> full_, hashed_;
  std::vector<Piece> spare_;
  std::vector<void*> returned_;
  bool ended_ = false, allHashed_ = false, wanted_ = false;
  std::unique_ptr<Failure> failure_;
};

void exportDigestStream(Napi::Env env, Napi::Object exports);

}  // namespace wb
