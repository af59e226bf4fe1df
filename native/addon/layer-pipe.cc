// The pipe's threads. Everything between them goes through one mutex; a chunk's bytes belong to one thread at a time.
#include "layer-pipe.hh"

#include <algorithm>

#include "tar-header.hh"

namespace wb {
namespace {

constexpr size_t kChunk = 1 << 20;  // also what becomes one gzip member or zstd frame: changing it changes every layer's bytes
constexpr size_t kEndOfTar = 2 * kBlock;

}  // namespace

struct LayerPipe::Chunk {
  std::unique_ptr<uint8_t[]> bytes;
  size_t size = 0;
  std::vector<Fill> fills;
  std::vector<Span> spans;
  std::string packed;  // the finished member or frame
  bool isReady = false, hashed = false, written = false;
};

LayerPipe::LayerPipe(LayerOptions options, std::function<void()> notify)
    : options_(std::move(options)),
      notify_(std::move(notify)),
      threads_(std::clamp(std::thread::hardware_concurrency(), 1u, 8u)),
      maxChunks_(4 + 2 * threads_) {
  result_.index.append(kIndexHead);
  out_ = Fd(open(options_.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out_.ok()) failSystem("write", options_.path);
}

LayerPipe::~LayerPipe() = default;

LayerResult LayerPipe::run() {
  std::vector<std::thread> threads;
  threads.emplace_back([this] { guarded(&LayerPipe::hash); });
  threads.emplace_back([this] { guarded(&LayerPipe::write); });
  for (unsigned i = 0; i < std::max(2u, threads_); i++) threads.emplace_back([this] { guarded(&LayerPipe::fill); });
  guarded(&LayerPipe::plan);
  for (std::thread& thread : threads) thread.join();
  if (failure_) throw *failure_;
  for (const auto& [at, digest] : patches_) std::memcpy(result_.index.data() + at, digest->data(), digest->size());
  return std::move(result_);
}

void LayerPipe::guarded(void (LayerPipe::*work)()) {
  try {
    (this->*work)();
  } catch (const Failure& failure) {
    fail(failure);
  } catch (const std::exception& error) {
    fail(Failure("LAYER_IO", std::string("writing a layer failed: ") + error.what()));
  }
}

void LayerPipe::fail(const Failure& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::make_unique<Failure>(failure);
  }
  changed_.notify_all();
  notify_();
}

size_t LayerPipe::push(PipeMessage message) {
  size_t waiting;
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(message));
    waiting = inbox_.size();
  }
  changed_.notify_all();
  return waiting;
}

size_t LayerPipe::queued() const {
  const std::lock_guard lock(mutex_);
  return failure_ ? 0 : inbox_.size();
}

PipeMessage LayerPipe::next() {
  PipeMessage message;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !inbox_.empty() || failure_; });
    if (failure_) throw *failure_;
    message = std::move(inbox_.front());
    inbox_.pop_front();
  }
  notify_();
  if (message.kind == PipeMessage::Abort) throw Failure("LAYER_ABORTED", "writing the layer was given up");
  return message;
}

// --- planner

void LayerPipe::plan() {
  for (;;) {
    const PipeMessage message = next();
    if (message.kind == PipeMessage::Finish) break;
    if (message.kind != PipeMessage::Records) throw Failure("LAYER_RECORD", "content came that no record announced");
    planRecords(message.bytes);
  }
  static const uint8_t zeros[kEndOfTar] = {};
  append(zeros, sizeof zeros);
  seal();
  {
    const std::lock_guard lock(mutex_);
    planned_ = true;
  }
  changed_.notify_all();
}

void LayerPipe::planRecords(std::string_view bytes) {
  while (!bytes.empty()) {
    Record record = decodeRecord(bytes);
    planRecord(record);
  }
}

/// Whiteouts are empty files beside what they hide (OCI image layer, "Whiteouts").
static Record whiteout(const Record& record) {
  Record out;
  const size_t slash = record.path.rfind('/');
  if (record.kind == Kind::Clear) {
    out.path = (record.path.empty() ? "" : record.path + "/") + ".wh..wh..opq";
  } else {
    const size_t name = slash == std::string::npos ? 0 : slash + 1;
    out.path = record.path.substr(0, name) + ".wh." + record.path.substr(name);
  }
  return out;
}

void LayerPipe::planRecord(Record& record) {
  std::string header;
  if (record.kind != Kind::Set) {
    appendTarHeader(whiteout(record), header);
    append(header.data(), header.size());
    noteRecord(record);
    return;
  }
  const auto& clamp = options_.clampSeconds;
  if (clamp && (record.mtime.seconds > *clamp || (record.mtime.seconds == *clamp && record.mtime.nanos > 0))) {
    record.mtime = {*clamp, 0};
  }
  if (record.type != Type::File) record.size = 0;
  appendTarHeader(record, header);
  append(header.data(), header.size());

  const bool isFile = record.type == Type::File;
  Digest* digest = nullptr;
  if (isFile && options_.fileDigests) {
    record.flags |= kHasDigest;
    digest = &digests_.emplace_back();
  }
  const uint16_t flags = record.flags;
  record.flags &= uint16_t(~(kHasContent | kHasStat));
  const size_t digestAt = noteRecord(record);
  record.flags = flags;
  if (digest != nullptr) patches_.emplace_back(digestAt, digest);
  if (!isFile) return;

  if (record.content == ContentKind::Stream) {
    planStream(record, digest);
  } else if (record.content == ContentKind::File) {
    planFile(record, digest);
  } else if (record.content == ContentKind::Bytes && record.contentBytes.size() == record.size) {
    append(record.contentBytes.data(), record.contentBytes.size());
    if (digest != nullptr) {
      Sha256 hash;
      hash.update(record.contentBytes.data(), record.contentBytes.size());
      *digest = hash.finish();
    }
  } else {
    throw Failure("LAYER_CHANGED", "the content does not have the size that was told:", record.path);
  }
  static const uint8_t zeros[kBlock] = {};
  append(zeros, padding(record.size));
}

size_t LayerPipe::noteRecord(const Record& record) {
  encoded_.clear();
  const size_t digestAt = result_.index.size() + encodeRecord(record, encoded_);
  result_.index.append(encoded_);
  return digestAt;
}

void LayerPipe::planFile(const Record& record, Digest* digest) {
  const auto file = std::make_shared<SourceFile>(record.contentBytes, record.size);
  std::shared_ptr<Sha256> hash;
  uint64_t done = 0;
  do {
    size_t size = size_t(std::min<uint64_t>(record.size - done, kChunk));
    room(size);
    const bool whole = size == record.size;
    current_->fills.push_back({file, done, current_->size, size, whole ? digest : nullptr});
    if (digest != nullptr && !whole) {
      if (!hash) hash = std::make_shared<Sha256>();
      current_->spans.push_back({current_->size, size, hash, done + size == record.size ? digest : nullptr});
    }
    current_->size += size;
    done += size;
  } while (done < record.size);
}

void LayerPipe::planStream(const Record& record, Digest* digest) {
  Sha256 hash;
  uint64_t done = 0;
  for (;;) {
    const PipeMessage message = next();
    if (message.kind == PipeMessage::EndOfData) break;
    if (message.kind != PipeMessage::Data || message.bytes.size() > record.size - done) {
      throw Failure("LAYER_CHANGED", "a stream is longer than was told:", record.path);
    }
    if (digest != nullptr) hash.update(message.bytes.data(), message.bytes.size());
    append(message.bytes.data(), message.bytes.size());
    done += message.bytes.size();
  }
  if (done != record.size) throw Failure("LAYER_CHANGED", "a stream is shorter than was told:", record.path);
  if (digest != nullptr) *digest = hash.finish();
}

void LayerPipe::append(const void* bytes, size_t size) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  while (size > 0) {
    size_t part = size;
    // Apart from the copy: arguments are evaluated in any order, and `room` makes `part` smaller.
    uint8_t* to = room(part);
    std::memcpy(to, from, part);
    current_->size += part;
    from += part;
    size -= part;
  }
}

/// Where the next bytes go; `size` shrinks to what fits into this chunk.
uint8_t* LayerPipe::room(size_t& size) {
  if (current_ && current_->size == kChunk) seal();
  if (!current_) {
    current_ = std::make_shared<Chunk>();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return chunks_.size() < maxChunks_ || failure_; });
    if (failure_) throw *failure_;
    if (!spare_.empty()) {
      current_->bytes = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (!current_->bytes) current_->bytes.reset(new uint8_t[kChunk]);
  size = std::min(size, kChunk - current_->size);
  return current_->bytes.get() + current_->size;
}

void LayerPipe::seal() {
  if (!current_) return;
  {
    const std::lock_guard lock(mutex_);
    chunks_.push_back(std::move(current_));
  }
  current_.reset();
  changed_.notify_all();
}

// --- the others

void LayerPipe::fill() {
  const std::unique_ptr<Packer> packer = makePacker(options_.compression, options_.level);
  for (;;) {
    ChunkRef chunk;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return failure_ || planned_ || nextFill_ < firstChunk_ + chunks_.size(); });
      if (failure_) return;
      if (nextFill_ == firstChunk_ + chunks_.size()) return;
      chunk = chunks_[nextFill_++ - firstChunk_];
    }
    for (Fill& piece : chunk->fills) {
      uint8_t* to = chunk->bytes.get() + piece.at;
      piece.file->read(piece.offset, to, piece.size);
      piece.file.reset();
      if (piece.digest != nullptr) {
        Sha256 hash;
        hash.update(to, piece.size);
        *piece.digest = hash.finish();
      }
    }
    if (packer) chunk->packed = packer->pack(chunk->bytes.get(), chunk->size);
    {
      const std::lock_guard lock(mutex_);
      chunk->isReady = true;
    }
    changed_.notify_all();
  }
}

LayerPipe::ChunkRef LayerPipe::ready(size_t number) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    if (failure_ || (planned_ && number == firstChunk_ + chunks_.size())) return true;
    return number < firstChunk_ + chunks_.size() && chunks_[number - firstChunk_]->isReady;
  });
  if (failure_ || number == firstChunk_ + chunks_.size()) return nullptr;
  return chunks_[number - firstChunk_];
}

void LayerPipe::release(bool& mine) {
  {
    const std::lock_guard lock(mutex_);
    mine = true;
    while (!chunks_.empty() && chunks_.front()->hashed && chunks_.front()->written) {
      spare_.push_back(std::move(chunks_.front()->bytes));
      chunks_.pop_front();
      firstChunk_++;
    }
  }
  changed_.notify_all();
}

void LayerPipe::hash() {
  Sha256 all;
  for (size_t number = 0;; number++) {
    const ChunkRef chunk = ready(number);
    if (!chunk) break;
    all.update(chunk->bytes.get(), chunk->size);
    for (const Span& span : chunk->spans) {
      span.hash->update(chunk->bytes.get() + span.at, span.size);
      if (span.digest != nullptr) *span.digest = span.hash->finish();
    }
    tarBytes += chunk->size;
    release(chunk->hashed);
    notify_();
  }
  result_.diffId = all.finish();
  result_.uncompressedSize = tarBytes;
}

void LayerPipe::write() {
  Sha256 all;
  for (size_t number = 0;; number++) {
    const ChunkRef chunk = ready(number);
    if (!chunk) break;
    const bool isPacked = options_.compression != Compression::None;
    const auto* bytes = isPacked ? reinterpret_cast<const uint8_t*>(chunk->packed.data()) : chunk->bytes.get();
    const size_t size = isPacked ? chunk->packed.size() : chunk->size;
    all.update(bytes, size);
    if (!writeAll(out_.get(), bytes, size)) failSystem("write", options_.path);
    blobBytes += size;
    release(chunk->written);
    notify_();
  }
  result_.digest = all.finish();
  result_.size = blobBytes;
}

}  // namespace wb
