// Header fields are octal; what does not fit goes to the PAX header, which readers prefer.
#include "tar-header.hh"

#include <algorithm>
#include <cstdio>

#include "failure.hh"

namespace wb {
namespace {

constexpr size_t kName = 0, kMode = 100, kUid = 108, kGid = 116, kSize = 124, kMtime = 136, kSum = 148, kTypeFlag = 156,
                 kLink = 157, kMagic = 257, kMajor = 329, kMinor = 337, kPrefix = 345;

bool isAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Well-formed UTF-8 (Unicode 15, table 3-7). Other names stay raw in the header fields, as GNU tar has them.
bool isUtf8(const std::string& text) {
  const auto* s = reinterpret_cast<const unsigned char*>(text.data());
  const size_t size = text.size();
  for (size_t i = 0; i < size;) {
    const unsigned char a = s[i];
    const size_t n = a < 0x80 ? 1 : (a >= 0xc2 && a <= 0xdf) ? 2 : (a & 0xf0) == 0xe0 ? 3 : (a >= 0xf0 && a <= 0xf4) ? 4 : 0;
    if (n == 0 || i + n > size) return false;
    if (n > 1) {
      const unsigned char low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80, high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
      if (s[i + 1] < low || s[i + 1] > high) return false;
    }
    for (size_t j = 2; j < n; j++) {
      if ((s[i + j] & 0xc0) != 0x80) return false;
    }
    i += n;
  }
  return true;
}

/// Writes an octal number with its final NUL. False, and zeros, when it does not fit.
bool octal(char* block, size_t at, size_t width, uint64_t value) {
  const bool fits = width - 1 >= 22 || value < (uint64_t(1) << (3 * (width - 1)));
  if (!fits) value = 0;
  block[at + width - 1] = '\0';
  for (size_t i = width - 1; i-- > 0; value >>= 3) block[at + i] = char('0' + (value & 7));
  return fits;
}

void addPax(std::string& out, const std::string& key, const std::string& value) {
  // The length counts itself: "%d key=value\n".
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + std::to_string(rest).size();
  if (std::to_string(length).size() != std::to_string(rest).size()) length = rest + std::to_string(length).size();
  out += std::to_string(length) + " " + key + "=" + value + "\n";
}

void finishBlock(char* block) {
  std::memcpy(block + kMagic, "ustar\00000", 8);
  std::memset(block + kSum, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < kBlock; i++) sum += static_cast<unsigned char>(block[i]);
  octal(block, kSum, 7, sum);
}

/// The name into name and prefix fields. False when only PAX can carry it.
bool placeName(char* block, const std::string& name) {
  if (name.size() <= 100) {
    std::memcpy(block + kName, name.data(), name.size());
    return true;
  }
  // The split stands at a '/' with at most 155 bytes before and 1 to 100 bytes after it.
  if (name.size() <= 256) {
    const size_t slash = name.find('/', name.size() - 101);
    if (slash != std::string::npos && slash > 0 && slash <= 155 && slash + 1 < name.size()) {
      std::memcpy(block + kPrefix, name.data(), slash);
      std::memcpy(block + kName, name.data() + slash + 1, name.size() - slash - 1);
      return true;
    }
  }
  std::memcpy(block + kName, name.data(), 100);
  return false;
}

bool isHeaderField(const std::string& key) {
  static const char* const fields[] = {"path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime", "atime", "ctime",
                                       "devmajor", "devminor", "charset", "hdrcharset", "comment", ""};
  return std::any_of(std::begin(fields), std::end(fields), [&](const char* field) { return key == field; }) ||
         key.rfind("GNU.sparse.", 0) == 0;
}

}  // namespace

std::string paxTime(const Time& time) {
  // -1.5 s is kept as -2 s and +0.5 s; PAX writes the number itself.
  const bool negative = time.seconds < 0 && time.nanos > 0;
  const int64_t whole = negative ? time.seconds + 1 : time.seconds;
  const uint32_t nanos = negative ? 1000000000u - time.nanos : time.nanos;
  std::string out = (negative && whole == 0) ? "-0" : std::to_string(whole);
  if (nanos != 0) {
    char fraction[12];
    std::snprintf(fraction, sizeof fraction, ".%09u", nanos);
    out += fraction;
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out;
}

void appendTarHeader(const Record& record, std::string& out) {
  char block[kBlock] = {};
  Pax pax;
  std::string name = record.path.empty() ? "./" : record.path;
  if (record.type == Type::Directory && !record.path.empty()) name += '/';
  const bool ascii = isAscii(name);
  if (!placeName(block, name) || (!ascii && isUtf8(name))) pax.emplace_back("path", name);
  if (record.type == Type::Symlink || record.type == Type::Hardlink) {
    const std::string& target = record.target;
    std::memcpy(block + kLink, target.data(), std::min<size_t>(100, target.size()));
    if (target.size() > 100 || (!isAscii(target) && isUtf8(target))) pax.emplace_back("linkpath", target);
  }
  const uint64_t size = record.type == Type::File ? record.size : 0;
  octal(block, kMode, 8, record.mode & 07777);
  if (!octal(block, kUid, 8, record.uid)) pax.emplace_back("uid", std::to_string(record.uid));
  if (!octal(block, kGid, 8, record.gid)) pax.emplace_back("gid", std::to_string(record.gid));
  if (!octal(block, kSize, 12, size)) pax.emplace_back("size", std::to_string(size));
  const Time& mtime = record.mtime;
  const bool plain = mtime.seconds >= 0 && octal(block, kMtime, 12, uint64_t(mtime.seconds));
  if (!plain) octal(block, kMtime, 12, 0);
  if (!plain || mtime.nanos != 0) pax.emplace_back("mtime", paxTime(mtime));
  if (record.type == Type::Character || record.type == Type::Block) {
    if (!octal(block, kMajor, 8, record.major) || !octal(block, kMinor, 8, record.minor)) {
      throw Failure("LAYER_DEVICE", "no tar can hold the device numbers of", record.path);
    }
  } else {
    octal(block, kMajor, 8, 0);
    octal(block, kMinor, 8, 0);
  }
  for (const auto& [key, value] : record.pax) {
    if (isHeaderField(key) || key.find('=') != std::string::npos || key.find('\n') != std::string::npos) {
      throw Failure("LAYER_PAX", "the record '" + key + "' may not stand in the PAX header of", record.path);
    }
    pax.emplace_back(key, value);
  }
  static const char flags[] = {'0', '5', '2', '1', '6', '3', '4'};
  block[kTypeFlag] = flags[size_t(record.type)];
  finishBlock(block);

  if (!pax.empty()) {
    std::sort(pax.begin(), pax.end());
    std::string body;
    for (const auto& [key, value] : pax) addPax(body, key, value);
    char extra[kBlock] = {};
    const size_t slash = record.path.rfind('/');
    const std::string label = "PaxHeaders/" + record.path.substr(slash == std::string::npos ? 0 : slash + 1);
    std::memcpy(extra + kName, label.data(), std::min<size_t>(100, label.size()));
    octal(extra, kMode, 8, 0644);
    octal(extra, kUid, 8, 0);
    octal(extra, kGid, 8, 0);
    octal(extra, kSize, 12, body.size());
    octal(extra, kMtime, 12, 0);
    octal(extra, kMajor, 8, 0);
    octal(extra, kMinor, 8, 0);
    extra[kTypeFlag] = 'x';
    finishBlock(extra);
    out.append(extra, kBlock);
    out += body;
    out.append(padding(body.size()), '\0');
  }
  out.append(block, kBlock);
}

}  // namespace wb
