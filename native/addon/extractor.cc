// What each kind of entry does to the folder.
#include "extractor.hh"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>

#include "walk.hh"

namespace wb {
namespace {

constexpr uint64_t kSmall = 256 * 1024;  // files up to this size are made by the writers
constexpr uint64_t kMaxDevices = 4096;

uint32_t currentUmask() {
  // umask(2) cannot be asked without being set, for all threads; /proc tells it.
  const Fd fd(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t n = read(fd.get(), text, sizeof text - 1);
  if (n <= 0) return 07777;
  text[n] = '\0';
  const char* line = std::strstr(text, "\nUmask:");
  return line == nullptr ? 07777 : uint32_t(std::strtoul(line + 7, nullptr, 8));
}

uint32_t deviceMode(const Record& record) {
  const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFREG, S_IFIFO, S_IFCHR, S_IFBLK};
  return types[size_t(record.type)] | record.mode;
}

}  // namespace

Extractor::Extractor(const ExtractOptions& options)
    : options_(options), folder_(options.folder), lowers_(options.lowers), writers_(dresser_) {
  dresser_.privileged = options.privileged;
  dresser_.umask = currentUmask();
  dresser_.uid = geteuid();
  dresser_.gid = getegid();
  struct stat st;
  // In a folder with setgid new files get its group, not ours.
  if (fstat(folder_.root(), &st) == 0 && (st.st_mode & S_ISGID)) dresser_.gid = UINT32_MAX;
}

void Extractor::entry(Record& record) {
  digest_ = nullptr;
  nowDir_.reset();
  small_.clear();
  big_.reset();
  now_ = record;
  if (whiteout(record)) {
    now_.path.clear();
    return;
  }
  if (record.type == Type::File && options_.fileDigests) now_.flags |= kHasDigest;
  // Before anything is made: what is in the way belongs to somebody else or is an attack.
  if (!record.path.empty()) nowDir_ = parent(record.path);
  hold(record.path);
  note(now_);
  switch (now_.type) {
    case Type::File:
      if (now_.size > kSmall) openBig();
      break;
    case Type::Directory: makeFolder(now_); break;
    case Type::Symlink: makeLink(now_); break;
    case Type::Hardlink: makeHardlink(now_); break;
    default: makeNode(now_); break;
  }
}

void Extractor::content(const uint8_t* bytes, size_t size) {
  if (!nowDir_) return;  // of a whiteout
  if (!big_.ok()) {
    small_.append(reinterpret_cast<const char*>(bytes), size);
    return;
  }
  if (digest_ != nullptr) hash_.update(bytes, size);
  // Whole blocks only, so that a run of zeros is seen however the bytes come in.
  while (size > 0) {
    const size_t whole = small_.empty() ? size - size % kHole : 0;
    if (whole > 0) {
      writeSparse(big_.get(), written_, bytes, whole, now_.path);
      written_ += whole;
      bytes += whole;
      size -= whole;
      continue;
    }
    const size_t part = std::min(size, kHole - small_.size());
    small_.append(reinterpret_cast<const char*>(bytes), part);
    bytes += part;
    size -= part;
    if (small_.size() == kHole) flushBig();
  }
}

void Extractor::flushBig() {
  writeSparse(big_.get(), written_, reinterpret_cast<const uint8_t*>(small_.data()), small_.size(), now_.path);
  written_ += small_.size();
  small_.clear();
}

void Extractor::endOfEntry() {
  if (!nowDir_ || now_.type != Type::File) return;
  if (!big_.ok()) {
    writers_.add({nowDir_, std::move(now_), std::move(small_), digest_});
    small_ = {};
    return;
  }
  flushBig();
  if (ftruncate(big_.get(), off_t(written_)) != 0) failSystem("write", now_.path);
  dresser_.file(big_.get(), now_, bigModeIsSet_);
  if (digest_ != nullptr) *digest_ = hash_.finish();
  big_.reset();
}

void Extractor::openBig() {
  big_ = createFile(nowDir_->get(), now_, dresser_, bigModeIsSet_);
  written_ = 0;
  hash_ = Sha256();
}

/// OCI image layer, "Whiteouts". True when the entry is one.
bool Extractor::whiteout(const Record& record) {
  const std::string name = nameOf(record.path);
  if (name.rfind(".wh.", 0) != 0) return false;
  const std::string folder = parentOf(record.path);
  if (name == ".wh..wh..opq") {
    clear(folder);
  } else if (name.rfind(".wh..wh.", 0) != 0) {  // others of that kind are AUFS's own notes
    const std::string hidden = name.substr(4);
    // Attack: ".wh..." would delete the parent folder, ".wh." the folder itself.
    if (hidden.empty() || hidden == "." || hidden == "..") throw Failure("LAYER_WHITEOUT", "a whiteout hides no possible name:", record.path);
    hide(folder.empty() ? hidden : folder + "/" + hidden);
  }
  return true;
}

void Extractor::hide(const std::string& path) {
  const auto it = seen_.find(path);
  const bool isFolder = it != seen_.end() && it->second.kind == Kind::Set && it->second.type == Type::Directory;
  // This layer also has something of that name, or below it: the whiteout is about what lies in the layers below.
  if (isFolder || held_.count(path) != 0) return clear(path);
  if (it != seen_.end()) return;
  const FdRef dir = parent(path);
  writers_.settle();
  folder_.forget(path);
  removeTree(dir->get(), nameOf(path), path);
  if (options_.overlay && mknodat(dir->get(), nameOf(path).c_str(), S_IFCHR | 0, makedev(0, 0)) != 0) failSystem("make the whiteout", path);
  // What was deleted below says nothing more, and the folders that were made for that are gone.
  const std::string inside = path + "/";
  folders_.erase(path);
  for (auto below = folders_.lower_bound(inside); below != folders_.end() && below->first.compare(0, inside.size(), inside) == 0;) {
    below = folders_.erase(below);
  }
  for (auto below = hidden_.lower_bound(inside); below != hidden_.end() && below->compare(0, inside.size(), inside) == 0;) {
    const auto deleted = seen_.find(*below);
    if (deleted != seen_.end() && deleted->second.kind == Kind::Delete) {
      drop(deleted->second.at);
      seen_.erase(deleted);
    }
    below = hidden_.erase(below);
  }
  Record record;
  record.kind = Kind::Delete;
  record.path = path;
  seen_[path] = {index_.size(), Kind::Delete, Type::File};
  hidden_.insert(path);
  encodeRecord(record, index_);
}

void Extractor::hold(const std::string& path) {
  // Each folder once: paths may be deep, and many.
  for (std::string folder = parentOf(path); !folder.empty() && parents_.insert(folder).second; folder = parentOf(folder)) {
    const auto it = seen_.find(folder);
    if (it == seen_.end() || it->second.kind != Kind::Set) held_.insert(folder);
  }
}

void Extractor::clear(const std::string& path) {
  if (!path.empty()) parent(path + "/x");  // makes the folder itself when it is missing
  if (!cleared_.insert(path).second) return;
  // The index can only clear a folder that it has, and nothing below tells any more of the folders inside.
  const auto tell = [&](const std::string& folder) {
    if (seen_.count(folder) != 0) return;
    Record record;
    const auto known = folders_.find(folder);
    if (known != folders_.end()) record = known->second;
    if (known == folders_.end()) record.mode = 0755;
    record.path = folder;
    record.type = Type::Directory;
    seen_[folder] = {index_.size(), Kind::Set, Type::Directory};
    encodeRecord(record, index_);
    isSorted_ = false;
  };
  tell(path);
  const std::string inside = path.empty() ? path : path + "/";
  held_.erase(path);
  for (auto below = held_.lower_bound(inside); below != held_.end() && below->compare(0, inside.size(), inside) == 0;) {
    tell(*below);
    below = held_.erase(below);
  }
  if (options_.overlay) return;
  writers_.settle();
  empty(path);
}

void Extractor::empty(const std::string& path) {
  const FdRef dir = folder_.open(path);
  if (!dir) failSystem("open", path);
  WalkOptions shallow;
  shallow.deep = false;
  const WalkResult found = walk("/proc/self/fd/" + std::to_string(dir->get()), shallow);
  for (std::string_view bytes = found.records; !bytes.empty();) {
    const std::string name = decodeRecord(bytes).path;
    const std::string child = path.empty() ? name : path + "/" + name;
    const auto it = seen_.find(child);
    if (it == seen_.end()) {
      folder_.forget(child);
      removeTree(dir->get(), name, child);
    } else if (it->second.kind == Kind::Set && it->second.type == Type::Directory) {
      empty(child);
    }
  }
}

FdRef Extractor::parent(const std::string& path) {
  const std::string folder = parentOf(path);
  if (folder.empty()) return folder_.open("");
  const auto it = seen_.find(folder);
  if (it != seen_.end() && (it->second.kind != Kind::Set || it->second.type != Type::Directory)) {
    // Attack: first a link to elsewhere, then a file "below" it, to write where the link points.
    if (it->second.kind == Kind::Set && it->second.type == Type::Symlink) {
      throw Failure("LAYER_SYMLINK_PARENT", "an entry goes through a symbolic link of its own layer:", path);
    }
    if (it->second.kind == Kind::Set) throw Failure("LAYER_PARENT", "an entry lies below something that is no folder:", path);
  }
  if (it == seen_.end() || it->second.kind == Kind::Delete) implied(folder);
  const FdRef dir = folder_.open(folder);
  if (!dir) failSystem("open the folder of", path);
  return dir;
}

/// A folder that no entry of this layer has made yet: there from before, or known below, or simply left out by the tar.
void Extractor::implied(const std::string& path) {
  const FdRef above = parent(path);
  const std::string name = nameOf(path);
  struct stat st;
  const bool isThere = fstatat(above->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (isThere && S_ISDIR(st.st_mode)) return;
  if (isThere) {
    // An earlier layer's link or file, in plain form; overlayfs would show a folder here too.
    writers_.settle();
    folder_.forget(path);
    removeTree(above->get(), name, path);
  }
  const bool wasHidden = seen_.count(path) != 0;
  if (wasHidden) {
    drop(seen_[path].at);
    seen_.erase(path);
    cleared_.insert(path);
  }
  Record record;
  record.path = path;
  record.type = Type::Directory;
  record.mode = 0755;
  FdRef lower;
  const bool isKnown = !wasHidden && lowers_.any() && lowers_.find(path, lower, st) && S_ISDIR(st.st_mode);
  if (isKnown) {
    // The upper folder's metadata hides the lower's, so it must be the same.
    record.mode = st.st_mode & 07777;
    record.uid = st.st_uid;
    record.gid = st.st_gid;
    record.mtime = {st.st_mtim.tv_sec, uint32_t(st.st_mtim.tv_nsec)};
    for (auto& pair : readXattrs(lower->get(), name.c_str(), path)) {
      if (pair.first.find(".overlay.") == std::string::npos) record.pax.push_back(std::move(pair));
    }
    if (!record.pax.empty()) record.flags |= kHasPax;
  }
  if (mkdirat(above->get(), name.c_str(), 0700) != 0) failSystem("make the folder", path);
  folders_[path] = record;
  if (!isKnown) {
    seen_[path] = {index_.size(), Kind::Set, Type::Directory};
    encodeRecord(record, index_);
  }
}

void Extractor::makeFolder(const Record& record) {
  folders_[record.path] = record;
  if (record.path.empty()) return;
  const std::string name = nameOf(record.path);
  if (mkdirat(nowDir_->get(), name.c_str(), 0700) == 0) return;
  if (errno != EEXIST) failSystem("make the folder", record.path);
  struct stat st;
  if (fstatat(nowDir_->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) failSystem("stat", record.path);
  if (S_ISDIR(st.st_mode)) {
    // An ordinary user must be able to work in it until it is dressed.
    const FdRef dir = folder_.open(record.path);
    if (dir && !dresser_.privileged) fchmod(dir->get(), 0700 | (st.st_mode & 07777));
    return;
  }
  // Attack: a link that waits here for files to be written through it. It is replaced, never followed.
  replace(nowDir_->get(), record);
  if (mkdirat(nowDir_->get(), name.c_str(), 0700) != 0) failSystem("make the folder", record.path);
}

void Extractor::replace(int dir, const Record& record) {
  writers_.settle();
  folder_.forget(record.path);
  removeTree(dir, nameOf(record.path), record.path);
}

void Extractor::makeLink(const Record& record) {
  const std::string name = nameOf(record.path);
  if (symlinkat(record.target.c_str(), nowDir_->get(), name.c_str()) != 0) {
    if (errno != EEXIST) failSystem("make the link", record.path);
    replace(nowDir_->get(), record);
    if (symlinkat(record.target.c_str(), nowDir_->get(), name.c_str()) != 0) failSystem("make the link", record.path);
  }
  dresser_.byName(nowDir_->get(), name, record);
}

void Extractor::makeHardlink(const Record& record) {
  writers_.settle();
  const std::string name = nameOf(record.path), target = nameOf(record.target);
  if (record.path == record.target) throw Failure("LAYER_LINK_TARGET", "a hard link points at itself:", record.path);
  const auto isGood = [](const struct stat& st) { return !S_ISDIR(st.st_mode) && !(S_ISCHR(st.st_mode) && st.st_rdev == 0); };
  struct stat st;
  FdRef from;
  const auto hidden = seen_.find(record.target);
  const bool isHidden = hidden != seen_.end() && hidden->second.kind == Kind::Delete;
  // Attack: a target that is reached through a link would give the layer a name for a file of the host.
  if (!isHidden) from = folder_.open(parentOf(record.target));
  if (!from || fstatat(from->get(), target.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !isGood(st)) {
    from.reset();
    if (!isHidden && lowers_.any() && (!lowers_.find(record.target, from, st) || !isGood(st))) from.reset();
  }
  if (!from) throw Failure("LAYER_LINK_TARGET", "a hard link points at nothing in the image (" + record.target.substr(0, 300) + "):", record.path);
  const auto link = [&] { return linkat(from->get(), target.c_str(), nowDir_->get(), name.c_str(), 0) == 0; };
  if (link()) return;
  if (errno == EEXIST) {
    replace(nowDir_->get(), record);
    if (link()) return;
  }
  failSystem("make the hard link", record.path);
}

void Extractor::makeNode(const Record& record) {
  if (record.type != Type::Fifo) {
    // Attack: thousands of devices, or one that overlayfs takes for a whiteout.
    if (++devices_ > kMaxDevices) throw Failure("LAYER_DEVICE_BOMB", "the layer has more than 4096 devices:", record.path);
    if (options_.overlay && record.type == Type::Character && record.major == 0 && record.minor == 0) {
      throw Failure("LAYER_DEVICE", "a character device 0/0 would act as a whiteout:", record.path);
    }
  }
  const std::string name = nameOf(record.path);
  const auto make = [&] { return mknodat(nowDir_->get(), name.c_str(), deviceMode(record) & ~07777u, makedev(record.major, record.minor)) == 0; };
  if (!make()) {
    if (errno == EEXIST) {
      replace(nowDir_->get(), record);
      if (make()) return dresser_.byName(nowDir_->get(), name, record);
    }
    if (errno == EPERM && !dresser_.privileged) return;  // the index keeps the truth
    failSystem("make the device", record.path);
  }
  dresser_.byName(nowDir_->get(), name, record);
}

void Extractor::markOpaque(int fd, const std::string& path) {
  if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0) return;
  // In a user namespace overlayfs is mounted with userxattr.
  if (errno == EPERM && fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) == 0) return;
  failSystem("mark as opaque", path);
}

std::string Extractor::finish() {
  writers_.settle();
  if (options_.overlay) {
    for (const std::string& path : cleared_) {
      const FdRef dir = folder_.open(path);
      if (!dir) failSystem("open", path);
      markOpaque(dir->get(), path);
    }
  }
  // From the last to the first: a folder is dressed after all that is in it, and its time stays.
  for (auto it = folders_.rbegin(); it != folders_.rend(); ++it) {
    const FdRef dir = folder_.open(it->first);
    if (!dir) failSystem("open the folder", it->first);
    dresser_.folder(dir->get(), it->second);
  }
  return records();
}

}  // namespace wb
