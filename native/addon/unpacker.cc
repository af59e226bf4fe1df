// Three threads: one reads and decompresses, one hashes, one (the caller's) parses and makes files with its writers.
#include "unpacker.hh"

#include <malloc.h>
#include <zstd.h>

#include <thread>

namespace wb {
namespace {

constexpr size_t kPiece = 512 * 1024, kWaiting = 6;
// A few bytes that become a few hundred megabytes are usual (a file of zeros); beyond this the ratio counts.
constexpr uint64_t kRatioCountsFrom = uint64_t(1) << 30;

class Unzstd {
 public:
  Unzstd() { ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27); }  // 128 MiB at most, whatever a frame asks for
  ~Unzstd() { ZSTD_freeDCtx(context_); }
  template <class F>
  void feed(const std::string& bytes, F&& use) {
    ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
    for (bool more = true; in.pos < in.size || more;) {
      ZSTD_outBuffer out = {out_.data(), out_.size(), 0};
      left_ = ZSTD_decompressStream(context_, &out, &in);
      if (ZSTD_isError(left_)) throw Failure("LAYER_COMPRESSION", std::string("the layer is damaged zstd: ") + ZSTD_getErrorName(left_));
      if (out.pos > 0) use(reinterpret_cast<const uint8_t*>(out_.data()), out.pos);
      if (left_ == 0 && in.pos == in.size) return;
      more = out.pos == out.size;
    }
  }
  void end() const {
    if (left_ != 0) throw Failure("LAYER_TRUNCATED", "the layer's zstd ends too early");
  }

 private:
  ZSTD_DCtx* context_ = ZSTD_createDCtx();
  std::string out_ = std::string(256 * 1024, '\0');
  size_t left_ = 0;
};

bool isZstd(const std::string& head) {
  if (head.size() < 4) return false;
  uint32_t magic;
  std::memcpy(&magic, head.data(), 4);
  return magic == 0xFD2FB528 || (magic & 0xFFFFFFF0) == 0x184D2A50;
}

}  // namespace

bool Pieces::put(std::shared_ptr<const std::string> piece) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.size() < limit_ || unwanted_; });
    if (unwanted_) return false;
    queue_.push_back(std::move(piece));
  }
  changed_.notify_all();
  return true;
}

std::shared_ptr<const std::string> Pieces::take() {
  std::shared_ptr<const std::string> piece;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !queue_.empty() || ended_; });
    if (failure_) throw *failure_;
    if (queue_.empty()) return nullptr;
    piece = std::move(queue_.front());
    queue_.pop_front();
  }
  changed_.notify_all();
  return piece;
}

void Pieces::end(std::unique_ptr<Failure> failure) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (!failure_) failure_ = std::move(failure);
  }
  changed_.notify_all();
}

void Pieces::giveUp() {
  {
    const std::lock_guard lock(mutex_);
    unwanted_ = true;
    queue_.clear();
  }
  changed_.notify_all();
}

size_t Pieces::size() const {
  const std::lock_guard lock(mutex_);
  return unwanted_ ? 0 : queue_.size();
}

Unpacker::Unpacker(UnpackOptions options, std::function<void()> notify)
    : options_(std::move(options)), notify_(std::move(notify)), pushed_(SIZE_MAX), forHash_(kWaiting), forTar_(kWaiting) {}

size_t Unpacker::push(std::string bytes) {
  pushed_.put(std::make_shared<const std::string>(std::move(bytes)));
  return pushed_.size();
}

void Unpacker::finish() { pushed_.end(); }

void Unpacker::abort() { pushed_.end(std::make_unique<Failure>("LAYER_ABORTED", "unpacking the layer was given up")); }

void Unpacker::readFile(const std::function<void(const std::string&)>& use) {
  const Fd fd(open(options_.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) failSystem("read the layer", options_.path);
  for (;;) {
    std::string piece(kPiece, '\0');
    const ssize_t n = read(fd.get(), piece.data(), piece.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      failSystem("read the layer", options_.path);
    }
    if (n == 0) return;
    piece.resize(size_t(n));
    use(piece);
  }
}

void Unpacker::plain(const uint8_t* bytes, size_t size) {
  out_ += size;
  // Attack: a decompression bomb fills the disk.
  if (out_ > options_.maxBytes || (out_ > kRatioCountsFrom && out_ / options_.maxRatio > in_)) {
    throw Failure("LAYER_BOMB", "the layer becomes too big when it is unpacked (" + std::to_string(in_) + " bytes so far became " + std::to_string(out_) + ")");
  }
  gathered_.append(reinterpret_cast<const char*>(bytes), size);
  if (gathered_.size() >= kPiece) flush();
}

void Unpacker::flush() {
  const auto piece = std::make_shared<const std::string>(std::move(gathered_));
  gathered_ = {};
  gathered_.reserve(kPiece * 2);
  if (!forHash_.put(piece) || !forTar_.put(piece)) throw Failure("LAYER_ABORTED", "unpacking the layer was given up");
}

void Unpacker::source() {
  std::unique_ptr<Unzstd> zstd;
  std::string head;
  bool isKnown = false;
  const auto decoded = [&](const uint8_t* bytes, size_t size) { plain(bytes, size); };
  const auto use = [&](const std::string& piece) {
    in_ += piece.size();
    if (!isKnown) {
      head += piece;
      if (head.size() < 4) return;
      isKnown = true;
      if (isZstd(head)) zstd = std::make_unique<Unzstd>();
    }
    const std::string& bytes = head.empty() ? piece : head;
    if (zstd) {
      zstd->feed(bytes, decoded);
    } else {
      plain(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    }
    head.clear();
  };
  if (options_.path.empty()) {
    while (const auto piece = pushed_.take()) {
      notify_();
      use(*piece);
    }
  } else {
    readFile(use);
  }
  if (!head.empty()) plain(reinterpret_cast<const uint8_t*>(head.data()), head.size());
  if (zstd) zstd->end();
  if (!gathered_.empty()) flush();
}

UnpackResult Unpacker::run() {
  UnpackResult result;
  TarLimits limits;
  limits.maxEntries = options_.maxEntries;
  limits.maxExtraBytes = options_.maxExtraBytes;
  limits.stripAbsolute = options_.stripAbsolute;
  auto extractor = std::make_unique<Extractor>(options_.extract);
  TarParser parser(*extractor, limits);
  std::thread reader([this] {
    std::unique_ptr<Failure> failure;
    try {
      source();
    } catch (const Failure& error) {
      failure = std::make_unique<Failure>(error);
    } catch (const std::exception& error) {
      failure = std::make_unique<Failure>("LAYER_IO", std::string("reading the layer failed: ") + error.what());
    }
    pushed_.giveUp();
    notify_();
    forHash_.end();
    forTar_.end(std::move(failure));
  });
  std::thread hasher([&] {
    Sha256 hash;
    while (const auto piece = forHash_.take()) hash.update(piece->data(), piece->size());
    result.diffId = hash.finish();
  });
  std::exception_ptr failure;
  try {
    while (const auto piece = forTar_.take()) parser.feed(reinterpret_cast<const uint8_t*>(piece->data()), piece->size());
    parser.end();
    result.index = extractor->finish();
  } catch (...) {
    failure = std::current_exception();
  }
  forTar_.giveUp();
  if (failure) {
    forHash_.giveUp();
    abort();
  }
  reader.join();
  hasher.join();
  // What was known of each file is freed in pieces all over the arena, and would stay with it.
  extractor.reset();
  malloc_trim(0);
  if (failure) std::rethrow_exception(failure);
  result.uncompressedSize = out_;
  return result;
}

}  // namespace wb
