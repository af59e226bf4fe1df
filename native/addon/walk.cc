// No descriptor is held while going down, so depth costs no descriptors; each folder is opened beneath the root without
// following links, so a folder that is swapped for a link while we walk leads nowhere else.
#include "walk.hh"

#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "fd.hh"

namespace wb {
namespace {

constexpr size_t kMaxPath = 4095;
/// For readXattrs: the name lies in this thread's working directory.
constexpr int kHere = -1;
constexpr uint64_t kInside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

struct Listed {
  std::string name;
  struct stat st;
};

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

/// Records of one part of the tree, in order.
struct Part {
  std::string records;
  uint64_t count = 0;
};

/// Walks with a working directory of its own, where the kernel grants that: names are then looked up without a path.
class Walker {
 public:
  Walker(const std::string& root, int fd, const WalkOptions& options) : root_(root), fd_(fd), options_(options) {
    // The thread ends with the walk: nobody else meets its working directory.
    hasCwd_ = options.xattrs && unshare(CLONE_FS) == 0;
  }

  /// Whoever waits for the walk may unmount what was walked, before this thread has come to its end.
  ~Walker() {
    if (hasCwd_ && chdir("/") != 0) hasCwd_ = false;
  }

  std::string shown(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }

  /// False when the folder is gone (or is none any more).
  bool list(const std::string& path, Fd& fd, std::vector<Listed>& out) {
    fd = openFolder(path);
    if (!fd.ok()) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
      failSystem("read the folder", shown(path));
    }
    const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    std::unique_ptr<DIR, CloseDir> dir(copy < 0 ? nullptr : fdopendir(copy));
    if (!dir) failSystem("read the folder", shown(path));
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(dir.get());
      if (entry == nullptr) {
        if (errno != 0 && errno != ENOENT) failSystem("read the folder", shown(path));
        break;
      }
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") out.push_back({std::string(name), {}});
    }
    std::sort(out.begin(), out.end(), [](const Listed& a, const Listed& b) { return a.name < b.name; });
    for (Listed& child : out) {
      if (fstatat(fd.get(), child.name.c_str(), &child.st, AT_SYMLINK_NOFOLLOW) == 0) continue;
      if (errno != ENOENT) failSystem("stat", shown(path) + "/" + child.name);
      child.name.clear();
    }
    out.erase(std::remove_if(out.begin(), out.end(), [](const Listed& child) { return child.name.empty(); }), out.end());
    return true;
  }

  void folder(const std::string& path, Part& part) {
    std::vector<Listed> children;
    Fd fd;
    if (!list(path, fd, children)) return;
    for (const Listed& child : children) {
      const std::string childPath = path.empty() ? child.name : path + "/" + child.name;
      // The folder's descriptor is closed by the first descent; links and attributes are read on a fresh one if need be.
      if (!fd.ok() && needsFolder(child)) {
        fd = openFolder(path);
        if (!fd.ok()) return;
      }
      if (!record(fd.get(), child, childPath, part)) continue;
      if (options_.deep && S_ISDIR(child.st.st_mode)) {
        fd.reset();
        folder(childPath, part);
      }
    }
  }

  bool record(int dir, const Listed& child, const std::string& path, Part& part) {
    if (path.size() > kMaxPath) {
      errno = ENAMETOOLONG;
      failSystem("read", shown(path.substr(0, 200)));
    }
    const struct stat& st = child.st;
    bool known = true;
    Record record;
    record.type = typeOfMode(st.st_mode, known);
    if (!known) return false;  // a socket: no tar has a place for it
    record.path = path;
    record.mode = st.st_mode & 07777;
    record.uid = st.st_uid;
    record.gid = st.st_gid;
    record.mtime = {st.st_mtim.tv_sec, uint32_t(st.st_mtim.tv_nsec)};
    record.flags = kHasStat;
    record.inode = {st.st_ino, {st.st_ctim.tv_sec, uint32_t(st.st_ctim.tv_nsec)}, uint32_t(st.st_nlink), st.st_dev};
    if (record.type == Type::File) record.size = uint64_t(st.st_size);
    if (record.type == Type::Character || record.type == Type::Block) {
      record.flags |= kHasDevice;
      record.major = major(st.st_rdev);
      record.minor = minor(st.st_rdev);
    }
    if (record.type == Type::Symlink) {
      char target[kMaxPath + 1];
      const ssize_t n = readlinkat(dir, child.name.c_str(), target, sizeof target);
      if (n < 0) {
        if (errno == ENOENT || errno == EINVAL) return false;
        failSystem("read the link", shown(path));
      }
      record.target.assign(target, size_t(n));
      record.flags |= kHasTarget;
    }
    if (options_.xattrs) {
      const bool here = hasCwd_ && fchdir(dir) == 0;
      record.pax = readXattrs(here ? kHere : dir, child.name.c_str(), shown(path));
      if (!record.pax.empty()) record.flags |= kHasPax;
    }
    encodeRecord(record, part.records);
    part.count++;
    return true;
  }

 private:
  Fd openFolder(const std::string& path) const {
    return Fd(openBeneath(fd_, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kInside));
  }

  bool needsFolder(const Listed& child) const { return options_.xattrs || S_ISLNK(child.st.st_mode); }

  const std::string& root_;
  const int fd_;
  const WalkOptions& options_;
  bool hasCwd_ = false;
};

/// sha256 over the records but for device numbers: those change when a disk is mounted again, what is in the files does not.
Digest stampOf(std::string_view records) {
  Sha256 hash;
  while (!records.empty()) {
    uint32_t length = 0;
    std::memcpy(&length, records.data(), sizeof length);
    hash.update(records.data(), length - sizeof Inode::dev);
    records.remove_prefix(length);
  }
  return hash.finish();
}

/// The folders directly below the root are walked side by side; each gives a part, and the parts are put in order.
class Walk {
 public:
  Walk(const std::string& root, const WalkOptions& options) : root_(root), options_(options) {
    fd_ = Fd(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd_.ok()) failSystem("read the folder", root_);
  }

  WalkResult run() {
    Walker walker(root_, fd_.get(), options_);
    Part self;
    if (options_.self) {
      struct stat st;
      if (fstat(fd_.get(), &st) != 0) failSystem("stat", root_);
      walker.record(fd_.get(), {".", st}, "", self);
    }
    Fd fd;
    if (walker.list("", fd, children_)) {
      parts_.resize(children_.size());
      for (size_t i = 0; i < children_.size(); i++) {
        const bool isThere = walker.record(fd.get(), children_[i], children_[i].name, parts_[i]);
        if (isThere && options_.deep && S_ISDIR(children_[i].st.st_mode)) folders_.push_back(i);
      }
    }
    descend(walker);
    WalkResult result;
    size_t size = self.records.size();
    for (const Part& part : parts_) size += part.records.size();
    result.records.reserve(size);
    result.records = std::move(self.records);
    result.count = self.count;
    for (Part& part : parts_) {
      result.records += part.records;
      result.count += part.count;
      part = {};
    }
    result.stamp = stampOf(result.records);
    return result;
  }

 private:
  void descend(Walker& own) {
    const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    std::vector<std::thread> helpers;
    for (unsigned i = 1; i < std::min<size_t>(cores, folders_.size()); i++) {
      helpers.emplace_back([this] {
        Walker walker(root_, fd_.get(), options_);
        take(walker);
      });
    }
    take(own);
    for (std::thread& helper : helpers) helper.join();
    if (failure_) throw *failure_;
  }

  void take(Walker& walker) {
    try {
      for (size_t i = next_++; i < folders_.size(); i = next_++) {
        Part& part = parts_[folders_[i]];
        walker.folder(children_[folders_[i]].name, part);
      }
    } catch (const Failure& failure) {
      fail(failure);
    } catch (const std::exception& error) {
      fail(Failure("LAYER_IO", std::string("walking a folder failed: ") + error.what()));
    }
  }

  void fail(const Failure& failure) {
    next_ = folders_.size();
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::make_unique<Failure>(failure);
  }

  const std::string& root_;
  const WalkOptions& options_;
  Fd fd_;
  std::vector<Listed> children_;
  std::vector<Part> parts_;
  std::vector<size_t> folders_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::unique_ptr<Failure> failure_;
};

}  // namespace

WalkResult walk(const std::string& root, const WalkOptions& options) { return Walk(root, options).run(); }

Type typeOfMode(uint32_t mode, bool& known) {
  switch (mode & S_IFMT) {
    case S_IFREG: return Type::File;
    case S_IFDIR: return Type::Directory;
    case S_IFLNK: return Type::Symlink;
    case S_IFIFO: return Type::Fifo;
    case S_IFCHR: return Type::Character;
    case S_IFBLK: return Type::Block;
    default: known = false; return Type::File;
  }
}

Pax readXattrs(int dir, const char* name, const std::string& shown) {
  Pax out;
  const std::string path = dir == kHere ? name : "/proc/self/fd/" + std::to_string(dir) + "/" + name;
  char stack[4096];
  std::string names(stack, 0);
  ssize_t n = llistxattr(path.c_str(), stack, sizeof stack);
  if (n == 0) return out;
  if (n > 0) {
    names.assign(stack, size_t(n));
  } else if (errno == ERANGE) {
    names.resize(65536);  // the kernel's own limit
    n = llistxattr(path.c_str(), names.data(), names.size());
    if (n >= 0) names.resize(size_t(n));
  }
  if (n < 0) {
    if (errno == ENOTSUP || errno == ENOENT) return out;
    failSystem("list the extended attributes of", shown);
  }
  for (size_t at = 0; at < names.size();) {
    const std::string key = names.c_str() + at;
    at += key.size() + 1;
    std::string value(65536, '\0');
    const ssize_t size = lgetxattr(path.c_str(), key.c_str(), value.data(), value.size());
    if (size < 0) {
      // Listed but not readable for us (trusted.* of another namespace), or gone by now.
      if (errno == ENODATA || errno == EPERM || errno == EACCES || errno == ENOENT || errno == ENOTSUP) continue;
      failSystem("read the extended attribute " + key + " of", shown);
    }
    value.resize(size_t(size));
    value.shrink_to_fit();
    out.emplace_back("SCHILY.xattr." + key, std::move(value));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace wb
