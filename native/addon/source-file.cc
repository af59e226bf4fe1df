// Reading the sources.
#include "source-file.hh"

#include <sys/stat.h>
#include <sys/uio.h>

#include <cstring>

namespace wb {
namespace {

constexpr size_t kWorthAsking = 64 * 1024;  // below this a hole is read faster than it is asked for

}  // namespace

int SourceFile::descriptor() {
  const std::lock_guard lock(mutex_);
  if (!fd_.ok()) {
    // Who swaps the file for a link or a pipe after it was seen must not make us read elsewhere or hang.
    fd_ = Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd_.ok()) {
      if (errno == ENOENT || errno == ELOOP) throw Failure("LAYER_CHANGED", "a file changed while it was read:", path_, errno);
      failSystem("open", path_);
    }
  }
  return fd_.get();
}

bool SourceFile::isHole(int fd, uint64_t offset, size_t size) const {
  const off_t data = lseek(fd, off_t(offset), SEEK_DATA);
  return data < 0 ? errno == ENXIO : uint64_t(data) >= offset + size;
}

void SourceFile::read(uint64_t offset, uint8_t* to, size_t size) {
  const int fd = descriptor();
  const bool last = offset + size == size_;
  if (size >= kWorthAsking && isHole(fd, offset, size)) {
    std::memset(to, 0, size);
    struct stat st;
    if (fstat(fd, &st) != 0) failSystem("stat", path_);
    if (uint64_t(st.st_size) < offset + size || (last && uint64_t(st.st_size) != size_)) {
      throw Failure("LAYER_CHANGED", "a file changed its size while it was read:", path_);
    }
    return;
  }
  // One byte more than expected shows a file that grew, without another system call.
  uint8_t extra;
  size_t got = 0;
  while (got < size + (last ? 1 : 0)) {
    const iovec parts[2] = {{to + got, size > got ? size - got : 0}, {&extra, last ? size_t(1) : size_t(0)}};
    const ssize_t n = preadv(fd, parts, 2, off_t(offset + got));
    if (n < 0) {
      if (errno == EINTR) continue;
      failSystem("read", path_);
    }
    if (n == 0) break;
    got += size_t(n);
  }
  if (got < size) std::memset(to + got, 0, size - got);
  if (got != size) throw Failure("LAYER_CHANGED", "a file changed its size while it was read:", path_);
}

}  // namespace wb
