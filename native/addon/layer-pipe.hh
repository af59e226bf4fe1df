// LayerPipe: changes in, a finished layer blob out, in one pass: read → tar → hash → compress → hash → file.
// A planner lays the tar out in chunks of 1 MiB; fillers read the files into them and compress them, several chunks at a
// time; then two threads go over the chunks in order: one hashes the tar (diffID), the other hashes the blob and writes it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "codec.hh"
#include "fd.hh"
#include "growing.hh"
#include "record.hh"
#include "source-file.hh"

namespace wb {

struct LayerOptions {
  std::string path;  // of the file to write, which must not be a link
  Compression compression = Compression::None;
  int level = 0;
  bool fileDigests = false;
  std::optional<int64_t> clampSeconds;  // SOURCE_DATE_EPOCH
};

struct LayerResult {
  Digest diffId{}, digest{};
  uint64_t size = 0, uncompressedSize = 0;
  Growing index;  // with its head
};

struct PipeMessage {
  enum Kind : uint8_t { Records, Data, EndOfData, Finish, Abort } kind;
  std::string bytes;
};

class LayerPipe {
 public:
  /// `notify` is called from several threads whenever numbers below change.
  LayerPipe(LayerOptions options, std::function<void()> notify);
  ~LayerPipe();

  /// Runs until the layer is written; on the caller's thread. Throws what went wrong first.
  LayerResult run();
  /// From any thread. Gives how many messages wait.
  size_t push(PipeMessage message);
  size_t queued() const;

  std::atomic<uint64_t> tarBytes{0};   // laid out, filled and hashed
  std::atomic<uint64_t> blobBytes{0};  // safely in the file

 private:
  struct Fill {
    std::shared_ptr<SourceFile> file;
    uint64_t offset;
    size_t at, size;
    Digest* digest;  // set when the whole file is in this piece and its digest is wanted
  };
  struct Span {  // a piece of a file that has pieces in several chunks
    size_t at, size;
    std::shared_ptr<Sha256> hash;
    Digest* digest;  // set at the last piece
  };
  struct Chunk;
  using ChunkRef = std::shared_ptr<Chunk>;

  void plan();
  void planRecords(std::string_view bytes);
  void planRecord(Record& record);
  /// Gives the offset of the record's digest within the index when it has one.
  size_t noteRecord(const Record& record);
  void planFile(const Record& record, Digest* digest);
  void planStream(const Record& record, Digest* digest);
  void append(const void* bytes, size_t size);
  uint8_t* room(size_t& size);
  void seal();
  PipeMessage next();
  void fill();
  void hash();
  void write();
  /// The chunk with this number once it is ready; null when it will never be.
  ChunkRef ready(size_t number);
  void release(bool& mine);
  void fail(const Failure& failure);
  void guarded(void (LayerPipe::*work)());

  LayerOptions options_;
  std::function<void()> notify_;
  Fd out_;
  unsigned threads_;
  size_t maxChunks_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PipeMessage> inbox_;
  std::deque<ChunkRef> chunks_;  // those not yet done with, in order
  size_t firstChunk_ = 0;        // number of chunks_.front()
  size_t nextFill_ = 0;          // number of the next chunk that nobody fills
  bool planned_ = false;         // no more chunks will come
  std::unique_ptr<Failure> failure_;
  std::vector<std::unique_ptr<uint8_t[]>> spare_;

  ChunkRef current_;
  std::deque<Digest> digests_;                       // stable addresses
  std::vector<std::pair<size_t, Digest*>> patches_;  // where in the index they belong
  LayerResult result_;
  std::string encoded_;
};

}  // namespace wb
