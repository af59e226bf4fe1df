// Failure: the one exception of the addon. It becomes a WbuildError in addon.ts; no exception crosses the N-API border.
// Paths are raw bytes here: TypeScript decides how a hostile name is shown.
#pragma once
#include <cerrno>
#include <exception>
#include <string>
#include <utility>

namespace wb {

struct Failure : std::exception {
  std::string code;  // LAYER_…, for programs
  std::string text;  // what happened, without the path
  std::string path;  // to which file or entry; may be empty
  int error = 0;     // errno, or 0

  Failure(std::string code_, std::string text_, std::string path_ = {}, int error_ = 0)
      : code(std::move(code_)), text(std::move(text_)), path(std::move(path_)), error(error_) {}
  const char* what() const noexcept override { return text.c_str(); }
};

/// A system call failed: takes errno as it is now.
[[noreturn]] inline void failSystem(const std::string& doing, const std::string& path) {
  const int error = errno;
  throw Failure("LAYER_IO", "cannot " + doing, path, error);
}

}  // namespace wb
