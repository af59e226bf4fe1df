// The parser's states; every number from the bytes is checked before it is used.
#include "tar-parser.hh"

#include <algorithm>

#include "failure.hh"
#include "tar-header.hh"

namespace wb {
namespace {

// A giant name or PAX header is an attack on memory; Windows security descriptors need some tens of KiB.
constexpr uint64_t kMaxExtra = 1 << 20;
constexpr size_t kMaxName = 4095, kMaxComponent = 255;
constexpr uint64_t kMaxSize = uint64_t(1) << 53;  // JavaScript counts that far
// Extra headers that no entry follows would let a small file keep us busy for ever.
constexpr uint64_t kMaxExtrasInRow = 8;

std::string field(const uint8_t* block, size_t at, size_t width) {
  const auto* from = reinterpret_cast<const char*>(block + at);
  return std::string(from, strnlen(from, width));
}

/// An octal or base-256 field. False when it is neither, or does not fit into 63 bits.
bool number(const uint8_t* block, size_t at, size_t width, int64_t& out) {
  const uint8_t* p = block + at;
  if (p[0] & 0x80) {
    const bool negative = (p[0] & 0x40) != 0;
    uint64_t value = negative ? ~uint64_t(0) : 0;
    for (size_t i = 0; i < width; i++) {
      const uint8_t byte = i == 0 ? uint8_t(negative ? p[0] : p[0] & 0x7f) : p[i];
      const uint64_t top = value >> 55;  // what would be shifted out, and the new sign
      if (top != (negative ? 0x1ff : 0)) return false;
      value = value << 8 | byte;
    }
    out = int64_t(value);
    return true;
  }
  size_t i = 0;
  while (i < width && p[i] == ' ') i++;
  uint64_t value = 0;
  for (; i < width && p[i] >= '0' && p[i] <= '7'; i++) {
    if (value >> 60) return false;
    value = value << 3 | uint64_t(p[i] - '0');
  }
  for (; i < width; i++) {
    if (p[i] != ' ' && p[i] != '\0') return false;
  }
  out = int64_t(value);
  return true;
}

bool decimal(const std::string& text, uint64_t& out) {
  if (text.empty() || text.size() > 19) return false;
  out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + uint64_t(c - '0');
  }
  return out <= uint64_t(INT64_MAX);
}

/// "[-]seconds[.fraction]" (PAX); more than nine digits of a fraction are cut.
bool paxTime(const std::string& text, Time& out) {
  const bool negative = !text.empty() && text[0] == '-';
  const size_t dot = text.find('.');
  uint64_t seconds = 0;
  const std::string whole = text.substr(negative, dot == std::string::npos ? dot : dot - negative);
  if (!decimal(whole, seconds) || seconds > kMaxSize) return false;
  uint32_t nanos = 0;
  if (dot != std::string::npos) {
    uint32_t scale = 100000000;
    for (size_t i = dot + 1; i < text.size(); i++, scale /= 10) {
      if (text[i] < '0' || text[i] > '9') return false;
      nanos += uint32_t(text[i] - '0') * scale;
    }
  }
  out = {negative ? -int64_t(seconds) : int64_t(seconds), nanos};
  if (negative && nanos > 0) out = {out.seconds - 1, 1000000000u - nanos};
  return true;
}

bool checksumFits(const uint8_t* block) {
  int64_t told = 0;
  if (!number(block, 148, 8, told)) return false;
  int64_t plain = 8 * ' ', withSigns = 8 * ' ';
  for (size_t i = 0; i < kBlock; i++) {
    if (i >= 148 && i < 156) continue;
    plain += block[i];
    withSigns += int8_t(block[i]);  // some old tars summed up signed characters
  }
  return told == plain || told == withSigns;
}

bool isOverlayMark(const std::string& key) {
  return key.rfind("SCHILY.xattr.trusted.overlay.", 0) == 0 || key.rfind("SCHILY.xattr.user.overlay.", 0) == 0;
}

}  // namespace

std::string cleanName(const std::string& raw, const char* what, bool stripAbsolute) {
  // Attack: an absolute name overwrites a file of the host when it is taken as it is. "/" alone is the layer's own root
  // (umoci writes it so) and overwrites nothing.
  const bool isAbsolute = !raw.empty() && raw[0] == '/' && raw.find_first_not_of('/') != std::string::npos;
  if (!stripAbsolute && isAbsolute) throw Failure("LAYER_ABSOLUTE", std::string(what) + " is absolute:", raw.substr(0, 300));
  if (raw.find('\0') != std::string::npos) throw Failure("LAYER_NAME", std::string(what) + " has a NUL in it:", raw.substr(0, 300));
  std::string out;
  for (size_t at = 0; at < raw.size();) {
    size_t end = raw.find('/', at);
    if (end == std::string::npos) end = raw.size();
    const std::string_view part(raw.data() + at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    // Attack: ".." climbs out of the folder that is unpacked into.
    if (part == "..") throw Failure("LAYER_ESCAPE", std::string(what) + " climbs out through '..':", raw.substr(0, 300));
    if (part.size() > kMaxComponent) throw Failure("LAYER_NAME_TOO_LONG", std::string(what) + " is too long:", raw.substr(0, 300));
    if (!out.empty()) out += '/';
    out += part;
  }
  if (out.size() > kMaxName) throw Failure("LAYER_NAME_TOO_LONG", std::string(what) + " is too long:", raw.substr(0, 300));
  return out;
}

void TarParser::refuse(const char* code, const std::string& text) const { throw Failure(code, text, name_.substr(0, 300)); }

void TarParser::feed(const uint8_t* bytes, size_t size) {
  while (size > 0 && state_ != State::Done) {
    size_t take = 0;
    switch (state_) {
      case State::Header:
        take = std::min(size, kBlock - held_);
        std::memcpy(block_ + held_, bytes, take);
        held_ += take;
        if (held_ == kBlock) {
          held_ = 0;
          header(block_);
        }
        break;
      case State::Extra:
        take = size_t(std::min<uint64_t>(size, left_));
        extra_.append(reinterpret_cast<const char*>(bytes), take);
        left_ -= take;
        if (left_ == 0) extra();
        break;
      case State::Content:
        take = size_t(std::min<uint64_t>(size, left_));
        events_.content(bytes, take);
        left_ -= take;
        if (left_ == 0) {
          inEntry_ = false;
          events_.endOfEntry();
          state_ = State::Padding;
        }
        break;
      case State::Padding:
        take = std::min(size, padding_);
        padding_ -= take;
        break;
      case State::Done: break;
    }
    bytes += take;
    size -= take;
    if (state_ == State::Padding && padding_ == 0) state_ = State::Header;
  }
}

void TarParser::end() {
  if (state_ == State::Done) return;
  // A tar may end at an entry's end without its zero blocks; anywhere else it was cut.
  const bool isPending = extras_ > 0;
  if (state_ != State::Header || held_ != 0 || inEntry_ || isPending) refuse("LAYER_TRUNCATED", "the layer ends in the middle of an entry:");
  if (entries_ == 0 && !sawZeros_) throw Failure("LAYER_TRUNCATED", "the layer is empty, not even an end of a tar is there");
}

void TarParser::header(const uint8_t* block) {
  if (std::all_of(block, block + kBlock, [](uint8_t byte) { return byte == 0; })) {
    if (extras_ > 0) refuse("LAYER_TRUNCATED", "the layer ends in the middle of an entry:");
    if (sawZeros_) state_ = State::Done;
    sawZeros_ = true;
    return;
  }
  name_ = field(block, 0, 100);
  if (!checksumFits(block)) refuse("LAYER_HEADER", "a header has a wrong checksum, or this is no tar:");
  if (sawZeros_) refuse("LAYER_HEADER", "an entry stands behind the end of the tar:");
  const char type = char(block[156]);
  int64_t size = 0;
  if (!number(block, 124, 12, size) || size < 0 || uint64_t(size) > kMaxSize) refuse("LAYER_HEADER", "an entry has an impossible size:");
  if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
    if (uint64_t(size) > kMaxExtra) refuse("LAYER_NAME_TOO_LONG", "a name or PAX header is too long:");
    if (++extras_ > kMaxExtrasInRow) refuse("LAYER_HEADER", "too many extra headers for one entry:");
    extraType_ = type;
    extra_.clear();
    left_ = uint64_t(size);
    padding_ = padding(left_);
    state_ = State::Extra;
    if (left_ == 0) extra();
    return;
  }
  Record record;
  record.size = uint64_t(size);
  extras_ = 0;
  start(record, block);
}

void TarParser::extra() {
  state_ = State::Padding;
  // Attack: a descriptor of a megabyte at each of thousands of files. It packs to nothing, and the index keeps them all in memory.
  extraBytes_ += extra_.size();
  if (extraBytes_ > limits_.maxExtraBytes) {
    throw Failure("LAYER_BOMB", "the layer has more than " + std::to_string(limits_.maxExtraBytes) + " bytes of PAX headers and long names");
  }
  if (extraType_ == 'L' || extraType_ == 'K') {
    extra_.resize(strnlen(extra_.data(), extra_.size()));
    (extraType_ == 'L' ? longName_ : longLink_) = std::move(extra_);
  } else if (extraType_ == 'x') {
    parsePax();
  } else if (extras_ > 0) {
    extras_--;  // a global header says nothing of files that we use; it may be the last thing in a tar
  }
  if (padding_ == 0) state_ = State::Header;
}

void TarParser::parsePax() {
  for (size_t at = 0; at < extra_.size();) {
    const size_t space = extra_.find(' ', at);
    uint64_t length = 0;
    if (space == std::string::npos || space - at > 7 || !decimal(extra_.substr(at, space - at), length) ||
        length > extra_.size() - at || length < space - at + 3 || extra_[at + length - 1] != '\n') {
      refuse("LAYER_PAX", "a PAX header has lengths that lie:");
    }
    const std::string body = extra_.substr(space + 1, at + length - space - 2);
    at += length;
    const size_t equals = body.find('=');
    if (equals == std::string::npos || equals == 0) refuse("LAYER_PAX", "a PAX record has no key:");
    const std::string key = body.substr(0, equals);
    const auto same = std::find_if(pax_.begin(), pax_.end(), [&](const auto& pair) { return pair.first == key; });
    if (same != pax_.end()) {
      same->second = body.substr(equals + 1);
    } else if (pax_.size() < 256) {
      pax_.emplace_back(key, body.substr(equals + 1));
    } else {
      refuse("LAYER_PAX", "a PAX header has too many records:");
    }
  }
}

void TarParser::start(Record& record, const uint8_t* block) {
  if (++entries_ > limits_.maxEntries) throw Failure("LAYER_TOO_MANY", "the layer has more than " + std::to_string(limits_.maxEntries) + " entries");
  const bool isUstar = std::memcmp(block + 257, "ustar\0", 6) == 0;
  const std::string prefix = isUstar ? field(block, 345, 155) : "";
  if (!prefix.empty()) name_ = prefix + "/" + name_;
  std::string link = field(block, 157, 100);
  if (!longName_.empty()) name_ = std::move(longName_);
  if (!longLink_.empty()) link = std::move(longLink_);
  longName_.clear();
  longLink_.clear();

  int64_t mode = 0, uid = 0, gid = 0, mtime = 0, major = 0, minor = 0;
  bool sound = number(block, 100, 8, mode) && number(block, 108, 8, uid) && number(block, 116, 8, gid) && number(block, 136, 12, mtime);
  const char type = char(block[156]);
  if (type == '3' || type == '4') sound = sound && number(block, 329, 8, major) && number(block, 337, 8, minor);
  record.mtime = {mtime, 0};
  record.target = link;
  record.path = name_;
  record.uid = uint32_t(uid);
  record.gid = uint32_t(gid);
  if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX) sound = false;
  applyPax(record);
  name_ = record.path;
  if (!sound) refuse("LAYER_HEADER", "a header has a number that is none:");
  record.mode = uint32_t(mode) & 07777;

  switch (type) {
    case '\0': case '0': case '7': record.type = !record.path.empty() && record.path.back() == '/' ? Type::Directory : Type::File; break;
    case '1': record.type = Type::Hardlink; break;
    case '2': record.type = Type::Symlink; break;
    case '3': record.type = Type::Character; break;
    case '4': record.type = Type::Block; break;
    case '5': record.type = Type::Directory; break;
    case '6': record.type = Type::Fifo; break;
    case 'S': refuse("LAYER_SPARSE", "sparse entries in GNU's form are not supported:");
    default: refuse("LAYER_TYPE", "an entry has a type that no layer may have:");
  }
  // Only regular files have content; others that tell a size tell nothing (as Go's and libarchive's readers see it).
  if (record.type != Type::File) record.size = 0;
  record.path = cleanName(record.path, "a name in the layer", limits_.stripAbsolute);
  if (record.type == Type::Hardlink) {
    record.target = cleanName(record.target, "the target of a hard link", limits_.stripAbsolute);
    if (record.target.empty()) refuse("LAYER_LINK_TARGET", "a hard link has no target:");
  }
  if (record.type == Type::Symlink && (record.target.empty() || record.target.size() > kMaxName || record.target.find('\0') != std::string::npos)) {
    refuse("LAYER_LINK_TARGET", "a symbolic link has an impossible target:");
  }
  if (record.type == Type::Symlink || record.type == Type::Hardlink) {
    record.flags |= kHasTarget;
  } else {
    record.target.clear();
  }
  if (record.type == Type::Character || record.type == Type::Block) {
    // Linux has 12 bits of major and 20 of minor: more would wrap around to another device.
    if (major < 0 || minor < 0 || major > 0xfff || minor > 0xfffff) refuse("LAYER_DEVICE", "a device has impossible numbers:");
    record.flags |= kHasDevice;
    record.major = uint32_t(major);
    record.minor = uint32_t(minor);
  }
  if (record.path.empty() && record.type != Type::Directory) refuse("LAYER_ROOT", "the root of the layer is no folder:");

  left_ = record.size;
  padding_ = padding(left_);
  inEntry_ = true;
  const bool hasContent = left_ > 0;
  events_.entry(record);
  if (hasContent) {
    state_ = State::Content;
  } else {
    inEntry_ = false;
    events_.endOfEntry();
    state_ = State::Header;
  }
}

void TarParser::applyPax(Record& record) {
  static const char* const unused[] = {"atime", "ctime", "uname", "gname", "charset", "hdrcharset", "comment", "devmajor", "devminor"};
  for (auto& [key, value] : pax_) {
    uint64_t n = 0;
    if (value.empty() && key.rfind("SCHILY.xattr.", 0) != 0) continue;  // an empty value takes a record back
    if (key == "path") {
      record.path = value;
    } else if (key == "linkpath") {
      record.target = value;
    } else if (key == "size") {
      if (!decimal(value, n) || n > kMaxSize) refuse("LAYER_HEADER", "an entry has an impossible size:");
      record.size = n;
    } else if (key == "uid" || key == "gid") {
      if (!decimal(value, n) || n >= UINT32_MAX) refuse("LAYER_HEADER", "a header has a number that is none:");
      (key == "uid" ? record.uid : record.gid) = uint32_t(n);
    } else if (key == "mtime") {
      if (!paxTime(value, record.mtime)) refuse("LAYER_HEADER", "an entry has an impossible time:");
    } else if (key.rfind("GNU.sparse.", 0) == 0) {
      refuse("LAYER_SPARSE", "sparse entries in GNU's form are not supported:");
    } else if (isOverlayMark(key)) {
      // Attack: trusted.overlay.redirect and its like would make overlayfs show files from elsewhere.
      continue;
    } else if (std::none_of(std::begin(unused), std::end(unused), [&](const char* name) { return key == name; })) {
      record.pax.emplace_back(std::move(key), std::move(value));
    }
  }
  pax_.clear();
  std::sort(record.pax.begin(), record.pax.end());
  if (!record.pax.empty()) record.flags |= kHasPax;
}

}  // namespace wb
