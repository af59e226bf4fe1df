// A small pool with a bounded queue.
#include "file-writers.hh"

#include <algorithm>

namespace wb {
namespace {

// A job holds its bytes and perhaps a descriptor of its folder: some two hundred of them wait at most.
constexpr size_t kBatchJobs = 16, kBatchBytes = 512 * 1024, kMaxBatches = 8;

bool isZero(const uint8_t* bytes, size_t size) { return bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0; }

void make(const FileJob& job, const Dresser& dresser) {
  bool modeIsSet = false;
  const Fd fd = createFile(job.dir->get(), job.record, dresser, modeIsSet);
  const auto* bytes = reinterpret_cast<const uint8_t*>(job.bytes.data());
  if (job.bytes.size() < kHole) {
    if (!writeAll(fd.get(), bytes, job.bytes.size())) failSystem("write", job.record.path);
  } else {
    writeSparse(fd.get(), 0, bytes, job.bytes.size(), job.record.path);
    if (ftruncate(fd.get(), off_t(job.bytes.size())) != 0) failSystem("write", job.record.path);
  }
  dresser.file(fd.get(), job.record, modeIsSet);
  if (job.digest != nullptr) {
    Sha256 hash;
    hash.update(bytes, job.bytes.size());
    *job.digest = hash.finish();
  }
}

}  // namespace

Fd createFile(int dir, const Record& record, const Dresser& dresser, bool& modeIsSet) {
  const std::string name = nameOf(record.path);
  const bool isPlain = (record.mode & 07000) == 0 && (record.mode & dresser.umask) == 0;
  const mode_t mode = isPlain ? record.mode : 0600;
  modeIsSet = isPlain;
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(openat(dir, name.c_str(), flags, mode));
  if (!fd.ok() && errno == EEXIST) {
    // Never written into: what is there may be a link to elsewhere, or share its content with a lower layer.
    removeTree(dir, name, record.path);
    fd = Fd(openat(dir, name.c_str(), flags, mode));
  }
  if (!fd.ok()) failSystem("make the file", record.path);
  return fd;
}

void writeSparse(int fd, uint64_t offset, const uint8_t* bytes, size_t size, const std::string& shown) {
  while (size > 0) {
    // Blocks are aligned in the file; a run of data is written with one call.
    size_t run = 0;
    bool hole = false;
    while (run < size) {
      const size_t block = std::min(size - run, kHole - size_t((offset + run) % kHole));
      if (block == kHole && isZero(bytes + run, block)) {
        hole = run == 0;
        break;
      }
      run += block;
    }
    if (hole) run = kHole;
    for (size_t done = 0; !hole && done < run;) {
      const ssize_t n = pwrite(fd, bytes + done, run - done, off_t(offset + done));
      if (n < 0 && errno != EINTR) failSystem("write", shown);
      if (n > 0) done += size_t(n);
    }
    bytes += run;
    offset += run;
    size -= run;
  }
}

FileWriters::FileWriters(const Dresser& dresser) : dresser_(dresser) {
  const unsigned count = std::clamp(std::thread::hardware_concurrency(), 2u, 4u);
  for (unsigned i = 0; i < count; i++) threads_.emplace_back([this] { work(); });
}

FileWriters::~FileWriters() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    jobs_.clear();
  }
  hasWork_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void FileWriters::add(FileJob job) {
  batchBytes_ += job.bytes.size();
  batch_.push_back(std::move(job));
  if (batch_.size() >= kBatchJobs || batchBytes_ >= kBatchBytes) hand();
}

void FileWriters::hand() {
  if (batch_.empty()) return;
  {
    std::unique_lock lock(mutex_);
    hasRoom_.wait(lock, [&] { return failure_ || jobs_.size() < kMaxBatches; });
    if (failure_) throw *failure_;
    jobs_.push_back(std::move(batch_));
  }
  hasWork_.notify_one();
  batch_.clear();
  batchBytes_ = 0;
}

void FileWriters::settle() {
  hand();
  std::unique_lock lock(mutex_);
  hasRoom_.wait(lock, [&] { return failure_ || (jobs_.empty() && busy_ == 0); });
  if (failure_) throw *failure_;
}

void FileWriters::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    hasWork_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::vector<FileJob> mine = std::move(jobs_.front());
    jobs_.pop_front();
    busy_++;
    lock.unlock();
    std::unique_ptr<Failure> failure;
    try {
      for (const FileJob& job : mine) make(job, dresser_);
    } catch (const Failure& error) {
      failure = std::make_unique<Failure>(error);
    }
    mine.clear();
    lock.lock();
    busy_--;
    if (failure && !failure_) failure_ = std::move(failure);
    hasRoom_.notify_all();
  }
}

}  // namespace wb
