// Folder: the place that a layer is unpacked into. All that is opened is opened beneath it and without following links,
// so nothing that a layer says can reach outside, whatever it put there before.
#pragma once
#include <sys/stat.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "fd.hh"
#include "record.hh"

namespace wb {

using FdRef = std::shared_ptr<Fd>;

/// "a/b/c" → "a/b" and "c"; "c" → "" and "c".
inline std::string parentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
inline std::string nameOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

class Folder {
 public:
  explicit Folder(const std::string& path);

  /// The folder at a clean path, from a small cache, or null with errno set.
  FdRef open(const std::string& path);
  /// Forgets what is cached at and below the path, which is about to be removed.
  void forget(const std::string& path);
  int root() const { return root_->get(); }

 private:
  FdRef root_;
  std::list<std::pair<std::string, FdRef>> cache_;  // newest first
};

/// Removes what has this name, whole trees too. Nothing there is fine. Throws LAYER_IO.
void removeTree(int dir, const std::string& name, const std::string& shown);

/// Owner, permissions, extended attributes and time of what is open. What an ordinary user may not set is left out.
struct Dresser {
  bool privileged = false;
  uint32_t umask = 0;
  uint32_t uid = 0, gid = 0;  // ours

  void file(int fd, const Record& record, bool modeIsSet) const;
  void byName(int dir, const std::string& name, const Record& record) const;
  void folder(int fd, const Record& record) const;

 private:
  bool mayNotFail() const;
  void xattrs(int fd, const std::string& path, const Record& record) const;
};

/// Where the layers below are unpacked, top first.
class Lowers {
 public:
  explicit Lowers(const std::vector<std::string>& paths);
  bool any() const { return !folders_.empty(); }
  /// What the layers below show at this path: the folder to look in and its stat. False when nothing is there.
  bool find(const std::string& path, FdRef& folder, struct stat& st) const;

 private:
  std::vector<std::unique_ptr<Folder>> folders_;
};

}  // namespace wb
