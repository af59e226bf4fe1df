// Growing: bytes that become many. malloc grows large blocks by moving their pages (mremap), so what is there is never there
// twice, as it is for a while in a string that grows.
#pragma once
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace wb {

class Growing {
 public:
  Growing() = default;
  Growing(const Growing&) = delete;
  Growing& operator=(const Growing&) = delete;
  Growing(Growing&& from) noexcept { *this = std::move(from); }
  Growing& operator=(Growing&& from) noexcept {
    std::swap(data_, from.data_);
    std::swap(size_, from.size_);
    std::swap(capacity_, from.capacity_);
    return *this;
  }
  ~Growing() { std::free(data_); }

  void append(std::string_view bytes) {
    if (bytes.size() > capacity_ - size_) {
      const size_t capacity = (size_ + bytes.size()) * 2;
      void* bigger = std::realloc(data_, capacity);
      if (bigger == nullptr) throw std::bad_alloc();
      data_ = static_cast<char*>(bigger);
      capacity_ = capacity;
    }
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  char* data() { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace wb
