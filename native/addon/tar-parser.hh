// TarParser: hostile tar bytes → records and content. Strict and bounded: ustar, v7, PAX (POSIX.1-2001) and GNU long names.
// It knows no files; what an entry may do to a folder is the extractor's business.
#pragma once
#include <cstdint>
#include <string>

#include "record.hh"

namespace wb {

struct TarLimits {
  uint64_t maxEntries = 4u << 20;
  uint64_t maxExtraBytes = 512u << 20;
  bool stripAbsolute = false;  // leading slashes are taken off, as GNU tar does it, instead of refused
};

class TarEvents {
 public:
  virtual ~TarEvents() = default;
  /// `record.path` and a hard link's target are clean; content follows for a file of size > 0.
  virtual void entry(Record& record) = 0;
  virtual void content(const uint8_t* bytes, size_t size) = 0;
  virtual void endOfEntry() = 0;
};

class TarParser {
 public:
  TarParser(TarEvents& events, const TarLimits& limits) : events_(events), limits_(limits) {}

  /// Bytes as they come, in pieces of any size. Throws LAYER_*.
  void feed(const uint8_t* bytes, size_t size);
  /// No more will come. Throws LAYER_TRUNCATED in the middle of an entry.
  void end();

 private:
  enum class State { Header, Extra, Content, Padding, Done };
  void header(const uint8_t* block);
  void extra();
  void parsePax();
  void start(Record& record, const uint8_t* block);
  void applyPax(Record& record);
  [[noreturn]] void refuse(const char* code, const std::string& text) const;

  TarEvents& events_;
  TarLimits limits_;
  State state_ = State::Header;
  uint8_t block_[512];
  size_t held_ = 0;
  uint64_t left_ = 0;     // bytes of content or of the extra header still to come
  size_t padding_ = 0;    // and of padding behind them
  char extraType_ = 0;
  std::string extra_;
  Pax pax_;
  std::string longName_, longLink_, name_;
  bool inEntry_ = false, sawZeros_ = false;
  uint64_t entries_ = 0, extras_ = 0, extraBytes_ = 0;
};

/// A clean relative path of a member's name. Throws LAYER_ESCAPE, LAYER_ABSOLUTE, LAYER_NAME_TOO_LONG.
std::string cleanName(const std::string& raw, const char* what, bool stripAbsolute);

}  // namespace wb
