// Opening, removing and dressing what lies in the folder.
#include "folder.hh"

#include <dirent.h>
#include <sys/xattr.h>

#include "walk.hh"

namespace wb {
namespace {

constexpr uint64_t kInside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr size_t kCached = 32;
const std::string kXattr = "SCHILY.xattr.";

std::string procPath(int dir, const std::string& name) { return "/proc/self/fd/" + std::to_string(dir) + "/" + name; }

}  // namespace

Folder::Folder(const std::string& path) {
  root_ = std::make_shared<Fd>(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_->ok()) failSystem("open the folder", path);
}

FdRef Folder::open(const std::string& path) {
  if (path.empty()) return root_;
  for (auto it = cache_.begin(); it != cache_.end(); ++it) {
    if (it->first != path) continue;
    cache_.splice(cache_.begin(), cache_, it);
    return cache_.front().second;
  }
  auto fd = std::make_shared<Fd>(openBeneath(root_->get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kInside));
  if (!fd->ok()) return nullptr;
  cache_.emplace_front(path, fd);
  if (cache_.size() > kCached) cache_.pop_back();
  return fd;
}

void Folder::forget(const std::string& path) {
  cache_.remove_if([&](const auto& held) {
    return held.first == path || (held.first.size() > path.size() && held.first.compare(0, path.size(), path) == 0 && held.first[path.size()] == '/');
  });
}

void removeTree(int dir, const std::string& name, const std::string& shown) {
  if (unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) failSystem("remove", shown);
  Fd fd(openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.ok()) failSystem("remove", shown);
  fchmod(fd.get(), 0700);
  std::vector<std::string> names;
  {
    DIR* list = fdopendir(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (list == nullptr) failSystem("remove", shown);
    while (const dirent* entry = readdir(list)) {
      const std::string child = entry->d_name;
      if (child != "." && child != "..") names.push_back(child);
    }
    closedir(list);
  }
  for (const std::string& child : names) removeTree(fd.get(), child, shown + "/" + child);
  if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) failSystem("remove", shown);
}

/// An ordinary user may not give files away; in a user namespace an id that is not mapped is EINVAL.
bool Dresser::mayNotFail() const { return privileged || (errno != EPERM && errno != EINVAL); }

void Dresser::file(int fd, const Record& record, bool modeIsSet) const {
  const bool isOurs = record.uid == uid && record.gid == gid;
  if (!isOurs && fchown(fd, record.uid, record.gid) != 0 && mayNotFail()) failSystem("set the owner of", record.path);
  // After the owner: a change of owner takes setuid, setgid and capabilities away.
  if (!modeIsSet || !isOurs) {
    if (fchmod(fd, record.mode) != 0) failSystem("set the permissions of", record.path);
  }
  if (record.flags & kHasPax) xattrs(fd, "", record);
  const timespec times[2] = {{0, UTIME_OMIT}, {time_t(record.mtime.seconds), long(record.mtime.nanos)}};
  if (futimens(fd, times) != 0) failSystem("set the time of", record.path);
}

void Dresser::folder(int fd, const Record& record) const { file(fd, record, false); }

void Dresser::byName(int dir, const std::string& name, const Record& record) const {
  if (fchownat(dir, name.c_str(), record.uid, record.gid, AT_SYMLINK_NOFOLLOW) != 0 && mayNotFail()) {
    failSystem("set the owner of", record.path);
  }
  // A link has no permissions; fchmodat follows links, so it must not meet one. This name was made by us just now.
  if (record.type != Type::Symlink && fchmodat(dir, name.c_str(), record.mode, 0) != 0) failSystem("set the permissions of", record.path);
  if (record.flags & kHasPax) xattrs(-1, procPath(dir, name), record);
  const timespec times[2] = {{0, UTIME_OMIT}, {time_t(record.mtime.seconds), long(record.mtime.nanos)}};
  if (utimensat(dir, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) failSystem("set the time of", record.path);
}

void Dresser::xattrs(int fd, const std::string& path, const Record& record) const {
  for (const auto& [key, value] : record.pax) {
    if (key.rfind(kXattr, 0) != 0) continue;
    const char* name = key.c_str() + kXattr.size();
    const int result = fd >= 0 ? fsetxattr(fd, name, value.data(), value.size(), 0) : lsetxattr(path.c_str(), name, value.data(), value.size(), 0);
    if (result == 0) continue;
    // Not every file system has every attribute, and not every user may set them; the index keeps the truth.
    if (errno == ENOTSUP || errno == EPERM || errno == EINVAL || errno == EACCES) continue;
    failSystem("set the extended attribute of", record.path);
  }
}

Lowers::Lowers(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) folders_.push_back(std::make_unique<Folder>(path));
}

bool Lowers::find(const std::string& path, FdRef& folder, struct stat& st) const {
  for (const auto& lower : folders_) {
    // Down the path, part by part: a whiteout, an opaque folder or anything else in the way hides the layers below.
    bool isHidden = false;
    for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const bool isLast = end == std::string::npos;
      const std::string part = isLast ? path : path.substr(0, end);
      folder = lower->open(parentOf(part));
      if (!folder || fstatat(folder->get(), nameOf(part).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) break;
      if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return false;
      if (isLast) return true;
      if (!S_ISDIR(st.st_mode)) return false;
      char value[2];
      const std::string at = procPath(folder->get(), nameOf(part));
      for (const char* name : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
        if (lgetxattr(at.c_str(), name, value, sizeof value) == 1 && value[0] == 'y') isHidden = true;
      }
    }
    if (isHidden) return false;
  }
  return false;
}

}  // namespace wb
