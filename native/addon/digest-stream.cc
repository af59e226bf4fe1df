// Bytes are gathered into pieces, or lent as one; pieces go from the hashing thread to the writing one. Few of them wait.
#include "digest-stream.hh"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "async.hh"

namespace wb {
namespace {

constexpr size_t kPiece = 256 * 1024;
/// Full pieces that may wait to be hashed: who gives more waits, until there are only half as many.
constexpr size_t kWaiting = 5;
/// Hashed pieces that may wait to be written.
constexpr size_t kHashed = 3;
/// Bytes of a slow stream wait at most so long for more: what a killed process held in memory is lost.
constexpr std::chrono::milliseconds kPatience{100};

}  // namespace

DigestStream::DigestStream(DigestOptions options, std::function<void()> notify)
    : options_(options), notify_(std::move(notify)), place_(options.at) {}

Digest DigestStream::run() {
  std::thread writer;
  try {
    if (options_.fd >= 0) writer = std::thread([this] { write(); });
    hash();
  } catch (const Failure& failure) {
    fail(failure);
  } catch (const std::exception& error) {
    fail(Failure("LAYER_IO", std::string("cannot hash or write: ") + error.what()));
  }
  {
    const std::lock_guard lock(mutex_);
    allHashed_ = true;
  }
  toWrite_.notify_one();
  if (writer.joinable()) writer.join();
  if (failure_) throw *failure_;
  return hash_.finish();
}

/// What still comes is dropped; whoever waits is told by the end of `run`.
void DigestStream::fail(const Failure& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::make_unique<Failure>(failure);
    for (auto* const pieces : {&full_, &hashed_}) {
      for (Piece& piece : *pieces) reuse(std::move(piece));
      pieces->clear();
    }
  }
  for (auto* const waited : {&toHash_, &room_, &toWrite_}) waited->notify_one();
}

bool DigestStream::push(const uint8_t* bytes, size_t size) {
  bool isFull = false, isEnough = false;
  {
    const std::lock_guard lock(mutex_);
    // Who waits now hears of the end, or of the failure.
    if (ended_ || failure_) return false;
    while (size > 0) {
      if (filling_.own.capacity() == 0) filling_ = empty();
      const size_t taken = std::min(size, kPiece - filling_.own.size());
      filling_.own.insert(filling_.own.end(), bytes, bytes + taken);
      bytes += taken;
      size -= taken;
      if (filling_.own.size() < kPiece) break;
      full_.push_back(std::exchange(filling_, {}));
      isFull = true;
    }
    isEnough = wanted_ = full_.size() >= kWaiting;
  }
  if (isFull) toHash_.notify_one();
  return !isEnough;
}

bool DigestStream::lend(const uint8_t* bytes, size_t size, void* owner) {
  bool isEnough = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || failure_) {
      returned_.push_back(owner);
      return false;
    }
    if (!filling_.own.empty()) full_.push_back(std::exchange(filling_, {}));
    Piece piece;
    piece.lent = bytes;
    piece.lentSize = size;
    piece.owner = owner;
    full_.push_back(std::move(piece));
    isEnough = wanted_ = full_.size() >= kWaiting;
  }
  toHash_.notify_one();
  return !isEnough;
}

std::vector<void*> DigestStream::returned() {
  const std::lock_guard lock(mutex_);
  return std::exchange(returned_, {});
}

/// A used piece's memory again, if there is one.
DigestStream::Piece DigestStream::empty() {
  Piece piece;
  if (!spare_.empty()) {
    piece = std::move(spare_.back());
    spare_.pop_back();
  }
  piece.own.clear();
  piece.own.reserve(kPiece);
  return piece;
}

/// Behind the lock: nobody reads the piece any more.
void DigestStream::reuse(Piece&& piece) {
  if (piece.owner) returned_.push_back(piece.owner);
  else if (piece.own.capacity() > 0) spare_.push_back(std::move(piece));
}

void DigestStream::finish() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  toHash_.notify_one();
}

void DigestStream::hash() {
  hashBefore();
  for (Piece piece; take(piece);) {
    hash_.update(piece.data(), piece.size());
    if (!pass(piece)) return;
  }
}

/// The next piece to hash; false at the end.
bool DigestStream::take(Piece& piece) {
  bool isWanted = false;
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      const bool isReady = toHash_.wait_for(lock, kPatience, [&] { return !full_.empty() || ended_ || failure_; });
      if (failure_) return false;
      if (!full_.empty()) {
        piece = std::move(full_.front());
        full_.pop_front();
        break;
      }
      if (!filling_.own.empty()) {
        piece = std::exchange(filling_, {});
        break;
      }
      if (isReady) return false;
    }
    isWanted = wanted_ && full_.size() <= kWaiting / 2;
    if (isWanted) wanted_ = false;
  }
  if (isWanted) notify_();
  return true;
}

/// Hands a hashed piece to the writer, if there is one; false when there is nothing to go on for.
bool DigestStream::pass(Piece& piece) {
  {
    std::unique_lock lock(mutex_);
    if (options_.fd >= 0) room_.wait(lock, [&] { return hashed_.size() < kHashed || failure_; });
    if (options_.fd < 0 || failure_) {
      reuse(std::move(piece));
      return !failure_;
    }
    hashed_.push_back(std::move(piece));
  }
  toWrite_.notify_one();
  return true;
}

/// The other thread's work.
void DigestStream::write() {
  try {
    for (;;) {
      Piece piece;
      {
        std::unique_lock lock(mutex_);
        toWrite_.wait(lock, [&] { return !hashed_.empty() || allHashed_ || failure_; });
        if (hashed_.empty()) return;
        piece = std::move(hashed_.front());
        hashed_.pop_front();
      }
      room_.notify_one();
      const auto used = [&] {
        const std::lock_guard lock(mutex_);
        reuse(std::move(piece));
      };
      try {
        writePiece(piece);
      } catch (...) {
        used();
        throw;
      }
      used();
    }
  } catch (const Failure& failure) {
    fail(failure);
  } catch (const std::exception& error) {
    fail(Failure("LAYER_IO", std::string("cannot write: ") + error.what()));
  }
}

void DigestStream::writePiece(const Piece& piece) {
  for (size_t done = 0; done < piece.size();) {
    const ssize_t n = pwrite(options_.fd, piece.data() + done, piece.size() - done, off_t(place_));
    if (n < 0) {
      if (errno == EINTR) continue;
      failSystem("write", {});
    }
    done += size_t(n);
    place_ += uint64_t(n);
  }
}

void DigestStream::hashBefore() {
  std::vector<uint8_t> piece(options_.fd < 0 || options_.at == 0 ? 0 : kPiece);
  for (uint64_t at = 0; options_.fd >= 0 && at < options_.at;) {
    const ssize_t n = pread(options_.fd, piece.data(), std::min<uint64_t>(piece.size(), options_.at - at), off_t(at));
    if (n < 0) {
      if (errno == EINTR) continue;
      failSystem("read", {});
    }
    if (n == 0) return;
    hash_.update(piece.data(), size_t(n));
    at += uint64_t(n);
  }
}

namespace {

/// A chunk whose bytes are lent.
using Lent = Napi::Reference<Napi::Uint8Array>;
/// Fewer bytes are sooner copied than remembered.
constexpr size_t kWorthLending = 32 * 1024;

struct DigestHolder {
  Caller caller;
  Napi::FunctionReference onWanted;
  std::unique_ptr<DigestStream> stream;
  Digest digest{};
  explicit DigestHolder(Napi::Env env) : caller(env, false) {}
  ~DigestHolder() {
    if (stream) takeBack(false);
  }
  DigestHolder(const DigestHolder&) = delete;
  DigestHolder& operator=(const DigestHolder&) = delete;
  void takeBack(bool frees);
};

/// On the JavaScript thread. `frees`: at once, where nothing else lies in the same memory: the garbage collector would let
/// some 60 MB of a fast transfer pile up first, and spend a tenth of its time on them.
void DigestHolder::takeBack(bool frees) {
  for (void* const owner : stream->returned()) {
    const std::unique_ptr<Lent> lent(static_cast<Lent*>(owner));
    if (!frees) continue;
    const Napi::HandleScope scope(lent->Env());
    const Napi::Uint8Array bytes = lent->Value();
    Napi::ArrayBuffer memory = bytes.ArrayBuffer();
    if (memory.ByteLength() == bytes.ByteLength()) napi_detach_arraybuffer(lent->Env(), memory);
  }
}

using Held = std::shared_ptr<DigestHolder>;

/// (fd or -1, at, onWanted) → {handle, done}. A handle that is thrown away without being finished is finished.
Napi::Value openDigestStream(const Napi::CallbackInfo& info) {
  const auto holder = std::make_shared<DigestHolder>(info.Env());
  holder->onWanted = Napi::Persistent(info[2].As<Napi::Function>());
  const DigestOptions options{info[0].As<Napi::Number>().Int32Value(),
                              uint64_t(std::max<int64_t>(0, info[1].As<Napi::Number>().Int64Value()))};
  holder->stream = std::make_unique<DigestStream>(options, [weak = std::weak_ptr<DigestHolder>(holder)] {
    const Held held = weak.lock();
    if (held) held->caller.call([held](Napi::Env) { held->onWanted.Call({}); });
  });
  // The thread gets a plain pointer: the holder has a JavaScript reference in it and must die on this thread.
  DigestHolder* const bare = holder.get();
  const Napi::Promise done = runOnThread(
      info.Env(), [bare] { bare->digest = bare->stream->run(); },
      [holder](Napi::Env env) -> Napi::Value {
        holder->takeBack(true);
        return Napi::Buffer<uint8_t>::Copy(env, holder->digest.data(), holder->digest.size());
      });
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("handle", Napi::External<Held>::New(info.Env(), new Held(holder), [](Napi::Env, Held* owner) {
    (*owner)->stream->finish();
    delete owner;
  }));
  out.Set("done", done);
  return out;
}

DigestHolder& holderOf(const Napi::CallbackInfo& info) { return **info[0].As<Napi::External<Held>>().Data(); }

/// (handle, bytes, isSpent) → may more come at once? Spent bytes are not copied, and lose their memory after their use.
Napi::Value pushDigestStream(const Napi::CallbackInfo& info) {
  DigestHolder& holder = holderOf(info);
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const size_t size = bytes.ByteLength();
  holder.takeBack(true);
  if (!info[2].As<Napi::Boolean>() || size < kWorthLending)
    return Napi::Boolean::New(info.Env(), holder.stream->push(bytes.Data(), size));
  auto lent = std::make_unique<Lent>(Lent::New(bytes, 1));
  return Napi::Boolean::New(info.Env(), holder.stream->lend(bytes.Data(), size, lent.release()));
}

Napi::Value finishDigestStream(const Napi::CallbackInfo& info) {
  holderOf(info).stream->finish();
  return info.Env().Undefined();
}

}  // namespace

void exportDigestStream(Napi::Env env, Napi::Object exports) {
  exports.Set("openDigestStream", Napi::Function::New(env, openDigestStream, "openDigestStream"));
  exports.Set("pushDigestStream", Napi::Function::New(env, pushDigestStream, "pushDigestStream"));
  exports.Set("finishDigestStream", Napi::Function::New(env, finishDigestStream, "finishDigestStream"));
}

}  // namespace wb
