// FileWriters: small files are made by several threads, because making a file costs more than its bytes.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "folder.hh"

namespace wb {

constexpr size_t kHole = 64 * 1024;  // runs of zeros of this size, aligned in the file, are not written

struct FileJob {
  FdRef dir;
  Record record;
  std::string bytes;
  Digest* digest = nullptr;  // filled in when wanted
};

/// Makes a new file, in place of whatever has its name. Gives its descriptor; `modeIsSet` says that permissions are right.
Fd createFile(int dir, const Record& record, const Dresser& dresser, bool& modeIsSet);

/// Writes at an offset; blocks of 64 KiB of zeros become holes.
void writeSparse(int fd, uint64_t offset, const uint8_t* bytes, size_t size, const std::string& shown);

class FileWriters {
 public:
  explicit FileWriters(const Dresser& dresser);
  ~FileWriters();
  /// Waits while too much is queued. Throws what an earlier job failed with.
  void add(FileJob job);
  /// Waits until all jobs are done. Throws what one failed with.
  void settle();

 private:
  void work();
  void hand();

  const Dresser& dresser_;
  std::vector<FileJob> batch_;  // the caller's own, handed over together: a lock a file would cost more than the file
  size_t batchBytes_ = 0;
  std::mutex mutex_;
  std::condition_variable hasWork_, hasRoom_;
  std::deque<std::vector<FileJob>> jobs_;
  size_t busy_ = 0;
  bool ending_ = false;
  std::unique_ptr<Failure> failure_;
  std::vector<std::thread> threads_;
};

}  // namespace wb
