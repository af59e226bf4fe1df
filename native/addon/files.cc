// Small system calls that Node lacks, and the walk, digest and lock functions as promises.
#include "files.hh"

#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "async.hh"
#include "fd.hh"
#include "walk.hh"

namespace wb {
namespace {

constexpr size_t kReadSize = 256 * 1024;

Digest digestFile(const std::string& path, std::string& buffer) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd.ok()) failSystem("open", path);
  Sha256 hash;
  for (;;) {
    const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n == 0) return hash.finish();
    if (n > 0) {
      hash.update(buffer.data(), size_t(n));
    } else if (errno != EINTR) {
      failSystem("read", path);
    }
  }
}

/// Runs a quick system call here and now; a Failure becomes a JavaScript exception.
template <class F>
Napi::Value direct(Napi::Env env, F&& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    Napi::Error(env, failureToJs(env, failure)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
}

std::vector<std::string> strings(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  out.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(toBytes(array.Get(i)));
  return out;
}

Napi::Value digestFiles(const Napi::CallbackInfo& info) {
  struct State {
    std::vector<std::string> paths;
    std::string digests;
  };
  auto state = std::make_shared<State>();
  state->paths = strings(info[0]);
  return runOnThread(
      info.Env(),
      [state] {
        state->digests.resize(state->paths.size() * 32);
        std::atomic<size_t> next{0};
        std::mutex mutex;
        std::unique_ptr<Failure> failure;
        const auto work = [&] {
          std::string buffer(kReadSize, '\0');
          try {
            for (size_t i = next++; i < state->paths.size(); i = next++) {
              const Digest digest = digestFile(state->paths[i], buffer);
              std::memcpy(&state->digests[i * 32], digest.data(), 32);
            }
          } catch (const Failure& error) {
            next = state->paths.size();
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::make_unique<Failure>(error);
          }
        };
        const size_t cores = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
        std::vector<std::thread> others;
        for (size_t i = 1; i < std::min(cores, (state->paths.size() + 15) / 16); i++) others.emplace_back(work);
        work();
        for (auto& other : others) other.join();
        if (failure) throw *failure;
      },
      [state](Napi::Env env) -> Napi::Value { return toBuffer(env, std::move(state->digests)); });
}

Napi::Value walkFolder(const Napi::CallbackInfo& info) {
  auto result = std::make_shared<WalkResult>();
  const std::string root = toBytes(info[0]);
  WalkOptions options;
  options.deep = info[1].As<Napi::Boolean>();
  options.xattrs = info[2].As<Napi::Boolean>();
  options.self = info[3].As<Napi::Boolean>();
  return runOnThread(
      info.Env(), [result, root, options] { *result = walk(root, options); },
      [result](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("count", Napi::Number::New(env, double(result->count)));
        out.Set("stamp", Napi::Buffer<uint8_t>::Copy(env, result->stamp.data(), result->stamp.size()));
        out.Set("records", toBuffer(env, std::move(result->records)));
        return out;
      });
}

/// The descriptor of the locked file, or -1 when somebody else has the lock and `wait` is false.
int lock(const std::string& path, bool exclusive, bool wait) {
  for (;;) {
    Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.ok()) failSystem("open the lock file", path);
    while (flock(fd.get(), (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) != 0) {
      if (errno == EWOULDBLOCK) return -1;
      if (errno != EINTR) failSystem("lock", path);
    }
    // Who removed the file while we waited has left us a lock on nothing: try the new file of that name.
    struct stat held, named;
    if (fstat(fd.get(), &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
        held.st_dev == named.st_dev) {
      return fd.release();
    }
  }
}

Napi::Value lockFile(const Napi::CallbackInfo& info) {
  auto fd = std::make_shared<int>(-1);
  const std::string path = toBytes(info[0]);
  const bool exclusive = info[1].As<Napi::Boolean>();
  const bool wait = info[2].As<Napi::Boolean>();
  return runOnThread(
      info.Env(), [=] { *fd = lock(path, exclusive, wait); },
      [fd](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *fd); });
}

Napi::Value lockFileSync(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), lock(toBytes(info[0]), info[1].As<Napi::Boolean>(), info[2].As<Napi::Boolean>()));
  });
}

Napi::Value unlockFile(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  // Closing is not enough: a child that is just being started has a copy of the descriptor until its program is loaded.
  flock(fd, LOCK_UN);
  close(fd);
  return info.Env().Undefined();
}

Napi::Value setXattr(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    const std::string path = toBytes(info[0]), name = toBytes(info[1]), value = toBytes(info[2]);
    if (lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) {
      failSystem("set the extended attribute " + name + " of", path);
    }
    return info.Env().Undefined();
  });
}

Napi::Value getXattrs(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    const std::string path = toBytes(info[0]);
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    const Fd dir(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir.ok()) failSystem("open", path);
    Napi::Array out = Napi::Array::New(info.Env());
    uint32_t n = 0;
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    for (const auto& [key, value] : readXattrs(dir.get(), name.empty() ? "." : name.c_str(), path)) {
      Napi::Array pair = Napi::Array::New(info.Env(), 2);
      pair.Set(0u, Napi::String::New(info.Env(), key.substr(sizeof "SCHILY.xattr." - 1)));
      pair.Set(1u, Napi::Buffer<char>::Copy(info.Env(), value.data(), value.size()));
      out.Set(n++, pair);
    }
    return out;
  });
}

Napi::Value makeNode(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    const std::string path = toBytes(info[0]);
    const auto mode = info[1].As<Napi::Number>().Uint32Value();
    const dev_t device = makedev(info[2].As<Napi::Number>().Uint32Value(), info[3].As<Napi::Number>().Uint32Value());
    if (mknod(path.c_str(), mode, device) != 0) failSystem("make the node", path);
    return info.Env().Undefined();
  });
}

Napi::Value setTimes(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    const std::string path = toBytes(info[0]);
    bool lossless = true;
    struct timespec times[2];
    times[0].tv_sec = 0;
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = info[1].As<Napi::BigInt>().Int64Value(&lossless);
    times[1].tv_nsec = info[2].As<Napi::Number>().Int64Value();
    if (utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) failSystem("set the times of", path);
    return info.Env().Undefined();
  });
}

/// For tests: digest of bytes by the chosen or the portable function.
Napi::Value sha256(const Napi::CallbackInfo& info) {
  const std::string bytes = toBytes(info[0]);
  sha256ForcePortable(info[1].As<Napi::Boolean>());
  const std::string kind = sha256Kind();
  Sha256 hash;
  const size_t step = std::max<size_t>(1, info[2].As<Napi::Number>().Uint32Value());
  for (size_t at = 0; at < bytes.size(); at += step) hash.update(bytes.data() + at, std::min(step, bytes.size() - at));
  const Digest digest = hash.finish();
  sha256ForcePortable(false);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("kind", Napi::String::New(info.Env(), kind));
  out.Set("digest", Napi::Buffer<uint8_t>::Copy(info.Env(), digest.data(), digest.size()));
  return out;
}

std::string hex(const uint8_t* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < size; i++) out += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return out;
}

void update(Sha256& hash, const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  hash.update(bytes.Data(), bytes.ByteLength());
}

/// (bytes) → the digits of their digest.
Napi::Value hashBytes(const Napi::CallbackInfo& info) {
  Sha256 hash;
  update(hash, info[0]);
  const Digest digest = hash.finish();
  return Napi::String::New(info.Env(), hex(digest.data(), digest.size()));
}

/// () → a handle for the next two.
Napi::Value openHash(const Napi::CallbackInfo& info) {
  return Napi::External<Sha256>::New(info.Env(), new Sha256(), [](Napi::Env, Sha256* hash) { delete hash; });
}

/// (handle, bytes)
Napi::Value updateHash(const Napi::CallbackInfo& info) {
  update(*info[0].As<Napi::External<Sha256>>().Data(), info[1]);
  return info.Env().Undefined();
}

/// (handle) → digits; the handle is used up.
Napi::Value finishHash(const Napi::CallbackInfo& info) {
  const Digest digest = info[0].As<Napi::External<Sha256>>().Data()->finish();
  return Napi::String::New(info.Env(), hex(digest.data(), digest.size()));
}

/// (count) → so many unpredictable bytes as digits.
Napi::Value randomHex(const Napi::CallbackInfo& info) {
  return direct(info.Env(), [&]() -> Napi::Value {
    std::array<uint8_t, 64> bytes{};
    const size_t size = std::min<size_t>(info[0].As<Napi::Number>().Uint32Value(), bytes.size());
    // Up to 256 bytes come whole, once the kernel has gathered enough to begin with.
    while (getrandom(bytes.data(), size, 0) < 0)
      if (errno != EINTR) failSystem("get random bytes", {});
    return Napi::String::New(info.Env(), hex(bytes.data(), size));
  });
}

}  // namespace

void exportFiles(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("walkFolder", walkFolder);
  add("digestFiles", digestFiles);
  add("lockFile", lockFile);
  add("lockFileSync", lockFileSync);
  add("unlockFile", unlockFile);
  add("setXattr", setXattr);
  add("getXattrs", getXattrs);
  add("makeNode", makeNode);
  add("setTimes", setTimes);
  add("sha256", sha256);
  add("hashBytes", hashBytes);
  add("openHash", openHash);
  add("updateHash", updateHash);
  add("finishHash", finishHash);
  add("randomHex", randomHex);
}

}  // namespace wb
